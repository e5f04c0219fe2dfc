"""A pair of versions of one method, measured in turns: quality once, memory five times each, time until it is sure."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from time import monotonic

from vibench.data.probe import Probe
from vibench.errors import InputError
from vibench.machine.stopwatch import Clock, load_average, own_clock, read_load
from vibench.regress.blocks import BlockSeries, Burst, TimedBlock, reading_of
from vibench.regress.finding import (
    MEMORY,
    Measure,
    Measured,
    Regression,
    findings_after,
    hole_psnr,
    memory_finding,
    quality_finding,
)
from vibench.regress.process import ProcessFailed, VersionProcess, Which
from vibench.regress.version import MethodVersion

PEAKS = 5
"""Fills per version whose memory is measured: 5 against 5 is the least that can be significant at 0.01."""
BURST_SECONDS = 0.08
WANTED_BLOCKS = 14
MEMORY_SHARE = 0.4
"""Part of the budget after which no further fill is spent on memory."""


@dataclass(frozen=True)
class RegressSettings:
    """How two versions are measured and judged.

    ``budget_seconds``, in seconds, is for one method. ``threshold`` is the ratio of time or memory, and
    ``quality_threshold_db`` the loss in dB, that counts as worse. ``clock`` None lets the method's own waiting decide
    (see ``own_clock``). ``seed`` makes the order of measurements repeatable.

    ``blocks_a_process``: every so many blocks both versions are started anew. Equal code differs by up to a tenth from
    process to process, as its memory happens to lie; only with 1 is that part of the interval. None stands for 1,
    unless ``WANTED_BLOCKS`` such starts take more than half of the budget that is left.
    """

    budget_seconds: float = 600.0
    threshold: float = 1.10
    quality_threshold_db: float = 0.1
    device: str = "cpu"
    threads: int = 1
    clock: Clock | None = None
    seed: int | None = None
    blocks_a_process: int | None = None


class VersionPair:
    """The comparison of two versions while it goes on; ``series`` and ``peaks`` keep the raw numbers for replaying."""

    def __init__(self, old: MethodVersion, new: MethodVersion, probe: Probe, settings: RegressSettings) -> None:
        self.old, self.new, self.probe, self.settings = old, new, probe, settings
        self.series: BlockSeries | None = None
        self.peaks: dict[Measure, tuple[list[int], list[int]]] = {}
        self.quality: tuple[list[float], list[float]] = ([], [])
        self._chance = random.Random(settings.seed)
        self._limits: dict[int, float] = {}
        self._traceback = ""
        self._start_seconds = 0.0
        self.pairs = 1

    def compare(self) -> Regression:
        """Measure until every verdict is sure or the budget is spent; what fails is a finding, not an exception."""
        self._started = monotonic()
        self._end = self._started + self.settings.budget_seconds
        findings: list[Measured] = []
        with ExitStack() as stack:
            try:
                processes = self._processes(stack)
                self._start_seconds = monotonic() - self._started
                for stage in (self._compare_quality, self._compare_memory, self._compare_time):
                    findings += stage(*processes)
            except ProcessFailed as failed:
                findings = findings_after(findings, failed)
                self._traceback = failed.traceback
        return self._regression(findings)

    def _regression(self, findings: Sequence[Measured]) -> Regression:
        series = self.series
        return Regression(
            method=self.new.spec.label,
            other=f"{self.old.spec.label} of {self.old.code.title}",
            findings=tuple(findings),
            seconds=monotonic() - self._started,
            blocks=len(series.blocks) if series else 0,
            disturbed=series.disturbed if series else 0,
            pairs=self.pairs,
            load_average=load_average(),
            traceback=self._traceback,
            clock=series.clock if series else "",
        )

    def _processes(self, stack: ExitStack) -> tuple[VersionProcess, VersionProcess]:
        clips = [case.holed() for case in self.probe.cases]
        how = self.settings.device, self.settings.threads, clips
        processes = []
        versions: tuple[tuple[MethodVersion, Which], ...] = ((self.old, "old"), (self.new, "new"))
        for version, which in versions:
            try:
                process = VersionProcess(version.code, version.spec, *how, which)
            except InputError as error:
                raise ProcessFailed(str(error), which) from error
            stack.enter_context(process).start(self._end)
            processes.append(process)
        return processes[0], processes[1]

    def _compare_quality(self, old: VersionProcess, new: VersionProcess) -> list[Measured]:
        self.quality = self._hole_psnr(old), self._hole_psnr(new)
        return [quality_finding(*self.quality, self.settings.quality_threshold_db)]

    def _hole_psnr(self, process: VersionProcess) -> list[float]:
        return hole_psnr(process.filled(self._end), self.probe.cases)

    def _compare_memory(self, old: VersionProcess, new: VersionProcess) -> list[Measured]:
        names: tuple[Measure, ...] = MEMORY if self.settings.device.startswith("cuda") else MEMORY[:1]
        self.peaks = {name: ([], []) for name in names}
        stop_at = self._started + MEMORY_SHARE * self.settings.budget_seconds
        self._peak_of(old), self._peak_of(new)  # the first fill also fills caches
        for _ in range(PEAKS):
            if monotonic() > stop_at:
                break
            order = [0, 1] if self._chance.random() < 0.5 else [1, 0]
            for index in order:
                peaks = self._peak_of((old, new)[index])
                for name, value in zip(names, peaks, strict=False):
                    self.peaks[name][index].append(value)
        return [memory_finding(name, *peaks, self.settings.threshold) for name, peaks in self.peaks.items()]

    def _peak_of(self, process: VersionProcess) -> tuple[int, int]:
        host_bytes, device_bytes, resident_bytes = process.peak(self._end)
        self._watch(process, resident_bytes)
        return host_bytes, device_bytes

    def _compare_time(self, old: VersionProcess, new: VersionProcess) -> list[Measured]:
        self._burst(old), self._burst(new)  # warm-up, and how long a block takes
        settling = monotonic()
        calls = [self._burst(old), self._burst(new)]
        block_seconds = 2 * (monotonic() - settling)
        every = self.settings.blocks_a_process or self._blocks_a_process()
        clock = self.settings.clock or own_clock(
            [reading_of(call) for burst in calls for call in burst], self.settings.threads, self.settings.device
        )
        self.series = BlockSeries(clock, self.settings.threshold)
        while not self.series.over and monotonic() + block_seconds < self._end:
            before = monotonic()
            try:
                if self.series.blocks and len(self.series.blocks) % every == 0:
                    self._renew(old, new)
                self.series.add(self._block(old, new))
            except ProcessFailed as failed:
                if not failed.timed_out:
                    raise
                break
            block_seconds = monotonic() - before
        return list(self.series.findings())

    def _block(self, old: VersionProcess, new: VersionProcess) -> TimedBlock:
        outer, inner = (old, new) if self._chance.random() < 0.5 else (new, old)
        cores = self._cores()
        for process in (old, new):
            process.pin(cores)
        before = read_load()
        bursts: dict[int, list[Burst]] = {id(old): [], id(new): []}
        for process in (outer, inner, inner, outer):
            bursts[id(process)].append(Burst.of(self._burst(process), len(self.probe.cases[0].frames)))
        first, second = bursts[id(old)], bursts[id(new)]
        return TimedBlock(
            (first[0], first[1]), (second[0], second[1]), monotonic() - self._started, read_load().stolen_share(before)
        )

    def _blocks_a_process(self) -> int:
        affordable = (self._end - monotonic()) / 2 / max(self._start_seconds, 1e-3)
        return max(1, ceil(WANTED_BLOCKS / max(affordable, 1.0)))

    def _renew(self, old: VersionProcess, new: VersionProcess) -> None:
        for process in (old, new):
            process.stop()
            process.start(self._end)
            process.timed(self._end, 0.0)  # one fill as warm-up
        self.pairs += 1

    def _cores(self) -> list[int]:
        """The cores of the next block: drawn anew for every block, the same for both versions.

        Left to the system, each process stays on a core of its own, and a neighbour that shares one of the two (a
        hyperthread of another machine, say) makes that version slower for as long as it likes.
        """
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        return self._chance.sample(allowed, min(self.settings.threads, len(allowed)))

    def _burst(self, process: VersionProcess) -> list[list[float]]:
        calls, resident_bytes = process.timed(self._end, BURST_SECONDS)
        self._watch(process, resident_bytes)
        return calls

    def _watch(self, process: VersionProcess, resident_bytes: int) -> None:
        """Start a version anew whose memory only ever grows, before it fills that of the machine."""
        import psutil

        room = psutil.virtual_memory().total / 8
        if resident_bytes > self._limits.setdefault(id(process), resident_bytes + room):
            process.stop()
            process.start(self._end)
