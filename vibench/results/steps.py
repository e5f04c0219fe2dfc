"""Steps in a series of numbers: where a level changed by more than noise does.

Candidates come from ruptures (Truong, Oudre and Vayatis 2020): PELT with the squared error (Killick et al. 2012), whose
penalty is deliberately low. Then every candidate has to hold against chance by Student's t-test of the level before it
against the level after it. Candidates stand where the difference is largest, and so p is multiplied by the number of
places at which two neighbouring levels may begin, meet and end in a series of this length (Bonferroni): however the
search goes about it, at most one series in a hundred of independent normal noise has a step.
``tests/results/test_steps.py`` says by simulation how many have.

A series in which at least half of all neighbours are exactly equal has no noise, such as the quality of a method that
draws no random numbers; each change in it is a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import comb

import numpy as np

from vibench.errors import MissingResource
from vibench.results.records import Numbers

ALPHA = 0.01
"""The chance that a series of noise has a step."""
SHORTEST = 2
"""So many values make a level: what one value alone says may be an accident of its run."""


@dataclass(frozen=True)
class Step:
    """A change of level: ``index`` is the place of the first value after it, ``before`` and ``after`` are the levels.

    A level is the mean of the values from one step to the next, the geometric mean where the series is one of ratios.
    """

    index: int
    before: float
    after: float

    @property
    def change(self) -> float:
        """The difference of the levels as a share of the level before it; infinite where that is 0."""
        return (self.after - self.before) / abs(self.before) if self.before else float("inf")


def steps_in(values: Sequence[float], smallest: float, logarithmic: bool = False) -> list[Step]:
    """Return the steps in ``values``, in their order, that change the level by the share ``smallest`` or more.

    With ``logarithmic``, values are positive and their noise is a share of themselves, as that of times. Raises
    MissingResource where ruptures is not installed.
    """
    series = np.log(values) if logarithmic else np.asarray(values, dtype=np.float64)
    found = _changes(series) if _has_no_noise(series) else _significant(series, _candidates(series))
    while True:
        steps = _steps(series, found, logarithmic)
        small = [step for step in steps if abs(step.change) < smallest]
        if not small:
            return steps
        found.remove(min(small, key=lambda step: abs(step.change)).index)


def _has_no_noise(series: Numbers) -> bool:
    """Whether at least half of all neighbours are equal."""
    return len(series) > 1 and float(np.mean(np.diff(series) == 0)) >= 0.5


def _changes(series: Numbers) -> list[int]:
    return [int(place) + 1 for place in np.flatnonzero(np.diff(series))]


def _candidates(series: Numbers) -> list[int]:
    """Where ruptures would cut the series at a low price."""
    try:
        import ruptures
    except ImportError as error:
        raise MissingResource("steps are found by ruptures: pip install 'vibench[history]'") from error

    count = len(series)
    if count < 2 * SHORTEST:
        return []
    # Noise by the differences of neighbours, which few steps change; 0.954 = 0.6745 * sqrt(2) where it is normal.
    noise = float(np.median(np.abs(np.diff(series)))) / 0.954
    search = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST).fit((series - series[0])[:, None])
    ends = search.predict(pen=max(noise**2, np.finfo(float).tiny) * np.log(count))
    return [int(end) for end in ends[:-1]]


def _significant(series: Numbers, candidates: list[int]) -> list[int]:
    """Drop the least certain candidate, which joins its levels, until every one that is left is significant."""
    # So many ways there are to place the beginning, the meeting and the end of two levels of SHORTEST values or more.
    found = list(candidates)
    tests = comb(len(series) - 2 * SHORTEST + 3, 3) if found else 0
    while found:
        ps = [_p(left, right) for left, right in _neighbours(series, found)]
        worst = int(np.argmax(ps))
        if ps[worst] * tests < ALPHA:
            break
        del found[worst]
    return found


def _p(left: Numbers, right: Numbers) -> float:
    """Two-sided p of Student's t-test for equal variances; levels without any spread differ for certain.

    scipy's own test warns where values are nearly equal, which is nothing unusual here.
    """
    from scipy.stats import t as student

    gap = abs(float(right.mean() - left.mean()))
    freedom = len(left) + len(right) - 2
    spread = float(((left - left.mean()) ** 2).sum() + ((right - right.mean()) ** 2).sum())
    if not spread:
        return 0.0 if gap else 1.0
    return 2 * float(student.sf(gap / (spread / freedom * (1 / len(left) + 1 / len(right))) ** 0.5, freedom))


def _neighbours(series: Numbers, found: Sequence[int]) -> list[tuple[Numbers, Numbers]]:
    parts = np.split(series, np.array(found, dtype=np.int64)) if found else [series]
    return list(pairwise(parts))


def _steps(series: Numbers, found: Sequence[int], logarithmic: bool) -> list[Step]:
    def level(part: Numbers) -> float:
        return float(np.exp(part.mean()) if logarithmic else part.mean())

    pairs = zip(found, _neighbours(series, found), strict=True)
    return [Step(index, level(left), level(right)) for index, (left, right) in pairs]
