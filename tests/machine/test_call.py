"""The one call of a method: what it may answer, wherever it is called from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vibench.clip import Holed
from vibench.machine import call

CLIP = Holed("clip", np.zeros((4, 6, 8, 3), np.uint8), np.ones((4, 6, 8), bool))


class Streams:
    """Gives ``count`` frames of what it was made with."""

    def __init__(self, count: int, value: Any = 7) -> None:
        self.count, self.value = count, value

    def __call__(self, holed: Holed) -> Any:
        return np.full(holed.frames.shape, self.value)

    def stream(self, frames: Iterator[Any], masks: Iterator[Any]) -> Iterator[Any]:
        given = [np.full(frame.shape, self.value) for frame, _ in zip(frames, masks, strict=True)]
        yield from (given * 2)[: self.count]


@pytest.mark.parametrize("count", [0, 3, 5])
def test_a_stream_of_another_length_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"the method gave {count} frames of 4; it must give one for each"):
        list(call.answers(Streams(count), CLIP, "round", "cpu"))


def test_a_stream_is_asked_frame_by_frame_and_anything_else_for_the_whole() -> None:
    one_by_one = list(call.answers(Streams(4, 6.5), CLIP, "round", "cpu"))
    (whole,) = call.answers(Streams(4, 6.5).__call__, CLIP, "truncate", "cpu")
    assert [(frame.shape, frame.dtype, int(frame.max())) for frame in one_by_one] == [((6, 8, 3), np.uint8, 7)] * 4
    assert (whole.shape, whole.dtype, int(whole.max())) == ((4, 6, 8, 3), np.uint8, 6)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5, True, "text"])
def test_each_frame_is_held_to_what_the_whole_is_held_to(value: Any) -> None:
    for method in (Streams(4, value), Streams(4, value).__call__):
        with pytest.raises(ValueError, match="the method returned .*; it must return a numpy array"):
            list(call.answers(method, CLIP, "round", "cpu"))
