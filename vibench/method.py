"""What a method is: anything that can be called with holed frames and returns filled frames.

A method is made by a *factory* (a class or function) that an entry point of the group ``vibench.methods`` or a
``module:factory`` path names; options in brackets, ``vinet[memory=false]``, are the factory's keyword arguments.
A factory that has a ``device`` parameter is given the run's device.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, runtime_checkable

import numpy as np

from vibench.clip import Frame, Frames, Holed, Mask, Masks


class Method(typing.Protocol):
    """Fills holes. Pixels outside the holes may come back changed, since the harness puts the input's pixels there."""

    def __call__(self, holed: Holed) -> Frames:
        """Return frames of the shape and dtype of ``holed.frames``, without changing their input."""
        ...


@runtime_checkable
class StreamingMethod(typing.Protocol):
    """A method that can also work frame by frame, in memory that does not grow with the clip."""

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Yield one filled frame per input frame, in order, equal to those of a call with the whole clip."""
        ...


@runtime_checkable
class WindowedMethod(typing.Protocol):
    """A method that can work window after window, in memory that does not grow with the clip (see ``windows``).

    Its frames come in bursts, so that only the time of the whole clip means anything: it is timed through its call.
    """

    def stream_windows(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Yield one filled frame per input frame, in order, equal to those of a call with the whole clip."""
        ...


@runtime_checkable
class DescribedMethod(typing.Protocol):
    """A method that adds facts to the record.

    These keys have a meaning: ``parameters``, the number of trained numbers; ``flop_per_frame``; ``weights_sha256`` and
    ``content_sha256``, of files that decide what the method makes, so that other files are another method;
    ``window_bytes`` and ``bytes_per_pixel``, what a window takes at most, and each pixel in it, for a method that works
    in windows; ``warning``, a sentence that every table and report must show, for example that weights are random;
    ``not_timed``, a sentence that says why the method's time would mean nothing (such a method is called once, without
    warm-up, and has no timing); and ``knows``, a few words for the column of that name in every table: which frames a
    filled one may depend on, such as ``one frame``, ``causal``, ``6 frames ahead`` or ``whole clip``. A method without
    facts may have ``knows`` as an attribute instead.
    """

    def describe(self) -> Mapping[str, Any]:
        """Return the facts as JSON values."""
        ...


class Window(NamedTuple):
    """A part of a clip, uint8 (T, H, W, 3) and bool (T, H, W), of which the frames ``begin`` to ``end`` are wanted.

    The frames before ``begin`` and from ``end`` on are there to be looked at; they are wanted from another window.
    """

    frames: Frames
    masks: Masks
    begin: int
    end: int


def windows(
    frames: Iterable[Frame],
    masks: Iterable[Mask],
    *,
    overlap: int,
    most_frames: int = 0,
    most_bytes: int = 0,
    bytes_of: Callable[[Mask], int] = lambda mask: 4 * mask.size,
) -> Iterator[Window]:
    """Divide a clip of any length into windows that overlap, for a method that looks at frames before and after.

    A wanted frame has ``overlap`` frames on either side in its window, fewer only at the ends of the clip. A window has
    at most ``most_frames`` frames, and at most ``most_bytes`` bytes by what ``bytes_of`` says of each frame's mask (0:
    no limit), but four times ``overlap`` at least, or most of the work would be done twice. A clip within both limits
    is one window.
    """
    shown: list[Frame] = []
    holes: list[Mask] = []
    sizes: list[int] = []
    begin = 0
    for frame, mask in zip(frames, masks, strict=True):
        size = bytes_of(mask)
        full = len(shown) >= most_frames > 0 or (most_bytes and sum(sizes) + size > most_bytes)
        if full and len(shown) >= max(1, 4 * overlap):
            end = len(shown) - overlap
            yield Window(np.stack(shown), np.stack(holes), begin, end)
            for kept in (shown, holes, sizes):
                del kept[: end - overlap]
            begin = overlap
        shown.append(frame)
        holes.append(mask)
        sizes.append(size)
    if shown:
        yield Window(np.stack(shown), np.stack(holes), begin, len(shown))
