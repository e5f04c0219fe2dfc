"""Judges quality and memory, of which a few values are enough, and versions that could not be measured at all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal

from vibench.clip import Case, Frames
from vibench.metrics.psnr import psnr
from vibench.regress.finding import MEMORY, TIME, Finding, Measure
from vibench.regress.process import SideFailed
from vibench.regress.ratio import ALPHA, Outcome, Ratio, outcome_of, ratio_of_few
from vibench.results.statistics import paired_difference

SMALLEST_PEAK_BYTES = 4 << 20
"""Peaks count as at least this: below it the allocator's own habits are larger than the method's needs."""

SMALLEST_DIFFERENCE_BYTES = 2 << 20
"""Less than this is the same: two processes of equal code differ by half a MiB, every time, as their heaps happen to lie."""


class VersionFailed(SideFailed):
    """One version cannot be used at all; ``which`` says whose fault it is."""

    def __init__(self, which: Literal["old", "new"], reason: str, timed_out: bool = False) -> None:
        super().__init__(reason, timed_out)
        self.which = which


def hole_psnr(filled: Sequence[Frames], cases: Sequence[Case]) -> list[float]:
    """PSNR over the hole in dB, of every frame of every case; SideFailed where the shape is not the case's."""
    values = []
    for frames, case in zip(filled, cases, strict=True):
        if frames.shape != case.frames.shape:
            raise SideFailed(f"it returned frames of shape {frames.shape} for {case.frames.shape}")
        values += [psnr(frame, true, hole) for frame, true, hole in zip(frames, case.frames, case.holes, strict=True)]
    return [value for value in values if value is not None]


def judge_quality(old: Sequence[float], new: Sequence[float], threshold_db: float) -> Finding:
    """Quality of the same frames filled by two versions, as the ratio of their root mean square errors.

    Worse needs a mean loss over ``threshold_db`` whose 95 % interval excludes 0, and p < 0.01 in Wilcoxon's signed-rank test
    over frames: quality has no noise of its own, so that the question is only whether the loss is more than one frame's.
    """
    difference = paired_difference(old, new)
    estimate = difference.estimate
    low, high = (estimate.mean if bound is None else bound for bound in (estimate.low, estimate.high))
    ratio = Ratio(*(10 ** (-decibel / 20) for decibel in (estimate.mean, high, low)))
    certain = difference.p is not None and difference.p < ALPHA and estimate.excludes_zero
    outcome: Outcome = "same"
    if abs(estimate.mean) > threshold_db:
        outcome = ("worse" if estimate.mean < 0 else "better") if certain else "unclear"
    note = "identical" if difference.identical else f"{estimate.mean:+.3f} dB in the hole over {len(old)} frames"
    return Finding(
        "quality", outcome, ratio, old=sum(old) / len(old), new=sum(new) / len(new), unit="dB", note=note
    )  # fmt: skip


def judge_memory(measure: Measure, old: Sequence[int], new: Sequence[int], threshold: float) -> Finding:
    """Peak memory of some fills of two versions; small peaks count as ``SMALLEST_PEAK_BYTES``."""
    if not old or not new:
        return Finding(measure, "unclear", note="the budget left no time for memory")
    ratio = ratio_of_few(*([max(value, SMALLEST_PEAK_BYTES) for value in side] for side in (old, new)))
    # The interval itself is the Mann-Whitney test here: it is bounded only where 0.01 can be reached.
    outcome = outcome_of(ratio, 0.0, threshold)
    note = f"{len(old)} and {len(new)} fills"
    if abs(median(new) - median(old)) < SMALLEST_DIFFERENCE_BYTES and outcome in ("worse", "better"):
        outcome, note = "same", f"{note}; less than {SMALLEST_DIFFERENCE_BYTES >> 20} MiB apart"
    return Finding(measure, outcome, ratio, old=median(old), new=median(new), unit="bytes", note=note)


def findings_without_measuring(so_far: Sequence[Finding], failed: SideFailed) -> list[Finding]:
    """The findings that are still missing after a failure: a new version that broke is worse, all else has no verdict."""
    done = {finding.measure for finding in so_far}
    rest: list[Finding] = []
    for measure in ("quality", MEMORY[0], *TIME):
        if measure in done:
            continue
        outcome: Outcome = "unclear" if failed.timed_out else "incomparable"
        if (
            measure == "quality"
            and isinstance(failed, VersionFailed)
            and failed.which == "new"
            and not failed.timed_out
        ):
            outcome = "worse"
        rest.append(Finding(measure, outcome, note=str(failed)))
    return rest
