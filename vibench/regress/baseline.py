"""Numbers of one version, kept in a file: the second way to compare, only for equal machines, probes and settings."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import monotonic

from pydantic import BaseModel, ConfigDict, ValidationError

from vibench.data.probe import Probe
from vibench.errors import InputError
from vibench.files import replacing
from vibench.machine.facts import fingerprint, machine_facts
from vibench.machine.stopwatch import Clock, own_clock
from vibench.regress.blocks import Burst, reading_of
from vibench.regress.duel import BURST_SECONDS, PEAKS, Entrant, Terms, save_clips
from vibench.regress.finding import TIME, Comparison, Finding, Measure
from vibench.regress.judgement import hole_psnr, judge_memory, judge_quality
from vibench.regress.process import Side, SideFailed
from vibench.regress.ratio import outcome_of, ratio_unpaired
from vibench.results.statistics import mann_whitney_p

BURSTS = 30


class Samples(BaseModel):
    """Raw numbers of one method: seconds of every burst, bytes of every fill, dB of every frame."""

    model_config = ConfigDict(extra="forbid")

    clock: Clock
    seconds_per_frame: list[float]
    first_frame_seconds: list[float]
    peak_bytes: list[int]
    quality_db: list[float]


class Baseline(BaseModel):
    """What a file of ``reports/baselines/`` holds; ``machine`` is the fingerprint with threads and device."""

    model_config = ConfigDict(extra="forbid")

    machine: str
    probe: str
    code: str
    methods: dict[str, Samples] = {}

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """From a file; InputError where there is none or it is something else."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read baseline {str(path)!r}: {error.strerror}; make it with --save") from error
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{str(path)!r} is no baseline: {first['loc']} {first['msg']}") from error

    def write(self, path: Path) -> None:
        """To a file that a person can diff."""
        with replacing(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def mismatch(self, machine: str, probe: str, label: str) -> str | None:
        """Why this baseline says nothing about a method measured here and now; None where it does."""
        if machine != self.machine:
            return f"the baseline is of another machine or setting ({self.machine}), this is {machine}"
        if probe != self.probe:
            return (
                f"the baseline's probe has the digest {self.probe}, this one {probe}: use the same --size and --frames"
            )
        return None if label in self.methods else f"the baseline has no {label!r}"


def machine_now(threads: int, device: str) -> str:
    """Fingerprint of this machine as it would be measured; threads are those of the measured process, not of this one."""
    return f"{fingerprint({**machine_facts(), 'torch_threads': threads})}-{threads}-{device}"


def measure(entrant: Entrant, probe: Probe, terms: Terms) -> Samples:
    """Measure one version alone: ``PEAKS`` fills for memory, up to ``BURSTS`` bursts; SideFailed becomes InputError."""
    end = monotonic() + terms.budget_seconds
    with tempfile.TemporaryDirectory(prefix="vibench-regress-") as folder:
        try:
            clips = save_clips(probe, Path(folder))
            with Side(entrant.version, entrant.spec, terms.device, terms.threads, clips) as side:
                side.start(end)
                quality = hole_psnr(side.filled(end, Path(folder) / "filled.npz"), probe.cases)
                side.ask(end, "peak")
                peaks = [int(side.ask(end, "peak")["host_bytes"]) for _ in range(PEAKS)]
                return _timed(side, end, terms, len(probe.cases[0].frames), quality, peaks)
        except SideFailed as failed:
            raise InputError(f"{entrant.spec.label} could not be measured: {failed}") from failed


def _timed(side: Side, end: float, terms: Terms, frames: int, quality: list[float], peaks: list[int]) -> Samples:
    settling = side.ask(end, "time", seconds=BURST_SECONDS)["calls"]
    clock = terms.clock or own_clock([reading_of(call) for call in settling], terms.threads, terms.device)
    bursts: list[Burst] = []
    slowest = 0.0
    while len(bursts) < BURSTS and (not bursts or monotonic() + 2 * slowest < end):
        before = monotonic()
        bursts.append(Burst.of(side.ask(end, "time", seconds=BURST_SECONDS)["calls"], frames))
        slowest = max(slowest, monotonic() - before)
    return Samples(
        clock=clock,
        seconds_per_frame=[burst.frame[clock] for burst in bursts],
        first_frame_seconds=[burst.first[clock] for burst in bursts],
        peak_bytes=peaks,
        quality_db=quality,
    )


def compare_with(stored: Samples, now: Samples, label: str, code: str, terms: Terms) -> Comparison:
    """Findings of ``now`` against ``stored``. Other sessions differ by more than their bursts do: see `docs/ci.md`."""
    if stored.clock != now.clock:
        note = f"the baseline was timed by {stored.clock} time, this run by {now.clock} time"
        times = [Finding(measure, "incomparable", note=note) for measure in TIME]
    else:
        pairs = (
            (stored.seconds_per_frame, now.seconds_per_frame),
            (stored.first_frame_seconds, now.first_frame_seconds),
        )
        times = [_judged(measure, *pair, terms.threshold, now.clock) for measure, pair in zip(TIME, pairs, strict=True)]
    findings = (
        judge_quality(stored.quality_db, now.quality_db, terms.quality_threshold_db),
        judge_memory("peak memory", stored.peak_bytes, now.peak_bytes, terms.threshold),
        *times,
    )
    return Comparison(label, f"baseline of {code}", findings, blocks=len(now.seconds_per_frame))


def _judged(measure: Measure, old: Sequence[float], new: Sequence[float], threshold: float, clock: Clock) -> Finding:
    p = mann_whitney_p(old, new)
    if p is None:
        return Finding(measure, "unclear", note="too few bursts fitted into the budget")
    ratio = ratio_unpaired(old, new)
    note = f"{len(old)} and {len(new)} bursts, p = {p:.2g}, by {clock} time, in two sessions"
    return Finding(
        measure, outcome_of(ratio, p, threshold), ratio, old=median(old), new=median(new), unit="s", note=note
    )
