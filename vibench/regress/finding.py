"""What is found about one method: a verdict for quality, memory and each measure of time, and their exit status.

Quality and memory are judged here, because a few values of them are enough. Time needs many measurements, which
``vibench.regress.blocks`` collects and judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from vibench.clip import Case, Frames
from vibench.machine.stopwatch import Clock
from vibench.metrics.psnr import psnr
from vibench.regress.process import ProcessFailed
from vibench.regress.ratio import ALPHA, Ratio, ratio_of_few, verdict_of
from vibench.results.statistics import Verdict, paired_difference

Measure = Literal["seconds per frame", "first-frame latency", "peak memory", "peak device memory", "quality"]

TIME: tuple[Measure, ...] = ("seconds per frame", "first-frame latency")
MEMORY: tuple[Measure, ...] = ("peak memory", "peak device memory")

NOTHING_WORSE, SOMETHING_WORSE, UNDECIDED = 0, 1, 3
"""Exit statuses. Status 2 belongs to what the user can fix, as in every command."""

SMALLEST_PEAK_BYTES = 4 << 20
"""Peaks count as at least this: below it the allocator's own habits are larger than the method's needs."""

SMALLEST_DIFFERENCE_BYTES = 2 << 20
"""Peaks closer than this are the same: processes of equal code differ by half a MiB, as their heaps happen to lie."""


@dataclass(frozen=True)
class Measured:
    """One measure of one method in both versions.

    ``ratio`` is new / old, and above 1 is worse; for quality it is the ratio of the errors. ``old`` and ``new`` are
    medians in ``unit``, or None where they were not measured. ``note`` says what stands behind the verdict
    ``outcome``, or why there is none.
    """

    measure: Measure
    outcome: Verdict
    ratio: Ratio | None = None
    old: float | None = None
    new: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def word(self) -> str:
        """The verdict as a person says it: slower, hungrier, faster or leaner; else the verdict itself."""
        if self.outcome not in ("worse", "better"):
            return self.outcome
        family = {**dict.fromkeys(TIME, ("slower", "faster")), **dict.fromkeys(MEMORY, ("hungrier", "leaner"))}
        worse, better = family.get(self.measure, ("worse", "better"))
        return worse if self.outcome == "worse" else better


@dataclass(frozen=True)
class Regression:
    """Everything that was found about one method, and how much measuring stands behind it.

    ``blocks`` were measured in ``seconds`` of the budget, by ``pairs`` of fresh processes; ``disturbed`` of these
    blocks were repeated, or are said to be noisy. ``traceback`` is that of a version which could not be measured.
    ``clock`` is the one by which time was measured, empty where it was not.
    """

    method: str
    other: str
    findings: tuple[Measured, ...]
    seconds: float = 0.0
    blocks: int = 0
    disturbed: int = 0
    pairs: int = 1
    load_average: float | None = None
    traceback: str = ""
    clock: Clock | Literal[""] = ""


def exit_status(regressions: Iterable[Regression]) -> int:
    """Return the exit status of the command: 1 where any measure is worse, else 3 where one is unclear, else 0.

    An incomparable measure counts as an unclear one.
    """
    verdicts = {measured.outcome for regression in regressions for measured in regression.findings}
    if "worse" in verdicts:
        return SOMETHING_WORSE
    return UNDECIDED if verdicts & {"unclear", "incomparable"} else NOTHING_WORSE


def hole_psnr(filled: Sequence[Frames], cases: Sequence[Case]) -> list[float]:
    """Return PSNR over the hole, in dB, of every frame of every case that has a hole."""
    values = []
    for frames, case in zip(filled, cases, strict=True):
        values += [psnr(frame, true, hole) for frame, true, hole in zip(frames, case.frames, case.holes, strict=True)]
    return [value for value in values if value is not None]


def quality_finding(old: Sequence[float], new: Sequence[float], threshold_db: float) -> Measured:
    """Compare the quality, in dB, of the same frames filled by two versions; the ratio is that of their RMS errors.

    Worse needs a mean loss over ``threshold_db`` whose 95 % interval excludes 0, and p < 0.01 in Wilcoxon's
    signed-rank test over frames. Quality has no noise of its own, so that the only question is whether the loss is
    that of more than one frame.
    """
    difference = paired_difference(old, new)
    estimate = difference.estimate
    low, high = (estimate.mean if bound is None else bound for bound in (estimate.low, estimate.high))
    ratio = Ratio(*(10 ** (-decibel / 20) for decibel in (estimate.mean, high, low)))
    certain = difference.p is not None and difference.p < ALPHA and estimate.excludes_zero
    verdict: Verdict = "same"
    if abs(estimate.mean) > threshold_db:
        verdict = ("worse" if estimate.mean < 0 else "better") if certain else "unclear"
    note = "identical" if difference.identical else f"{estimate.mean:+.3f} dB in the hole over {len(old)} frames"
    return Measured("quality", verdict, ratio, sum(old) / len(old), sum(new) / len(new), "dB", note)


def memory_finding(measure: Measure, old: Sequence[int], new: Sequence[int], threshold: float) -> Measured:
    """Compare the peak memory, in bytes, of some fills by two versions; peaks count as ``SMALLEST_PEAK_BYTES`` or more.

    Medians closer than ``SMALLEST_DIFFERENCE_BYTES`` are never worse or better.
    """
    if not old or not new:
        return Measured(measure, "unclear", note="the budget left no time for memory")
    ratio = ratio_of_few(*([max(value, SMALLEST_PEAK_BYTES) for value in peaks] for peaks in (old, new)))
    # The interval itself is the Mann-Whitney test here: it is bounded only where 0.01 can be reached.
    verdict = verdict_of(ratio, 0.0, threshold)
    note = f"{len(old)} and {len(new)} fills"
    if abs(median(new) - median(old)) < SMALLEST_DIFFERENCE_BYTES and verdict in ("worse", "better"):
        verdict, note = "same", f"{note}; less than {SMALLEST_DIFFERENCE_BYTES >> 20} MiB apart"
    return Measured(measure, verdict, ratio, median(old), median(new), "bytes", note)


def findings_after(so_far: Sequence[Measured], failed: ProcessFailed) -> list[Measured]:
    """Return all findings after a failure, with those that were made before it.

    The quality of a new version that broke is worse, whatever it was before that; everything that is missing is
    incomparable, or unclear after a time-out.
    """
    done = {measured.measure: measured for measured in so_far}
    if failed.which == "new" and not failed.timed_out:
        done["quality"] = Measured("quality", "worse", note=str(failed))
    verdict: Verdict = "unclear" if failed.timed_out else "incomparable"
    missing = [measure for measure in ("quality", MEMORY[0], *TIME) if measure not in done]
    return [*done.values(), *(Measured(measure, verdict, note=str(failed)) for measure in missing)]
