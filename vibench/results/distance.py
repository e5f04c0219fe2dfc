"""A distance between sets of clips: all clips of a method against the true ones, one number for the whole set.

There is no interval. The distance of few clips is far above that of many: 20 clips in 64 dimensions came out at nine
times the true distance (``tests/test_distance.py``), and resampling finds how such a number varies, not how far off it
is. What it is good for is a comparison over the same clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vibench.metrics.frechet import Vectors, frechet_distance, frechet_warning
from vibench.protocol import repeat_of
from vibench.results.record import TRUTH
from vibench.results.results import Results
from vibench.results.statistics import Estimate, Spread

FEWEST_CLIPS = 2
"""One clip has no covariance."""


@dataclass(frozen=True)
class Distances:
    """Frechet distances of one column.

    ``estimates`` maps each method to its number, and the truth to its own, which is zero. ``cases`` are those in the
    sets of clips, and ``notes`` are sentences that must stand beside the numbers.
    """

    cases: tuple[str, ...]
    estimates: dict[str, Estimate]
    notes: tuple[str, ...]


def frechet_distances(results: Results, metric: str, region: str) -> Distances:
    """Frechet distance of every method over the cases that the truth and every method with any vector have.

    Where the protocol repeats its cases with other seeds, each repeat is a set: the number is the mean of their
    distances.
    """
    vectors = results.vectors(metric, region)
    truth = vectors.get(TRUTH, {})
    if not truth:
        return Distances(
            (), {}, (f"no record holds the truth's {region}; `vibench score RUN --metrics {metric}` adds them",)
        )
    shared = [case for case in results.cases if all(case in clips for clips in vectors.values())]
    sets = [cases for cases in _by_repeat(results, shared) if len(cases) >= FEWEST_CLIPS]
    if not sets:
        return Distances(
            (), {}, (f"a distance between sets needs at least {FEWEST_CLIPS} clips that every method has",)
        )
    estimates = {
        label: _estimate([frechet_distance(_stack(clips, cases), _stack(truth, cases)) for cases in sets], sets)
        for label, clips in vectors.items()
    }
    return Distances(tuple(case for cases in sets for case in cases), estimates, _notes(sets, len(truth[sets[0][0]])))


def _by_repeat(results: Results, cases: Sequence[str]) -> list[list[str]]:
    repeats = int(results.protocol.get("repeats", 1))
    sets: dict[int, list[str]] = {}
    for case in cases:
        sets.setdefault(repeat_of(case, repeats), []).append(case)
    return [sets[repeat] for repeat in sorted(sets)]


def _stack(clips: Mapping[str, Sequence[float]], cases: Sequence[str]) -> Vectors:
    return np.array([clips[case] for case in cases], np.float64)


def _estimate(distances: list[float], sets: list[list[str]]) -> Estimate:
    spread = Spread(float(np.std(distances, ddof=1)), len(distances)) if len(distances) > 1 else None
    return Estimate(float(np.mean(distances)), None, None, sum(map(len, sets)), spread)


def _notes(sets: list[list[str]], dimensions: int) -> tuple[str, ...]:
    said = (
        "one Frechet distance between all clips of a method and the true ones, so it has no interval and "
        "is never marked"
    )
    if len(sets) > 1:
        said += f"; mean ± standard deviation over {len(sets)} seeded repeats"
    warning = frechet_warning(min(map(len, sets)), dimensions)
    return (said, warning) if warning else (said,)
