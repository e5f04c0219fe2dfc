"""The questions about removal that raters answer of each video, beside which of two looks more natural."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vibench.document import Frozen

Mark = Literal["left", "right", "both", "neither"]
"""Which of two videos a question is answered with yes for."""


class Question(Frozen):
    """A question about one video: its short name, what raters read, and whether yes is the ``wanted`` answer."""

    name: Annotated[str, Field(pattern=r"^[a-z]{1,32}$")]
    asks: Annotated[str, Field(min_length=1, max_length=200)]
    wanted: bool


REMOVAL = (
    Question(name="gone", asks="Is the marked object gone, with its shadow or reflection?", wanted=True),
    Question(name="real", asks="Does it look real where the object was?", wanted=True),
    Question(name="damaged", asks="Is anything else damaged?", wanted=False),
)
"""Asked where a protocol removes: whether it is gone, whether what is there looks real, and what else went wrong."""


def marked(mark: Mark) -> tuple[bool, bool]:
    """Return whether the left and whether the right video has a yes."""
    return mark in ("left", "both"), mark in ("right", "both")
