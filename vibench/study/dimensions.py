"""Scores the questions about removal: of how many videos raters said yes, for each method, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import norm

from vibench.results.statistics import CONFIDENCE
from vibench.study.files import RaterAnswers, StudyKey
from vibench.study.questions import marked


@dataclass(frozen=True)
class Dimension:
    """How often raters answered ``question`` with yes for the videos of ``method``.

    A rater sees a video beside that of each other method. What they say of it each time is averaged first, so that
    ``views`` counts raters times videos, and ``yes`` is the mean over these, from 0 to 1. ``wanted`` says whether yes
    is good. ``low`` and ``high`` are Wilson's 95 % interval of ``views`` answers. It takes them as independent, which
    several videos of one rater are not, so it is on the narrow side. The three are None where there are no answers.
    """

    name: str
    question: str
    wanted: bool
    method: str
    views: int
    yes: float | None
    low: float | None
    high: float | None


def dimensions(key: StudyKey, raters: Sequence[RaterAnswers]) -> tuple[Dimension, ...]:
    """Return the score of each question and method, in the key's order; empty where the study asked no questions."""
    checks = {trial.id for trial in key.trials if trial.is_check}
    said: dict[tuple[str, str, str, str], list[bool]] = defaultdict(list)
    for rater in raters:
        for answer in rater.answers:
            if answer.trial in checks:
                continue
            for name, mark in answer.marks.items():
                for clip, yes in zip((answer.left, answer.right), marked(mark), strict=True):
                    said[name, key.clips[clip].method, rater.rater, clip].append(yes)
    views: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (name, method, _, _), answers in said.items():
        views[name, method].append(float(np.mean(answers)))
    return tuple(
        _scored(question.name, question.asks, question.wanted, method, views[question.name, method])
        for question in key.questions
        for method in key.methods
    )


def _scored(name: str, question: str, wanted: bool, method: str, views: Sequence[float]) -> Dimension:
    if not views:
        return Dimension(name, question, wanted, method, 0, None, None, None)
    share = float(np.mean(views))
    return Dimension(name, question, wanted, method, len(views), share, *wilson(share, len(views)))


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return Wilson's interval of a ``share``, which need not be a whole number, of ``count`` answers.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927). It is
    written out here because scipy's takes whole numbers only.
    """
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)
