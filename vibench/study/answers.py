"""What one rater answered, as the study's page gives it for download, checked against the key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from vibench.document import Frozen
from vibench.errors import InputError
from vibench.results.record import TRUTH
from vibench.study.key import Id, StudyKey, read_model

Choice = Literal["left", "right", "tie"]


class Answer(Frozen):
    """One choice. ``left`` and ``right`` are as this rater saw them; ``seconds`` is how long the pair was shown."""

    trial: Id
    left: Id
    right: Id
    choice: Choice
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RaterAnswers(Frozen):
    """One file of answers; who has a ``mirrored`` form saw the pairs in reverse order, with the sides changed."""

    version: Literal[1]
    study: Id
    rater: Id
    mirrored: bool
    answers: tuple[Answer, ...]


def attention_problem(rater: RaterAnswers, key: StudyKey) -> str | None:
    """Return why the rater does not count, or None; every attention check has to be answered with the truth."""
    checks = [trial.id for trial in key.trials if trial.is_check]
    given = {answer.trial: answer for answer in rater.answers}
    answered = [given[trial] for trial in checks if trial in given]
    if wrong := sum(chosen_method(answer, key) != TRUTH for answer in answered):
        return f"failed {wrong} of {len(checks)} attention checks"
    if len(answered) < len(checks):
        return f"answered only {len(answered)} of {len(checks)} attention checks"
    return None


def chosen_method(answer: Answer, key: StudyKey) -> str | None:
    """Return the method that was preferred, or None for a tie."""
    if answer.choice == "tie":
        return None
    return key.clips[answer.left if answer.choice == "left" else answer.right].method


def read_answers(paths: Sequence[Path], key: StudyKey) -> list[RaterAnswers]:
    """Read files of answers to this study.

    InputError for a file that is torn or answers another study, and for a second file of one rater.
    """
    found: dict[str, Path] = {}
    raters = []
    for path in paths:
        rater = read_model(path, RaterAnswers, "a file of answers from a study's page")
        if rater.study != key.study:
            raise InputError(f"{str(path)!r} answers study {rater.study}, not {key.study}; give the key of that study")
        if rater.rater in found:
            raise InputError(f"{str(path)!r} and {str(found[rater.rater])!r} are of one rater; give only one of them")
        if problem := _mismatch(rater, key):
            raise InputError(f"{str(path)!r} does not fit the key: {problem}; ask the rater for the file once more")
        found[rater.rater] = path
        raters.append(rater)
    return raters


def _mismatch(rater: RaterAnswers, key: StudyKey) -> str | None:
    trials = {trial.id: trial for trial in key.trials}
    seen = set()
    for answer in rater.answers:
        trial = trials.get(answer.trial)
        if trial is None:
            return f"there is no trial {answer.trial}"
        if answer.trial in seen:
            return f"trial {answer.trial} is answered twice"
        sides = (trial.right, trial.left) if rater.mirrored else (trial.left, trial.right)
        if (answer.left, answer.right) != sides:
            return f"trial {answer.trial} did not show these two clips"
        seen.add(answer.trial)
    return None
