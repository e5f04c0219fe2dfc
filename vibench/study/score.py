"""From answers to preference shares with intervals, Bradley-Terry strengths and agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from vibench.results.statistics import CONFIDENCE
from vibench.study.agreement import fleiss_kappa
from vibench.study.answers import RaterAnswers, attention_problem, chosen_method
from vibench.study.key import StudyKey
from vibench.study.strengths import Strengths, bradley_terry


@dataclass(frozen=True)
class Share:
    """How often ``name`` was preferred among the decided comparisons, with Wilson's interval; ties stand apart.

    The interval takes answers as independent; several of one rater are less than that, so it is on the narrow side.
    """

    name: str
    against: str | None
    preferred: int
    decided: int
    ties: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class StudyScore:
    """What the answers of the raters who passed every attention check say."""

    raters: int
    left_out: dict[str, str]
    answers: int
    methods: tuple[Share, ...]
    pairs: tuple[Share, ...]
    strengths: Strengths
    kappa: float | None
    kappa_trials: int


def score_study(key: StudyKey, raters: Sequence[RaterAnswers]) -> StudyScore:
    """Raters with a failed or missing attention check are named in ``left_out`` (rater -> reason) and count nowhere."""
    problems = {rater.rater: attention_problem(rater, key) for rater in raters}
    left_out = {name: problem for name, problem in problems.items() if problem is not None}
    kept = [rater for rater in raters if rater.rater not in left_out]
    wins, ties = _tallied(key, kept)
    methods = key.methods
    places = range(len(methods))
    kappa, kappa_trials = _agreement(key, kept)
    return StudyScore(
        raters=len(kept),
        left_out=left_out,
        answers=int(wins.sum() + ties.sum() // 2),
        methods=tuple(share(methods[i], None, wins[i].sum(), wins[:, i].sum(), ties[i].sum()) for i in places),
        pairs=tuple(
            share(methods[i], methods[j], wins[i, j], wins[j, i], ties[i, j]) for i, j in combinations(places, 2)
        ),
        strengths=bradley_terry(wins + ties / 2),
        kappa=kappa,
        kappa_trials=kappa_trials,
    )


def share(name: str, against: str | None, preferred: int, other: int, ties: int) -> Share:
    """Share of ``preferred`` in the decided comparisons; no share where none was decided."""
    from scipy.stats import binomtest

    preferred, decided = int(preferred), int(preferred + other)
    if not decided:
        return Share(name, against, 0, 0, int(ties), None, None, None)
    interval = binomtest(preferred, decided).proportion_ci(CONFIDENCE, method="wilson")
    return Share(
        name, against, preferred, decided, int(ties), preferred / decided, float(interval.low), float(interval.high)
    )


def _tallied(key: StudyKey, raters: Sequence[RaterAnswers]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``wins[i, j]``: i was preferred to j; ``ties[i, j]``, symmetric: neither was."""
    place = {method: index for index, method in enumerate(key.methods)}
    checks = {trial.id for trial in key.trials if trial.is_check}
    wins, ties = np.zeros((2, len(place), len(place)), np.int64)
    for rater in raters:
        for answer in rater.answers:
            if answer.trial in checks:
                continue
            left, right = (place[key.clips[clip].method] for clip in (answer.left, answer.right))
            if answer.choice == "tie":
                ties[left, right] += 1
                ties[right, left] += 1
            elif answer.choice == "left":
                wins[left, right] += 1
            else:
                wins[right, left] += 1
    return wins, ties


def _agreement(key: StudyKey, raters: Sequence[RaterAnswers]) -> tuple[float | None, int]:
    """Fleiss' kappa over the trials that every rater answered, and their number."""
    given = [{answer.trial: chosen_method(answer, key) for answer in rater.answers} for rater in raters]
    counts = []
    for trial in key.trials:
        if trial.is_check or not given or not all(trial.id in answers for answers in given):
            continue
        # As the key has the sides: a mirrored rater's left is the others' right.
        categories = (key.clips[trial.left].method, key.clips[trial.right].method, None)
        chosen = [answers[trial.id] for answers in given]
        counts.append([chosen.count(category) for category in categories])
    return fleiss_kappa(np.array(counts, np.int64).reshape(-1, 3)), len(counts)
