"""A part of a video in time: which of its frames are shown from one second to another, and frames and masks of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from vibench.clip import Frame
from vibench.errors import InputError
from vibench.media.beside import Say, unheard
from vibench.media.frames import FrameSource, ImageSequence
from vibench.media.look import Look
from vibench.media.masks import MaskSource, check_counts, marked
from vibench.media.pairing import fitting_masks
from vibench.media.video import TimedFrame

_STAMP = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:\.\d{1,9})?)")


class Span(NamedTuple):
    """Seconds of a video: frames that begin at ``start`` or later and before ``end``, which None leaves open."""

    start: Fraction = Fraction(0)
    end: Fraction | None = None

    @classmethod
    def parse(cls, start: str | float | None, end: str | float | None) -> Span | None:
        """Read seconds (``12.5``) or time stamps (``1:02.5``, ``0:01:02.5``); None where neither is given.

        Raises InputError for what is no time, and for a part that ends before it begins.
        """
        if start is None and end is None:
            return None
        begins = Fraction(0) if start is None else seconds("--start", start)
        ends = None if end is None else seconds("--end", end)
        if ends is not None and ends <= begins:
            raise InputError(f"--end {end} is not after --start {0 if start is None else start}")
        return cls(begins, ends)

    def frames(self, source: FrameSource) -> range:
        """The numbers of the frames, from 0; raise InputError where there is none. The video is read up to its end."""
        begin = count = 0
        last = Fraction(0)
        for _, begins, lasts in source.timed():
            if self.end is not None and begins >= self.end:
                break
            begin, count, last = begin + (begins < self.start), count + 1, begins + lasts
        if begin == count:
            raise InputError(
                f"no frame of the video begins from {float(self.start):g} s to "
                f"{'its end' if self.end is None else f'{float(self.end):g} s'}; it lasts {float(last):.3f} s"
            )
        return range(begin, count)


def seconds(name: str, value: str | float) -> Fraction:
    """Read seconds or a time stamp exactly; raise InputError for anything else."""
    found = _STAMP.fullmatch(str(value).strip())
    if found is None:
        raise InputError(f"{name} {value} is no time; write seconds, 12.5, or minutes and hours too, 1:02:12.5")
    hours, minutes, rest = found[1] or 0, found[2] or 0, Fraction(found[3])
    if (found[2] is not None and rest >= 60) or (found[1] is not None and int(minutes) >= 60):
        raise InputError(f"{name} {value} is no time: after minutes or hours come numbers below 60")
    return int(hours) * 3600 + int(minutes) * 60 + rest


@dataclass(frozen=True)
class Part:
    """Frames ``span`` of another source, with their times in it."""

    whole: FrameSource
    span: range

    @property
    def height(self) -> int:
        """That of the whole."""
        return self.whole.height

    @property
    def width(self) -> int:
        """That of the whole."""
        return self.whole.width

    @property
    def frames_per_second(self) -> float:
        """That of the whole."""
        return self.whole.frames_per_second

    @property
    def frames(self) -> int:
        """How many frames the part has."""
        return len(self.span)

    @property
    def has_audio(self) -> bool:
        """Whether the whole has sound."""
        return self.whole.has_audio

    @property
    def time_base(self) -> Fraction:
        """That of the whole."""
        return self.whole.time_base

    @property
    def look(self) -> Look:
        """That of the whole."""
        return self.whole.look

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the whole."""
        return self.whole.notes

    def __iter__(self) -> Iterator[Frame]:
        """Yield uint8 (H, W, 3) RGB."""
        return islice(iter(self.whole), self.span.start, self.span.stop)

    def timed(self) -> Iterator[TimedFrame]:
        """Yield the frames with their times in the whole."""
        return islice(self.whole.timed(), self.span.start, self.span.stop)

    def count(self, expected: int | None = None) -> int:
        """Return the number of frames."""
        return len(self.span)


def part_of(source: FrameSource, span: range | None) -> FrameSource:
    """Return the frames ``span`` of ``source``, None for all; images stay images, which masks find by their names."""
    if span is None:
        return source
    if isinstance(source, ImageSequence):
        return replace(source, files=source.files[span.start : span.stop])
    return Part(source, span)


def masks_of_part(source: FrameSource, masks: MaskSource, span: range | None, say: Say = unheard) -> MaskSource:
    """Return the masks of the frames ``span``: a still one, those of the part, or their share of the whole's.

    Raises InputError where the masks are as many as neither, and otherwise as ``fitting_masks`` does.
    """
    if span is None:
        return fitting_masks(source, masks, say)
    held = marked(masks).masks
    if held is None or held == len(span):
        return fitting_masks(part_of(source, span), masks, say)
    count = source.count(held)
    if held != count:
        check_counts(masks, held, len(span))
    return replace(fitting_masks(source, masks, say), span=span)
