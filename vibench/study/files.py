"""The files of a study: the key, which says what the blinded names on the page stand for, and raters' answers.

The key never lies in the page's folder. Answers are what a rater downloads from the page; they are checked against it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from vibench.document import Frozen, content_of
from vibench.errors import InputError, one_line, reading
from vibench.results.record import TRUTH
from vibench.study.design import BROKEN
from vibench.study.questions import Mark, Question

MOST_BYTES = 16 * 2**20
"""A larger file is refused before it is parsed; no study has a key or answers as large."""

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Model = TypeVar("Model", bound=BaseModel)
Choice = Literal["left", "right", "tie"]


class BlindClip(Frozen):
    """What one video file shows; ``method`` is ``truth`` or ``broken`` in attention checks only."""

    method: str
    case: str


class Trial(Frozen):
    """One comparison that a rater makes: the clips to the left and right, by their blinded names."""

    id: Id
    left: Id
    right: Id
    is_check: bool


class StudyKey(Frozen):
    """All that scoring needs, and where the videos come from.

    ``runs`` are the digests of the runs whose frames are shown. ``questions`` are asked of each pair, beside
    ``question``, which asks for the better one of the two; raters then also see a video of the input with its holes
    outlined, and ``inputs`` maps the case to the name of that.
    """

    version: Literal[1] = 1
    study: Id
    seed: int
    question: str
    protocol_label: str
    protocol_digest: str
    runs: tuple[str, ...]
    methods: tuple[str, ...]
    cases: tuple[str, ...]
    clips: dict[Id, BlindClip]
    trials: tuple[Trial, ...]
    questions: tuple[Question, ...] = ()
    inputs: dict[str, Id] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for trial in self.trials:
            sides = [self.clips.get(clip) for clip in (trial.left, trial.right)]
            allowed = {TRUTH, BROKEN} if trial.is_check else set(self.methods)
            names = {clip.method for clip in sides if clip is not None}
            if len(names) != 2 or not names <= allowed:
                raise ValueError(f"trial {trial.id} does not compare two known clips")
        if len({trial.id for trial in self.trials}) < len(self.trials):
            raise ValueError("two trials have one id")
        if len({question.name for question in self.questions}) < len(self.questions):
            raise ValueError("two questions have one name")
        return self


class Answer(Frozen):
    """One choice of a rater.

    ``left`` and ``right`` are as this rater saw them; ``seconds`` is how long the pair was shown. ``marks`` says, for
    each of the key's questions, which of the two videos it was answered with yes for.
    """

    trial: Id
    left: Id
    right: Id
    choice: Choice
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    marks: dict[str, Mark] = Field(default_factory=dict)


class RaterAnswers(Frozen):
    """One file of answers; who has a ``mirrored`` form saw the pairs in reverse order, with the sides changed."""

    version: Literal[1]
    study: Id
    rater: Id
    mirrored: bool
    answers: tuple[Answer, ...]


def read_model(path: Path, kind: type[Model], what: str) -> Model:
    """Read a JSON file as ``kind``; InputError where it is missing, no file, too large, torn or not ``what``."""
    if not os.path.lexists(path):
        raise InputError(f"cannot read {str(path)!r}: there is no such file; give {what}")
    content = content_of(path, what, MOST_BYTES)
    with reading(path, f"is torn or is not {what}"):
        try:
            return kind.model_validate_json(content, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["loc"] == ("version",) and first["type"] == "literal_error":
                raise InputError(f"{str(path)!r} is {what} of another version of vibench; use that version") from error
            place = one_line(".".join(str(part) for part in first["loc"]), 60)
            where = f" at {place!r}" if place else ""
            raise InputError(f"{str(path)!r} is torn or is not {what}{where}: {one_line(first['msg'], 200)}") from error


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
        if answer.marks.keys() != {question.name for question in key.questions}:
            return f"trial {answer.trial} does not answer the questions of the study"
        seen.add(answer.trial)
    return None
