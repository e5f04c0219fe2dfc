"""The ratio of two versions' times, and the verdict that follows from it, however often the data are looked at.

**One block** is four short bursts in the order old-new-new-old or new-old-old-new, drawn at random, so that a machine
which gets steadily slower or faster harms both versions alike. Both stay on one core meanwhile, which is also drawn,
and every block has fresh processes. The value of a block is the log of the ratio new/old.

**The interval** of the ratio is Hodges and Lehmann's, from Wilcoxon's signed-rank statistic over blocks. With the order
drawn at random, two equal versions swap roles at random, so the sign of a block is a fair coin *whatever* the machine
did meanwhile, as long as it did it to both. The interval therefore holds without assuming that the noise is normal,
steady or independent.

**Looking many times** (to stop early) would break that: an error of 1 in 100 at each of ten looks is up to 1 in 10.
Looks are therefore few (after 9, 14, 21, 32, ... blocks), and look k spends only ``ALPHA / (k (k + 1))`` of the error.
These sum to ``ALPHA`` over any number of looks, so that with probability 99 % *no* interval that is ever looked at
misses the true ratio (Bonferroni; Lan and DeMets 1983 call it alpha spending). ``tests/regress/test_ratio.py`` shows it
by simulation.

**Worse** needs the whole interval beyond the threshold and p < 0.01 in the stratified Mann-Whitney test (van Elteren
1960: bursts are ranked inside their block). **Same** needs the whole interval inside the threshold. Everything else is
unclear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, erfc, exp, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from vibench.results.statistics import Verdict

ALPHA = 0.01
"""Probability that an interval of one comparison misses the true ratio at any look; also the p that "worse" needs."""
FIRST_LOOK = 9
"""Fewest blocks whose signed ranks can be significant at the first look's share of ``ALPHA``: 2 / 2**9 < 0.005."""
LOOK_GROWTH = 1.5
EXACT_UP_TO = 60
"""Blocks up to which the signed-rank distribution is counted out; beyond, its normal approximation is used."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """Times of one block: two bursts of the old and two of the new version, in any unit, all above 0."""

    old: tuple[float, float]
    new: tuple[float, float]

    @property
    def log_ratio(self) -> float:
        """The log of new / old, where each is the geometric mean of its two bursts."""
        return (log(self.new[0]) + log(self.new[1]) - log(self.old[0]) - log(self.old[1])) / 2


@dataclass(frozen=True)
class Ratio:
    """New / old with its interval, which reaches from 0 to infinity where there is too little data to bound it."""

    ratio: float
    low: float
    high: float

    def within(self, threshold: float) -> bool:
        """Whether the whole interval is less than ``threshold`` away from 1, either way."""
        return 1 / threshold < self.low and self.high < threshold


def looks() -> Iterator[int]:
    """The numbers of blocks after which the data may be looked at: 9, 14, 21, 32, 48, ..."""
    count = FIRST_LOOK
    while True:
        yield count
        count = int(np.ceil(count * LOOK_GROWTH))


def spent_at(look: int) -> float:
    """The error that look number ``look``, counted from 1, may spend; the sum over all looks is ``ALPHA``."""
    if look < 1:
        raise ValueError(f"looks count from 1, not {look}")
    return ALPHA / (look * (look + 1))


def ratio_of(blocks: Sequence[Block], look: int) -> Ratio:
    """The Hodges-Lehmann estimate of new / old, with the interval that look number ``look`` may state."""
    values = np.array([block.log_ratio for block in blocks])
    first, second = np.triu_indices(len(values))
    walsh = np.sort((values[first] + values[second]) / 2)
    cut = _critical(len(values), spent_at(look))
    low, high = (-inf, inf) if cut < 0 else (walsh[cut], walsh[len(walsh) - 1 - cut])
    return Ratio(exp(float(np.median(walsh))), exp(low), exp(high))


def mann_whitney_stratified(blocks: Sequence[Block]) -> float:
    """Two-sided p of van Elteren's test (1960, normal approximation) that both versions' bursts are drawn alike."""
    wins = sum(
        (new > old) + 0.5 * (new == old) for block in blocks for new in block.new for old in block.old
    )  # each block: 0 to 4, mean 2, variance 2 * 2 * (2 + 2 + 1) / 12
    return erfc(abs(wins - 2 * len(blocks)) / sqrt(len(blocks) * 5 / 3) / sqrt(2))


def verdict_of(interval: Ratio, p: float, threshold: float) -> Verdict:
    """The verdict, worse, better, same or unclear, on a quantity of which less is better."""
    if p < ALPHA and interval.low > threshold:
        return "worse"
    if p < ALPHA and interval.high < 1 / threshold:
        return "better"
    return "same" if interval.within(threshold) else "unclear"


def ratio_of_few(old: Sequence[float], new: Sequence[float]) -> Ratio:
    """New / old of two small unpaired samples, as the ratio of medians; the interval is the range of all ratios.

    That is the Mann-Whitney interval of highest confidence: 99.2 % for 5 values against 5. Of smaller samples the
    interval reaches from 0 to infinity. ValueError where a value is not above 0 or there is none.
    """
    if not old or not new or min(*old, *new) <= 0:
        raise ValueError(f"need positive values on both sides, not {old!r} and {new!r}")
    enough = 2 / comb(len(old) + len(new), len(old)) < ALPHA
    middle = float(np.median(new) / np.median(old))
    return Ratio(middle, min(new) / max(old), max(new) / min(old)) if enough else Ratio(middle, 0.0, inf)


def ratio_unpaired(old: Sequence[float], new: Sequence[float]) -> Ratio:
    """New / old of two unpaired samples.

    It is the Hodges-Lehmann shift of the logs with its Mann-Whitney interval (Moses 1953).
    """
    from scipy.special import ndtri

    logs = np.sort(np.subtract.outer(np.log(new), np.log(old)).ravel())
    spread = sqrt(len(old) * len(new) * (len(old) + len(new) + 1) / 12)
    cut = int(np.floor(len(logs) / 2 + float(ndtri(ALPHA / 2)) * spread - 0.5))
    low, high = (-inf, inf) if cut < 0 else (logs[cut], logs[len(logs) - 1 - cut])
    return Ratio(exp(float(np.median(logs))), exp(low), exp(high))


def _critical(count: int, alpha: float) -> int:
    """The largest c with P(signed-rank statistic <= c) <= alpha / 2; -1 where not even 0 is that rare."""
    if count > EXACT_UP_TO:
        from scipy.special import ndtri

        mean, variance = count * (count + 1) / 4, count * (count + 1) * (2 * count + 1) / 24
        return int(np.floor(mean + float(ndtri(alpha / 2)) * sqrt(variance) - 0.5))
    return int(np.searchsorted(_signed_rank_distribution(count), alpha / 2, side="right")) - 1


@lru_cache(maxsize=EXACT_UP_TO)
def _signed_rank_distribution(count: int) -> Values:
    """P(signed-rank statistic of ``count`` values <= c) for every c from 0 to count (count + 1) / 2."""
    ways = np.ones(1)
    for rank in range(1, count + 1):
        with_rank = np.zeros(len(ways) + rank)
        with_rank[: len(ways)] += ways / 2
        with_rank[rank:] += ways / 2
        ways = with_rank
    return np.cumsum(ways)
