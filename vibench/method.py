"""What a method is: anything that can be called with holed frames and returns filled frames.

A method is made by a *factory* (a class or function) that an entry point of the group ``vibench.methods`` or a
``module:factory`` path names; options in brackets, ``vinet[memory=false]``, are the factory's keyword arguments.
A factory that has a ``device`` parameter is given the run's device.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, runtime_checkable

from vibench.clip import Frame, Frames, Holed, Mask


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
class DescribedMethod(typing.Protocol):
    """A method that adds facts to the record.

    These keys have a meaning: ``parameters``, the number of trained numbers; ``flop_per_frame``; ``weights_sha256`` and
    ``content_sha256``, of files that decide what the method makes, so that other files are another method;
    ``warning``, a sentence that every table and report must show, for example that weights are random; and
    ``not_timed``, a sentence that says why the method's time would mean nothing. Such a method is called once, without
    warm-up, and has no timing.
    """

    def describe(self) -> Mapping[str, Any]:
        """Return the facts as JSON values."""
        ...
