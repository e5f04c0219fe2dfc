"""A distance between sets of clips: all clips of a method against the true ones, one number for the whole set.

A Frechet distance has no interval. That of few clips is far above that of many: 20 clips in 64 dimensions came out at
nine times the true distance (``tests/results/test_distance.py``), and resampling finds how such a number varies, not
how far off it is. What it is good for is a comparison over the same clips. A kernel distance is right on average at any
number of clips, so it has an interval; ``vibench.metrics.kernel`` says how it is made.

Where a protocol repeats its cases, the number stands beside its standard error over clips, by the jackknife (Efron and
Tibshirani 1993, chapter 11): every clip is left out in turn, with all its cases. In a simulation of normal vectors the
jackknife gave 0.87 to 1.11 times the true standard deviation, at 20 and 50 clips in 2 to 256 dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vibench.metrics.frechet import frechet_distance, frechet_warning
from vibench.metrics.kernel import paired_distance
from vibench.protocol import repeat_of
from vibench.results.record import TRUTH, MetricFacts
from vibench.results.records import Numbers
from vibench.results.results import Results
from vibench.results.statistics import FEWEST, Estimate, Spread

_ByCase = Mapping[str, Numbers]
"""Case -> its vector, (n,)."""

FEWEST_CLIPS = 2
"""One clip has no covariance."""


@dataclass(frozen=True)
class Distances:
    """Distances of one column.

    ``estimates`` maps each method to its number, and the truth to its own, which is zero. ``cases`` are those in the
    sets of clips, and ``notes`` are sentences that must stand beside the numbers.
    """

    cases: tuple[str, ...]
    estimates: dict[str, Estimate]
    notes: tuple[str, ...]


def distances_of(results: Results, metric: MetricFacts, region: str) -> Distances:
    """Distance of every method over the cases that the truth and every method with any vector have.

    ``metric.aggregate`` says which. Where the protocol repeats its cases with other seeds, each repeat is a set: the
    Frechet distance is the mean of theirs, and the kernel distance compares within each repeat.
    """
    vectors = results.vectors(metric.name, region)
    truth = vectors.get(TRUTH, {})
    if not truth:
        return Distances(
            (), {}, (f"no record holds the truth's {region}; `vibench score RUN --metrics {metric.name}` adds them",)
        )
    shared = [
        case for case in results.cases if case not in results.torn and all(case in known for known in vectors.values())
    ]
    sets = [cases for cases in _by_repeat(results, shared) if len(_clips(results, cases)) >= FEWEST_CLIPS]
    if not sets:
        return Distances(
            (), {}, (f"a distance between sets needs at least {FEWEST_CLIPS} clips that every method has",)
        )
    cases_and_clips = [[(case, results.clips[case]) for case in cases] for cases in sets]
    is_kernel = metric.aggregate == "kernel-distance"
    estimated = _kernel_estimate if is_kernel else _frechet_estimate
    estimates = {label: estimated(known, truth, cases_and_clips) for label, known in vectors.items()}
    fewest = min(len(_clips(results, cases)) for cases in sets)
    notes = (ABOUT_KERNEL,) if is_kernel else _notes(fewest, len(truth[sets[0][0]]), repeated=len(sets) > 1)
    return Distances(tuple(case for cases in sets for case in cases), estimates, notes)


def _clips(results: Results, cases: Sequence[str]) -> set[str]:
    return {results.clips[case] for case in cases}


def _by_repeat(results: Results, cases: Sequence[str]) -> list[list[str]]:
    repeats = int(results.protocol.get("repeats", 1))
    sets: dict[int, list[str]] = {}
    for case in cases:
        sets.setdefault(repeat_of(case, repeats), []).append(case)
    return [sets[repeat] for repeat in sorted(sets)]


def _distance(vectors: _ByCase, truth: _ByCase, sets: Sequence[Sequence[str]]) -> list[float]:
    """The distance of each set of cases."""
    return [
        frechet_distance(*(np.array([known[case] for case in cases], np.float64) for known in (vectors, truth)))
        for cases in sets
    ]


def _frechet_estimate(vectors: _ByCase, truth: _ByCase, sets: Sequence[Sequence[tuple[str, str]]]) -> Estimate:
    """The mean Frechet distance of ``sets``, which have pairs of a case and its clip."""
    clips = {clip for cases in sets for _, clip in cases}
    distances = _distance(vectors, truth, [[case for case, _ in cases] for cases in sets])
    spread = None
    if len(distances) > 1:
        # A set must hold two clips when one is left out.
        enough = len(clips) >= FEWEST and all(len({clip for _, clip in cases}) > FEWEST_CLIPS for cases in sets)
        without = [
            np.mean(_distance(vectors, truth, [[case for case, other in cases if other != clip] for cases in sets]))
            for clip in sorted(clips if enough else ())
        ]
        error = float(np.sqrt((len(without) - 1) * np.var(without))) if without else None
        spread = Spread(float(np.std(distances, ddof=1)), len(distances), error)
    return Estimate(float(np.mean(distances)), None, None, len(clips), spread, sum(map(len, sets)), of_set=True)


ABOUT_KERNEL = (
    "one kernel distance between all clips of a method and the true ones, not biased by how many they are, so that it "
    "may fall below 0; brackets hold its 95 % bootstrap interval over clips, and it is never marked"
)


def _kernel_estimate(vectors: _ByCase, truth: _ByCase, sets: Sequence[Sequence[tuple[str, str]]]) -> Estimate:
    """The kernel distance within ``sets``, which have pairs of a case and its clip, and its interval over clips."""
    cases = [case for pairs in sets for case, _ in pairs]
    clips = [clip for pairs in sets for _, clip in pairs]
    repeats = [repeat for repeat, pairs in enumerate(sets) for _ in pairs]
    ours, true = (np.array([known[case] for case in cases], np.float64) for known in (vectors, truth))
    value, low, high = paired_distance(ours, true, clips, repeats)
    return Estimate(value, low, high, len(set(clips)), cases=len(cases), of_set=True)


def _notes(fewest_clips: int, dimensions: int, repeated: bool) -> tuple[str, ...]:
    said = (
        "one Frechet distance between all clips of a method and the true ones, so it has no interval and "
        "is never marked"
    )
    if repeated:
        said += (
            "; the mean over the seeded repeats ± its standard error over clips, each left out in turn with all "
            "its repeats"
        )
    warning = frechet_warning(fewest_clips, dimensions)
    return (said, warning) if warning else (said,)
