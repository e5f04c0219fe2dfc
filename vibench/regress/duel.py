"""Measures two versions of one method in turns: quality once, memory five times each, time until the verdict is sure."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Literal

import numpy as np

from vibench.data.probe import Probe
from vibench.errors import InputError
from vibench.machine.stopwatch import Clock, load_average, own_clock, read_load
from vibench.plugins import Spec
from vibench.regress.blocks import Burst, Contest, TimedBlock, reading_of
from vibench.regress.finding import MEMORY, Comparison, Finding, Measure
from vibench.regress.judgement import VersionFailed, findings_without_measuring, hole_psnr, judge_memory, judge_quality
from vibench.regress.process import Side, SideFailed, Version

PEAKS = 5
"""Fills per version whose memory is measured: 5 against 5 is the least that can be significant at 0.01."""
BURST_SECONDS = 0.08
WANTED_BLOCKS = 14
MEMORY_SHARE = 0.4
"""Part of the budget after which no further fill is spent on memory."""


@dataclass(frozen=True)
class Terms:
    """How a comparison is made and judged; ``clock`` None lets the method's own waiting decide (see ``own_clock``).

    ``blocks_a_process``: every so many blocks both versions are started anew. Equal code differs by up to a tenth from process
    to process, as its memory happens to lie; only with 1 is that part of the interval. None: 1, unless
    ``WANTED_BLOCKS`` such starts take more than half of the budget that is left.
    """

    budget_seconds: float = 600.0
    threshold: float = 1.10
    quality_threshold_db: float = 0.1
    device: str = "cpu"
    threads: int = 1
    clock: Clock | None = None
    seed: int | None = None
    blocks_a_process: int | None = None


@dataclass(frozen=True)
class Entrant:
    """One version of a method with its options."""

    version: Version
    spec: Spec


class Duel:
    """One comparison under way. ``contest`` and ``peaks`` keep the raw numbers for baselines and for replaying."""

    def __init__(self, old: Entrant, new: Entrant, probe: Probe, terms: Terms) -> None:
        self.old, self.new, self.probe, self.terms = old, new, probe, terms
        self.contest: Contest | None = None
        self.peaks: dict[Measure, tuple[list[int], list[int]]] = {}
        self.quality: tuple[list[float], list[float]] = ([], [])
        self._chance = random.Random(terms.seed)
        self._limits: dict[int, float] = {}
        self._start_seconds = 0.0
        self.pairs = 1

    def run(self) -> Comparison:
        """Measure until every verdict is sure or the budget is spent; what fails is a finding, not an exception."""
        self._started = monotonic()
        self._end = self._started + self.terms.budget_seconds
        findings: list[Finding] = []
        with tempfile.TemporaryDirectory(prefix="vibench-regress-") as folder, ExitStack() as stack:
            self._folder = Path(folder)
            try:
                sides = self._sides(stack)
                self._start_seconds = monotonic() - self._started
                for stage in (self._compare_quality, self._compare_memory, self._compare_time):
                    findings += stage(*sides)
            except SideFailed as failed:
                findings += findings_without_measuring(findings, failed)
        return self._comparison(findings)

    def _comparison(self, findings: Sequence[Finding]) -> Comparison:
        contest = self.contest
        return Comparison(
            method=self.new.spec.label,
            other=f"{self.old.spec.label} of {self.old.version.title}",
            findings=tuple(findings),
            seconds=monotonic() - self._started,
            blocks=len(contest.blocks) if contest else 0,
            disturbed=contest.disturbed if contest else 0,
            pairs=self.pairs,
            load_average=load_average(),
        )

    def _sides(self, stack: ExitStack) -> tuple[Side, Side]:
        clips = save_clips(self.probe, self._folder)
        sides = []
        entrants: tuple[tuple[Entrant, Literal["old", "new"]], ...] = ((self.old, "old"), (self.new, "new"))
        for entrant, which in entrants:
            try:
                side = Side(entrant.version, entrant.spec, self.terms.device, self.terms.threads, clips)
                stack.enter_context(side).start(self._end)
            except InputError as error:
                raise VersionFailed(which, str(error)) from error
            except SideFailed as failed:
                raise VersionFailed(which, f"{entrant.version.title}: {failed}", failed.timed_out) from failed
            sides.append(side)
        return sides[0], sides[1]

    def _compare_quality(self, old: Side, new: Side) -> list[Finding]:
        self.quality = self._hole_psnr(old, "old"), self._hole_psnr(new, "new")
        return [judge_quality(*self.quality, self.terms.quality_threshold_db)]

    def _hole_psnr(self, side: Side, which: Literal["old", "new"]) -> list[float]:
        try:
            return hole_psnr(side.filled(self._end, self._folder / f"{which}.npz"), self.probe.cases)
        except SideFailed as failed:
            raise VersionFailed(which, f"{side.version.title}: {failed}", failed.timed_out) from failed

    def _compare_memory(self, old: Side, new: Side) -> list[Finding]:
        names: tuple[Measure, ...] = MEMORY if self.terms.device.startswith("cuda") else MEMORY[:1]
        self.peaks = {name: ([], []) for name in names}
        stop_at = self._started + MEMORY_SHARE * self.terms.budget_seconds
        self._peak_of(old), self._peak_of(new)  # the first fill also fills caches
        for _ in range(PEAKS):
            if monotonic() > stop_at:
                break
            order = [0, 1] if self._chance.random() < 0.5 else [1, 0]
            for index in order:
                peaks = self._peak_of((old, new)[index])
                for name, value in zip(names, peaks, strict=False):
                    self.peaks[name][index].append(value)
        return [judge_memory(name, *peaks, self.terms.threshold) for name, peaks in self.peaks.items()]

    def _peak_of(self, side: Side) -> tuple[int, int]:
        answer = side.ask(self._end, "peak")
        self._watch(side, answer["resident_bytes"])
        return answer["host_bytes"], answer["device_bytes"] or 0

    def _compare_time(self, old: Side, new: Side) -> list[Finding]:
        self._burst(old), self._burst(new)  # warm-up, and how long a block takes
        settling = monotonic()
        calls = [self._burst(old), self._burst(new)]
        block_seconds = 2 * (monotonic() - settling)
        every = self.terms.blocks_a_process or self._blocks_a_process()
        clock = self.terms.clock or own_clock(
            [reading_of(call) for side in calls for call in side], self.terms.threads, self.terms.device
        )
        self.contest = Contest(clock, self.terms.threshold)
        while not self.contest.over and monotonic() + block_seconds < self._end:
            before = monotonic()
            try:
                if self.contest.blocks and len(self.contest.blocks) % every == 0:
                    self._renew(old, new)
                self.contest.add(self._block(old, new))
            except SideFailed as failed:
                if not failed.timed_out:
                    raise
                break
            block_seconds = monotonic() - before
        return list(self.contest.findings())

    def _block(self, old: Side, new: Side) -> TimedBlock:
        outer, inner = (old, new) if self._chance.random() < 0.5 else (new, old)
        cores = self._cores()
        for side in (old, new):
            side.pin(cores)
        before = read_load()
        bursts: dict[int, list[Burst]] = {id(old): [], id(new): []}
        for side in (outer, inner, inner, outer):
            bursts[id(side)].append(Burst.of(self._burst(side), len(self.probe.cases[0].frames)))
        first, second = bursts[id(old)], bursts[id(new)]
        return TimedBlock(
            (first[0], first[1]), (second[0], second[1]), monotonic() - self._started, read_load().stolen_share(before)
        )

    def _blocks_a_process(self) -> int:
        affordable = (self._end - monotonic()) / 2 / max(self._start_seconds, 1e-3)
        return max(1, ceil(WANTED_BLOCKS / max(affordable, 1.0)))

    def _renew(self, old: Side, new: Side) -> None:
        for side in (old, new):
            side.stop()
            side.start(self._end)
            side.ask(self._end, "time", seconds=0.0)  # one fill as warm-up
        self.pairs += 1

    def _cores(self) -> list[int]:
        """Drawn anew for every block, the same for both versions.

        Left to the system, each process stays on a core of its own, and a neighbour that shares one of the two (a
        hyperthread of another machine, say) makes that version slower for as long as it likes.
        """
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        return self._chance.sample(allowed, min(self.terms.threads, len(allowed)))

    def _burst(self, side: Side) -> list[list[float]]:
        answer = side.ask(self._end, "time", seconds=BURST_SECONDS)
        self._watch(side, answer["resident_bytes"])
        calls: list[list[float]] = answer["calls"]
        return calls

    def _watch(self, side: Side, resident_bytes: int) -> None:
        """Start a version anew that keeps ever more memory, before it takes the machine's."""
        import psutil

        room = psutil.virtual_memory().total / 8
        if resident_bytes > self._limits.setdefault(id(side), resident_bytes + room):
            side.stop()
            side.start(self._end)


def save_clips(probe: Probe, folder: Path) -> Path:
    """The probe's holed clips as the file that a worker reads."""
    cases = enumerate(case.holed() for case in probe.cases)
    arrays = {f"{kind}{index}": getattr(holed, kind) for index, holed in cases for kind in ("frames", "masks")}
    np.savez(folder / "clips.npz", **arrays)
    return folder / "clips.npz"
