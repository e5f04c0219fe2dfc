"""Returns its input: holes stay black. It shows what a table gives to a method that does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vibench.clip import Frame, Frames, Holed, Mask


class Identity:
    """Leave the holes as they are, black: the score of doing nothing."""

    knows = "one frame"

    def __call__(self, holed: Holed) -> Frames:
        """A copy of the holed frames."""
        return holed.frames.copy()

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Each frame as it came."""
        return (frame.copy() for frame, _ in zip(frames, masks, strict=True))
