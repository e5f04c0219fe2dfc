"""Means over clips with their intervals, paired differences and tests: the arithmetic under every table.

**Why clips, and not cases.** Cases of one clip (two holes, five seeded repeats) are alike, because the clip itself
makes them easy or hard. Taken as independent, 20 clips of 5 cases each gave "95 %" intervals that held the true mean in
some 60 of 100 draws. So the cases of a clip are first brought together to one value, their mean, and what is resampled
and tested are these values: the clip is the unit.

**Which bootstrap, and why.** Clips are few (DAVIS has 20) and their scores are skewed. In a simulation of 2,000 draws
of n = 20, the plain percentile interval held the true mean in 93.0 % (normal), 91.8 % (gamma, shape 4) and 89.4 %
(exponential) of draws, and BCa in 92.7, 92.5 and 90.9 %. Both are too narrow, because they ignore that the spread
itself is estimated. The studentised bootstrap ("bootstrap-t", Efron and Tibshirani 1993, chapter 12.5; second-order
correct as BCa is) held it in 95.0, 94.8 and 93.8 %, so that is what is used.
``tests/results/test_statistics.py`` repeats the simulation, also with several cases a clip: of 20 clips with 5 cases
each, 94.0 to 95.1 %; of 4 clips with 2, by Student's t, 94.2 to 94.9 %, but 91.4 % where effects are exponential.
Of more than a thousand clips the mean and its standard error alone do as well (the normal interval; the same test).

**What it takes to say "better".** The interval must exclude zero and Wilcoxon's signed-rank test must have p below
``SIGNIFICANT``, both over clips. That test cannot come below 0.0625 with five clips, and so it takes six.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 4_999
SEED = 20_190_505
SIGNIFICANT = 0.05
"""A difference of two methods is called one only where p, of Wilcoxon's test over clips, is below this."""
FEWEST = 4
"""Below this many clips there is no interval: Student's has factors of 12.7 and 4.3 at two and three."""
TOO_FEW = 6
"""Below this many clips an interval is Student's, and flagged: so few values have too few distinct resamples."""

MANY = 1_000
"""Above so many clips an interval is the normal one: the bootstrap's is no other then, and takes 40 KB a clip."""

Values = NDArray[np.float64]
Verdict = Literal["better", "worse", "same", "unclear", "incomparable"]
"""What may be said about one measure of two methods, or of two versions of a method."""


@dataclass(frozen=True)
class Spread:
    """How a number of whole sets of clips varies, where a protocol's ``repeats`` seeded repeats are a set each.

    ``deviation`` is the standard deviation of the repeats' numbers, with the sum of squares divided by ``repeats`` - 1.
    It tells what the seeds do, and nothing about other clips, because all repeats are of the same ones. What other
    clips would do is told by ``error``: the standard error over clips. It is None where there are too few clips.
    """

    deviation: float
    repeats: int
    error: float | None = None


