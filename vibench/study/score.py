"""Scores a study: shares of preference with intervals, Bradley-Terry strengths, and how far raters agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibench.files import disk_errors, write_atomically
from vibench.results.statistics import CONFIDENCE
from vibench.study.dimensions import Dimension, dimensions
from vibench.study.files import (
    RaterAnswers,
    StudyKey,
    attention_problem,
    chosen_method,
    read_answers,
    read_model,
)


@dataclass(frozen=True)
class Share:
    """How often ``name`` was preferred, over all other methods or ``against`` one.

    ``share`` is ``preferred`` out of ``decided``, from 0 to 1; ties are counted apart. ``low`` and ``high`` are
    Wilson's 95 % interval. It takes answers as independent, which several answers of one rater are not, so it is on
    the narrow side. The three are None where no comparison was decided.
    """

    name: str
    against: str | None
    preferred: int
    decided: int
    ties: int
    share: float | None
    low: float | None
    high: float | None


class Strengths(NamedTuple):
    """A log strength for every method, with mean 0; or None, and the reason why there are none."""

    values: tuple[float, ...] | None
    reason: str = ""


@dataclass(frozen=True)
class StudyScore:
    """What the answers say of the raters who passed every attention check.

    ``raters`` and ``answers`` count those raters and their answers; ``left_out`` maps every other rater to the
    reason. ``methods``, ``pairs`` and ``strengths`` follow the order of methods in the key. ``kappa`` is Fleiss'
    kappa over ``kappa_trials`` comparisons that every rater answered, None where it is not defined. ``dimensions`` has
    an entry for each question about removal and method, and is empty where the study asked none.
    """

    study: str
    raters: int
    left_out: dict[str, str]
    answers: int
    methods: tuple[Share, ...]
    pairs: tuple[Share, ...]
    strengths: Strengths
    kappa: float | None
    kappa_trials: int
    dimensions: tuple[Dimension, ...] = ()


def score_study(key: Path | str, answers: Sequence[Path | str], output: Path | str | None = None) -> StudyScore:
    """Score the files of answers that raters downloaded from the page of a study.

    ``key`` is the key file that ``make_study`` wrote. Everything is written as JSON into ``output`` where it is
    given. InputError where a file cannot be read, is torn, belongs to another study or holds a rater a second time,
    or ``output`` cannot be written.
    """
    known = read_model(Path(key), StudyKey, "a key that `vibench study make` wrote")
    found = score_answers(known, read_answers([Path(path) for path in answers], known))
    if output is not None:
        facts = {**asdict(found), "strengths": found.strengths._asdict()}
        path = Path(output)
        with disk_errors(path.parent):
            write_atomically(path, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
    return found


def score_answers(key: StudyKey, raters: Sequence[RaterAnswers]) -> StudyScore:
    """Score answers that are in memory.

    A rater who failed or missed an attention check is named in ``left_out`` and counts nowhere.
    """
    problems = {rater.rater: attention_problem(rater, key) for rater in raters}
    left_out = {name: problem for name, problem in problems.items() if problem is not None}
    kept = [rater for rater in raters if rater.rater not in left_out]
    wins, ties = _tallied(key, kept)
    methods = key.methods
    places = range(len(methods))
    kappa, kappa_trials = _agreement(key, kept)
    return StudyScore(
        study=key.study,
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
        dimensions=dimensions(key, kept),
    )


def share(name: str, against: str | None, preferred: int, other: int, ties: int) -> Share:
    """Return the share of ``preferred`` in the decided comparisons, of which ``other`` went the other way."""
    from scipy.stats import binomtest

    preferred, decided = int(preferred), int(preferred + other)
    if not decided:
        return Share(name, against, 0, 0, int(ties), None, None, None)
    interval = binomtest(preferred, decided).proportion_ci(CONFIDENCE, method="wilson")
    return Share(
        name, against, preferred, decided, int(ties), preferred / decided, float(interval.low), float(interval.high)
    )


def bradley_terry(wins: NDArray[np.float64]) -> Strengths:
    """Return maximum-likelihood strengths s of methods from ``wins`` (methods, methods).

    ``wins[i, j]`` is how often i was preferred to j; a tie is half a win for each. The model is
    P(i preferred to j) = 1 / (1 + exp(s_j - s_i)). Where some methods never lost to the others, the likelihood has no
    maximum (Ford 1957), and nothing is added to the data to make one. The fit is choix's iterative Luce spectral
    ranking (Maystre and Grossglauser 2015), an optional package that the extra ``study`` installs.
    """
    from scipy.sparse.csgraph import connected_components

    try:
        import choix
    except ModuleNotFoundError:
        return Strengths(None, "they need choix; pip install 'vibench[study]'")
    groups, _ = connected_components(wins > 0, directed=True, connection="strong")
    if groups > 1:
        return Strengths(None, "some methods were never preferred to the others, so strengths have no finite estimate")
    try:
        found = choix.ilsr_pairwise_dense(wins, max_iter=1000)
    except RuntimeError:
        return Strengths(None, "the fit did not converge: too few answers between some methods")
    centred = np.asarray(found, np.float64) - np.mean(found)
    return Strengths(tuple(float(value) for value in centred))


def fleiss_kappa(counts: NDArray[np.int64]) -> float | None:
    """Return Fleiss' kappa of ``counts`` (items, categories): how far raters agree beyond chance.

    ``counts[i, c]`` is how many raters put item i into category c; each row sums to the same number of raters, at
    least two. 1 is perfect agreement, 0 what chance gives. None where it is not defined: no item, one rater, or one
    category in all answers. ValueError where rows have different sums. Source: J. L. Fleiss, Measuring nominal scale
    agreement among many raters, Psychological Bulletin 76 (1971), equations 3, 5 and 7. It is written out here because
    statsmodels would be a large dependency for three lines.
    """
    raters = int(counts.sum(axis=1)[0]) if len(counts) else 0
    if raters < 2:
        return None
    if (counts.sum(axis=1) != raters).any():
        raise ValueError("every item needs the same number of ratings")
    observed = ((counts**2).sum(axis=1) - raters).mean() / (raters * (raters - 1))
    expected = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    return None if expected == 1 else float((observed - expected) / (1 - expected))


def study_text(found: StudyScore) -> str:
    """Write what ``score_study`` found in lines for a terminal."""
    lines = [f"left out: rater {rater} {reason}" for rater, reason in found.left_out.items()]
    lines.append(f"{found.raters} raters, {found.answers} answers")
    strengths = found.strengths.values or [None] * len(found.methods)
    lines.append("preferred among decided comparisons, 95 % interval (Wilson), Bradley-Terry log strength:")
    for entry, strength in zip(found.methods, strengths, strict=True):
        lines.append(f"  {_line(entry)}{'' if strength is None else f'  {strength:+.2f}'}")
    lines += ["pair by pair:", *(f"  {_line(entry)}" for entry in found.pairs)]
    if found.strengths.reason:
        lines.append(f"no strengths: {found.strengths.reason}")
    lines += _about_dimensions(found.dimensions)
    about = f"over {found.kappa_trials} comparisons that every rater answered"
    kappa = "agreement: not defined" if found.kappa is None else f"Fleiss' kappa {found.kappa:.2f}"
    return "\n".join([*lines, f"{kappa} {about}"])


def _about_dimensions(found: Sequence[Dimension]) -> Iterator[str]:
    """A line for each question, and below it the share of yes for each method."""
    for asked, entries in groupby(found, lambda entry: (entry.question, entry.wanted)):
        yield f"{_printable(asked[0])} yes, 95 % interval (Wilson), {'more' if asked[1] else 'less'} is better:"
        for entry in entries:
            name = f"  {_printable(entry.method):<32}"
            if entry.yes is None or entry.low is None or entry.high is None:
                yield f"{name}  no answers"
            else:
                interval = f"[{100 * entry.low:.1f}, {100 * entry.high:.1f}]"
                yield f"{name}  {100 * entry.yes:5.1f} %  {interval}  of {entry.views} videos seen"


def _printable(name: str) -> str:
    """A name from data must not move the terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _line(entry: Share) -> str:
    name = _printable(entry.name if entry.against is None else f"{entry.name} over {entry.against}")
    if entry.share is None or entry.low is None or entry.high is None:
        return f"{name:<32}  nothing decided, {entry.ties} ties"
    return (
        f"{name:<32}  {100 * entry.share:5.1f} %  [{100 * entry.low:.1f}, {100 * entry.high:.1f}]"
        f"  {entry.preferred}/{entry.decided}, {entry.ties} ties"
    )


def _tallied(key: StudyKey, raters: Sequence[RaterAnswers]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count ``wins[i, j]``, how often method i was preferred to j, and ``ties[i, j]``, how often neither was."""
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
    """Return Fleiss' kappa over the trials that every rater answered, and their number."""
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
