"""Numbers of one version that are kept in a file: the second way to compare.

They may be compared only with numbers of an equal machine, made with equal clips and settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import monotonic

from pydantic import BaseModel, ConfigDict

from vibench.data.probe import Probe
from vibench.document import read_json
from vibench.errors import InputError
from vibench.files import write_atomically
from vibench.machine.facts import fingerprint, machine_facts
from vibench.machine.stopwatch import Clock, own_clock
from vibench.regress.blocks import Burst, reading_of
from vibench.regress.finding import TIME, Measure, Measured, Regression, hole_psnr, memory_finding, quality_finding
from vibench.regress.pair import BURST_SECONDS, PEAKS, RegressSettings
from vibench.regress.process import ProcessFailed, VersionProcess
from vibench.regress.ratio import ratio_unpaired, verdict_of
from vibench.regress.version import MethodVersion
from vibench.results.statistics import mann_whitney_p

BURSTS = 30


class Samples(BaseModel):
    """The raw numbers of one method: seconds of every burst, bytes of every fill, dB of every frame."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    clock: Clock
    seconds_per_frame: list[float]
    first_frame_seconds: list[float]
    peak_bytes: list[int]
    quality_db: list[float]


class Baseline(BaseModel):
    """What a file of ``reports/baselines/`` holds; ``machine`` is a fingerprint of it with threads and device."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    machine: str
    probe: str
    code: str
    methods: dict[str, Samples] = {}

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read one from a file; InputError where there is no such file or it is something else."""
        if not path.exists():
            raise InputError(f"there is no baseline file {str(path)!r}; make it with --save")
        return read_json(path, cls, "baseline")

    def write(self, path: Path) -> None:
        """Write it to a file that a person can diff."""
        write_atomically(path, (self.model_dump_json(indent=1) + "\n").encode())

    def mismatch(self, machine: str, probe: str, label: str) -> str | None:
        """Say why this baseline cannot be compared with the method ``label`` measured here; None where it can."""
        if machine != self.machine:
            return f"the baseline is of another machine or setting ({self.machine}), this is {machine}"
        if probe != self.probe:
            return (
                f"the baseline's probe has the digest {self.probe}, this one {probe}: use the same --size and --frames"
            )
        return None if label in self.methods else f"the baseline has no {label!r}"


def machine_now(threads: int, device: str) -> str:
    """The fingerprint of this machine; ``threads`` are those of the measured process, not of this one."""
    return f"{fingerprint({**machine_facts(), 'torch_threads': threads})}-{threads}-{device}"


def measure(version: MethodVersion, probe: Probe, settings: RegressSettings) -> Samples:
    """Measure one version alone: ``PEAKS`` fills for memory, and up to ``BURSTS`` bursts for time.

    InputError where the version cannot be measured.
    """
    end = monotonic() + settings.budget_seconds
    clips = [case.holed() for case in probe.cases]
    try:
        with VersionProcess(version.code, version.spec, settings.device, settings.threads, clips) as process:
            process.start(end)
            quality = hole_psnr(process.filled(end), probe.cases)
            process.peak(end)
            peaks = [process.peak(end)[0] for _ in range(PEAKS)]
            return _timed(process, end, settings, len(probe.cases[0].frames), quality, peaks)
    except ProcessFailed as failed:
        error = InputError(f"{version.spec.label} could not be measured: {failed}")
        error.traceback = failed.traceback
        raise error from failed


def _timed(
    process: VersionProcess, end: float, settings: RegressSettings, frames: int, quality: list[float], peaks: list[int]
) -> Samples:
    settling = process.timed(end, BURST_SECONDS)[0]
    clock = settings.clock or own_clock([reading_of(call) for call in settling], settings.threads, settings.device)
    bursts: list[Burst] = []
    slowest = 0.0
    while len(bursts) < BURSTS and (not bursts or monotonic() + 2 * slowest < end):
        before = monotonic()
        bursts.append(Burst.of(process.timed(end, BURST_SECONDS)[0], frames))
        slowest = max(slowest, monotonic() - before)
    return Samples(
        clock=clock,
        seconds_per_frame=[burst.frame[clock] for burst in bursts],
        first_frame_seconds=[burst.first[clock] for burst in bursts],
        peak_bytes=peaks,
        quality_db=quality,
    )


def compare_with(stored: Samples, now: Samples, label: str, code: str, settings: RegressSettings) -> Regression:
    """What is found when ``now`` is compared with ``stored``, which was measured from the version ``code``.

    Two sessions differ by more than the bursts of one do: see `docs/ci.md`.
    """
    if stored.clock != now.clock:
        note = f"the baseline was timed by {stored.clock} time, this run by {now.clock} time"
        times = [Measured(measure, "incomparable", note=note) for measure in TIME]
    else:
        pairs = (
            (stored.seconds_per_frame, now.seconds_per_frame),
            (stored.first_frame_seconds, now.first_frame_seconds),
        )
        times = [
            _time_finding(measure, *pair, settings.threshold, now.clock)
            for measure, pair in zip(TIME, pairs, strict=True)
        ]
    findings = (
        quality_finding(stored.quality_db, now.quality_db, settings.quality_threshold_db),
        memory_finding("peak memory", stored.peak_bytes, now.peak_bytes, settings.threshold),
        *times,
    )
    return Regression(label, f"baseline of {code}", findings, blocks=len(now.seconds_per_frame), clock=now.clock)


def _time_finding(
    measure: Measure, old: Sequence[float], new: Sequence[float], threshold: float, clock: Clock
) -> Measured:
    p = mann_whitney_p(old, new)
    if p is None:
        return Measured(measure, "unclear", note="too few bursts fitted into the budget")
    ratio = ratio_unpaired(old, new)
    note = f"{len(old)} and {len(new)} bursts, p = {p:.2g}, by {clock} time, in two sessions"
    return Measured(
        measure, verdict_of(ratio, p, threshold), ratio, old=median(old), new=median(new), unit="s", note=note
    )