@dataclass(frozen=True)
class Estimate:
    """A number from ``count`` clips with its 95 % interval; ``low`` and ``high`` are None where it has no interval.

    It has none where there are fewer than ``FEWEST`` clips, and where it is not a mean over clips but belongs to a
    whole set of clips (``of_set``); ``spread`` says how much such a number varies. ``cases`` is how many cases the
    clips have together: more than ``count`` where the protocol makes several cases of a clip.
    """

    mean: float
    low: float | None
    high: float | None
    count: int
    spread: Spread | None = None
    cases: int = 0
    of_set: bool = False

    @property
    def too_few(self) -> bool:
        """Whether so few clips stand behind it that the interval is a rough guess, or that there is none."""
        return self.count < TOO_FEW

    @property
    def interval_kind(self) -> str:
        """How the interval was made: ``bootstrap``, ``normal``, or ``student``, which is rough; else why there is none.

        That is ``one clip`` or ``3 clips``, say, where these are too few, and ``none`` where no number of clips would
        give one.
        """
        if self.low is not None:
            is_normal = self.count > MANY and not self.of_set
            return "student" if self.too_few else "normal" if is_normal else "bootstrap"
        return clips_text(self.count) if self.count < FEWEST and not self.of_set else "none"

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval exists and zero is outside it."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Difference:
    """What ``second - first`` is, clip by clip: its mean and interval, and two-sided p of Wilcoxon's signed-rank test.

    ``values`` has the difference of each clip, which is the mean over its cases. ``p`` is of these values too, and None
    where the test has nothing to say (fewer than two clips, or all differences zero).
    """

    estimate: Estimate
    p: float | None
    values: tuple[float, ...]

    @property
    def identical(self) -> bool:
        """Whether every clip scores exactly the same."""
        return not any(self.values)

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes zero and p is below ``SIGNIFICANT``."""
        return self.estimate.excludes_zero and self.p is not None and self.p < SIGNIFICANT


def estimate(
    values: Sequence[float] | Values,
    weights: Sequence[float] | Values | None = None,
    clips: Sequence[Hashable] | None = None,
) -> Estimate:
    """The mean of ``values`` (n,), one a case, with a 95 % interval; ValueError unless all are finite and n > 0.

    ``clips`` (n,) names the clip of each case; without it every case is a clip of its own. The mean is over cases, as
    papers take it, so that a clip with more cases than another weighs more; where all have equally many, it is the mean
    over clips too. ``weights`` (n,), all above 0, make it the weighted mean: with the numbers of frames of the cases,
    all frames of all cases count alike. Clips are resampled in either case, each with the weight of its cases, so that
    the interval is that of a ratio of sums.
    """
    case_values = np.asarray(values, dtype=np.float64)
    case_weights = np.ones_like(case_values) if weights is None else np.asarray(weights, dtype=np.float64)
    if (
        case_values.ndim != 1
        or not len(case_values)
        or case_values.shape != case_weights.shape
        or not np.isfinite(case_values).all()
    ):
        raise ValueError(f"need one finite value or more and as many weights, not {case_values!r} and {case_weights!r}")
    mean = float(np.average(case_values, weights=case_weights))
    sample, weight = by_clip(case_values, case_weights, clips)
    low, high = _bounds(sample, weight, mean)
    return Estimate(mean, low, high, len(sample), cases=len(case_values))


def by_clip(values: Values, weights: Values, clips: Sequence[Hashable] | None) -> tuple[Values, Values]:
    """The weighted mean over the cases of each clip, and the sum of their weights: (clips,) each.

    ``clips`` (n,) names the clip of each value; clips come in the order in which they are first named. Without it the
    values are returned as they are.
    """
    if clips is None:
        return values, weights
    if len(clips) != len(values):
        raise ValueError(f"{len(values)} values, but the clips of {len(clips)}")
    order = {clip: place for place, clip in enumerate(dict.fromkeys(clips))}
    places = np.array([order[clip] for clip in clips])
    # Sums of distances from the clip's first case: a clip with one case, or with equal ones, keeps its value exactly.
    first = values[np.unique(places, return_index=True)[1]]
    totals: Values = np.bincount(places, weights).astype(np.float64)
    means: Values = first + np.bincount(places, weights * (values - first[places])) / totals
    return means, totals


def paired_difference(
    first: Sequence[float] | Values,
    second: Sequence[float] | Values,
    weights: Sequence[float] | Values | None = None,
    clips: Sequence[Hashable] | None = None,
) -> Difference:
    """The differences ``second - first`` (n,) of the same cases in the same order, with interval and test over clips.

    ``weights`` and ``clips`` are those of ``estimate``.
    """
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    found = estimate(differences, weights, clips)
    weight = np.ones_like(differences) if weights is None else np.asarray(weights, dtype=np.float64)
    values, _ = by_clip(differences, weight, clips)
    return Difference(found, wilcoxon_p(values), tuple(float(value) for value in values))


def holm_corrected(ps: Sequence[float]) -> list[float]:
    """The p of several tests after Holm's correction, in the order given.

    Where nothing differs, the chance that any of them is below 0.05 is at most 0.05. The smallest p is multiplied by
    the number m of tests, the next by m - 1 and so on; no result is above 1 or below that of a smaller p (Holm, A
    Simple Sequentially Rejective Multiple Test Procedure, 1979).
    """
    adjusted = [0.0] * len(ps)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        largest = max(largest, min(1.0, (len(ps) - place) * ps[index]))
        adjusted[index] = largest
    return adjusted


def clips_text(count: int) -> str:
    """``one clip`` or ``3 clips``: what stands where there would be an interval of more clips."""
    return "one clip" if count == 1 else f"{count} clips"


def wilcoxon_p(differences: Sequence[float] | Values) -> float | None:
    """Two-sided p of Wilcoxon's signed-rank test, by scipy; zeros are dropped, as Wilcoxon did.

    None where there are fewer than two differences or all are zero.
    """
    from scipy.stats import wilcoxon

    sample = np.asarray(differences, dtype=np.float64)
    if len(sample) < 2 or not sample.any():
        return None
    return float(wilcoxon(sample, zero_method="wilcox").pvalue)


def mann_whitney_p(first: Sequence[float] | Values, second: Sequence[float] | Values) -> float | None:
    """Two-sided p of the Mann-Whitney test of unpaired samples, by scipy; None unless both have two values or more."""
    from scipy.stats import mannwhitneyu

    if len(first) < 2 or len(second) < 2:
        return None
    return float(mannwhitneyu(first, second, alternative="two-sided").pvalue)


def _bounds(sample: Values, weights: Values, mean: float) -> tuple[float | None, float | None]:
    """The 95 % interval of the weighted mean ``mean`` of ``sample`` (clips,); None where there are too few clips."""
    if len(sample) < FEWEST:
        return None, None
    spread = float(np.abs(sample - mean).max())
    # A spread far below the rounding of the values is none: every clip has the same value.
    if spread <= 1e-12 * float(np.abs(sample).max()):
        return mean, mean
    low, high = _interval((sample - mean) / spread, weights)
    return mean + spread * low, mean + spread * high


def _interval(centred: Values, weights: Values) -> tuple[float, float]:
    """The 95 % interval of the weighted mean of ``centred`` (n,), whose weighted mean is 0 and largest magnitude 1."""
    error = _standard_error(centred, weights)
    if len(centred) < TOO_FEW or len(centred) > MANY:
        return _student(error, len(centred))
    means, errors = _resampled(centred, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        studentised = np.nan_to_num(means / errors, nan=0.0, posinf=np.inf, neginf=-np.inf)
    # Order statistics, not interpolated: a resample without spread is infinite.
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(studentised, [tail, 1 - tail], method="inverted_cdf")
    # Where one clip decides everything the studentised interval is boundless: the clips' own range is its limit.
    return max(float(-high * error), float(centred.min())), min(float(-low * error), float(centred.max()))


def _student(error: float, count: int) -> tuple[float, float]:
    # Not scipy.stats: importing it takes a second that every table would wait for. Of many clips it is the normal one.
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error
    return -half, half


def _standard_error(centred: Values, weights: Values) -> float:
    """The standard error of a ratio of sums, linearised; for equal weights it is the usual s / sqrt(n)."""
    count = len(centred)
    return float(np.sqrt(np.sum((weights * centred) ** 2) * count / (count - 1)) / np.sum(weights))


def _resampled(centred: Values, weights: Values) -> tuple[Values, Values]:
    """The weighted mean and its standard error in every resample of the clips, (RESAMPLES,) each."""
    squares = weights**2
    columns = np.stack([weights, weights * centred, squares, squares * centred, squares * centred**2], axis=1)
    total, sums, *quadratic = (_resample_counts(len(centred)) @ columns).T
    means = sums / total
    residual = quadratic[2] - 2 * means * quadratic[1] + means**2 * quadratic[0]
    factor = len(centred) / (len(centred) - 1)
    return means, np.sqrt(np.maximum(residual, 0) * factor) / total


@lru_cache(maxsize=8)
def _resample_counts(count: int) -> Values:
    """How often each of ``count`` clips is in each resample, (RESAMPLES, count), drawn with a fixed seed."""
    generator = np.random.default_rng(SEED)
    return generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
