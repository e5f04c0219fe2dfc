"""Means over clips with their intervals, paired differences and tests: the arithmetic under every table.

**Which bootstrap, and why.** Clips are few (DAVIS has 20) and their scores are skewed. In a simulation of 2,000 draws
of n = 20, the plain percentile interval held the true mean in 93.0 % (normal), 91.8 % (gamma, shape 4) and 89.4 %
(exponential) of draws, and BCa in 92.7, 92.5 and 90.9 %. Both are too narrow, because they ignore that the spread
itself is estimated. The studentised bootstrap ("bootstrap-t", Efron and Tibshirani 1993, chapter 12.5; second-order
correct as BCa is) held it in 95.0, 94.8 and 93.8 %, so that is what is used.
``tests/results/test_statistics.py`` repeats the simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 4_999
SEED = 20_190_505
TOO_FEW = 6
"""Below this many clips an interval is Student's, and flagged: so few values have too few distinct resamples."""

Values = NDArray[np.float64]
Verdict = Literal["better", "worse", "same", "unclear", "incomparable"]
"""What may be said about one measure of two methods, or of two versions of a method."""


@dataclass(frozen=True)
class Spread:
    """How far the numbers of a protocol's ``repeats`` seeded repeats lie from their mean: their standard deviation.

    It is that of a sample: the sum of squares is divided by ``repeats`` - 1.
    """

    deviation: float
    repeats: int


@dataclass(frozen=True)
class Estimate:
    """A number from ``count`` clips with its 95 % interval; ``low`` and ``high`` are None where it has no interval.

    It has none where there is only one clip, and where it is not a mean over clips but belongs to a whole set of clips.
    Where there are several such sets, because the protocol is repeated with other seeds, ``mean`` is the mean over the
    sets and ``spread`` says how far they differ.
    """

    mean: float
    low: float | None
    high: float | None
    count: int
    spread: Spread | None = None

    @property
    def too_few(self) -> bool:
        """Whether so few clips stand behind it that the interval is a rough guess."""
        return self.count < TOO_FEW

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval exists and zero is outside it."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Difference:
    """What ``second - first`` is, clip by clip: its mean and interval, and two-sided p of Wilcoxon's signed-rank test.

    ``p`` is None where the test has nothing to say (fewer than two clips, or all differences zero).
    """

    estimate: Estimate
    p: float | None
    values: tuple[float, ...]

    @property
    def identical(self) -> bool:
        """Whether every clip scores exactly the same."""
        return not any(self.values)


def estimate(values: Sequence[float] | Values, weights: Sequence[float] | Values | None = None) -> Estimate:
    """The mean of ``values`` (n,), one for each clip, with a 95 % interval; ValueError unless all are finite and n > 0.

    ``weights`` (n,), all above 0, make it the weighted mean: with the numbers of frames of the clips, all frames of all
    clips count alike. Clips are resampled in either case, so that the interval is that of a ratio of sums.
    """
    sample = np.asarray(values, dtype=np.float64)
    weight = np.ones_like(sample) if weights is None else np.asarray(weights, dtype=np.float64)
    if sample.ndim != 1 or not len(sample) or sample.shape != weight.shape or not np.isfinite(sample).all():
        raise ValueError(f"need one finite value or more and as many weights, not {sample!r} and {weight!r}")
    mean = float(np.average(sample, weights=weight))
    if len(sample) == 1:
        return Estimate(mean, None, None, 1)
    spread = float(np.abs(sample - mean).max())
    # A spread far below the rounding of the values is none: every clip has the same value.
    if spread <= 1e-12 * float(np.abs(sample).max()):
        return Estimate(mean, mean, mean, len(sample))
    low, high = _interval((sample - mean) / spread, weight)
    return Estimate(mean, mean + spread * low, mean + spread * high, len(sample))


def paired_difference(
    first: Sequence[float] | Values, second: Sequence[float] | Values, weights: Sequence[float] | Values | None = None
) -> Difference:
    """The differences ``second - first`` (n,) of the same clips in the same order, with interval and test."""
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    return Difference(
        estimate(differences, weights), wilcoxon_p(differences), tuple(float(value) for value in differences)
    )


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


def _interval(centred: Values, weights: Values) -> tuple[float, float]:
    """The 95 % interval of the weighted mean of ``centred`` (n,), whose weighted mean is 0 and largest magnitude 1."""
    error = _standard_error(centred, weights)
    if len(centred) < TOO_FEW:
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
    # Not scipy.stats: importing it takes a second that every table would wait for.
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error
    return -half, half


def _standard_error(centred: Values, weights: Values) -> float:
    """The standard error of a ratio of sums, linearised; for equal weights it is the usual s / sqrt(n)."""
    count = len(centred)
    return float(np.sqrt(np.sum((weights * centred) ** 2) * count / (count - 1)) / np.sum(weights))


def _resampled(centred: Values, weights: Values) -> tuple[Values, Values]:
    """The weighted mean and its standard error in every resample of the clips, (RESAMPLES,) each."""
    counts = _resample_counts(len(centred))
    squares = weights**2
    total = counts @ weights
    means = counts @ (weights * centred) / total
    residual = (
        counts @ (squares * centred**2) - 2 * means * (counts @ (squares * centred)) + means**2 * (counts @ squares)
    )
    factor = len(centred) / (len(centred) - 1)
    return means, np.sqrt(np.maximum(residual, 0) * factor) / total


@lru_cache(maxsize=8)
def _resample_counts(count: int) -> Values:
    """How often each of ``count`` clips is in each resample, (RESAMPLES, count), drawn with a fixed seed."""
    generator = np.random.default_rng(SEED)
    return generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
