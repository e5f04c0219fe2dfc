"""The key of a study: what the blinded names on its page stand for. It never lies in the page's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from vibench.document import Frozen
from vibench.errors import InputError
from vibench.results.record import TRUTH
from vibench.study.design import BROKEN

MOST_BYTES = 16 * 2**20
"""A larger file is refused before it is parsed; no study has a key or answers as large."""

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Model = TypeVar("Model", bound=BaseModel)


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

    ``runs`` are the digests of the runs whose frames are shown.
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
        return self


def read_model(path: Path, kind: type[Model], what: str) -> Model:
    """Read a JSON file as ``kind``; InputError where it is missing, too large, torn or not ``what``."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}; give {what}") from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{str(path)!r} is larger than {MOST_BYTES // 2**20} MiB, so it is not {what}")
    try:
        return kind.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:60]
        where = f" at {place!r}" if place else ""
        reason = " ".join(first["msg"].split())[:200]
        raise InputError(f"{str(path)!r} is torn or is not {what}{where}: {reason}") from error
