"""Large frames: the network fills them small, at the size that training saw, and each doubling refines the holes.

A refining pass looks at windows around the holes alone, so that its time grows with the holes and not with the frames.
What no other frame shows it takes from the smaller pass.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, tee
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import torch

from vinet.errors import VINetError
from vinet.inference import Frame, Inpainter, Mask, neighbourhoods, planes
from vinet.network.pixels import PixelSources

LARGEST_PX = 288
"""Shorter side of frames that the network fills as they are: training saw clips of 256 px and crops of up to 240."""
MOST_HALVINGS = 6
MARGIN_PX = 64
"""Around a hole, what a refining pass looks at: flow is measured there, and other frames' pixels come from there."""

Place = tuple[slice, slice]
"""Rows and columns of a part of a frame."""


class Stream(Protocol):
    """What fills a video frame by frame."""

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Filled frames in order."""


class Holed(NamedTuple):
    """A frame and its holes."""

    frame: Frame
    mask: Mask

    def cut(self, place: Place) -> "Holed":
        """A part of both."""
        return Holed(self.frame[place], self.mask[place])


class Window(NamedTuple):
    """A part of a frame, and those of its hole pixels that lie in no other window."""

    place: Place
    hole: Mask  # of the part's size


class Pyramid:
    """Fills videos of any size with one network; small frames are filled by the network alone."""

    def __init__(self, inpainter: Inpainter, halvings: int | None = None) -> None:
        """Raises VINetError for a number that cannot be, or that this network cannot work by."""
        config = inpainter.config
        self.refines = config.pixel_composition and config.flow_warping
        if halvings is not None and not 0 <= halvings <= MOST_HALVINGS:
            raise VINetError(f"halvings is a number from 0 to {MOST_HALVINGS}, not {halvings}")
        if halvings and not self.refines:
            raise VINetError(
                f"halvings={halvings} needs a network that copies pixels along flow, as the compact one does"
            )
        self.inpainter = inpainter
        self.halvings = halvings
        """How often frames are halved first; None leaves it to their size."""

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Filled frames in order, each as soon as the frames that its neighbours need have been read."""
        frames = iter(frames)
        first = next(frames, None)
        times = 0 if first is None else self.halvings_of(*first.shape[:2])
        filler: Stream = self.inpainter
        for _ in range(times):
            filler = Refinement(filler, self.inpainter)
        return filler.stream(frames if first is None else chain([first], frames), masks)

    def halvings_of(self, height: int, width: int) -> int:
        """How often frames of this size are halved before the network fills them."""
        if self.halvings is not None:
            return self.halvings
        return halvings_until_small(height, width) if self.refines else 0


class Refinement:
    """Fills frames from what `smaller` fills at half their size, and from the pixels of other frames.

    Of the network only the part that composes pixels is run, with flow of the full size: to decode the frame once more
    changed nothing that was measured.
    """

    def __init__(self, smaller: Stream, inpainter: Inpainter) -> None:
        self.smaller = smaller
        self.inpainter = inpainter

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Filled frames in order; outside the windows around their holes they are the input's."""
        here, there = tee(Holed(*pair) for pair in zip(frames, masks, strict=True))
        small_frames, small_masks = tee(halved(holed) for holed in there)
        drafts = self.smaller.stream((holed.frame for holed in small_frames), (holed.mask for holed in small_masks))
        before: tuple[Holed, Frame] | None = None
        offsets = self.inpainter.config.neighbour_offsets
        for (now, nearby), draft in zip(neighbourhoods(here, offsets), drafts, strict=True):
            filled = self._filled(now, nearby, before, doubled(draft, now))
            yield filled
            before = (now, filled) if self.inpainter.settings.recurrence else None

    def _filled(self, now: Holed, nearby: list[Holed], before: tuple[Holed, Frame] | None, draft: Frame) -> Frame:
        filled = now.frame.copy()
        for place, hole in windows(now.mask):
            previous = None if before is None else (before[0].cut(place), before[1][place])
            part = self._composed(now.cut(place), [holed.cut(place) for holed in nearby], previous, draft[place])
            filled[place][hole] = part[hole]
        return filled

    @torch.inference_mode()
    def _composed(self, now: Holed, nearby: list[Holed], before: tuple[Holed, Frame] | None, draft: Frame) -> Frame:
        """A part of a frame from its draft, its neighbours and the frame before with what that was filled with."""
        look = self.inpainter.look
        seen, around = look(*now), [look(*holed) for holed in nearby]
        targets, sources = around, PixelSources.of(planes(around))
        if before is not None:
            last = look(*before[0])
            sources = sources.with_output(look(before[1], np.zeros_like(before[0].mask)).image, last.mask)
            targets = [*around, last]
        drawn = look(draft, np.zeros_like(now.mask)).image
        with self.inpainter.precision():
            flows = self.inpainter.flows(seen, targets)[0]
            output, _ = self.inpainter.network.pixels(drawn, seen.mask, sources, flows)
        return self.inpainter.to_frame(output, seen.size)


def halvings_until_small(height: int, width: int) -> int:
    """How often frames are halved until their shorter side is at most `LARGEST_PX`."""
    return max(0, int(np.ceil(np.log2(min(height, width) / LARGEST_PX))))


def halved(holed: Holed) -> Holed:
    """A frame of half the size, rounded up; a pixel that a hole has part in is hole, and 0."""
    height, width = holed.mask.shape
    size = -(-width // 2), -(-height // 2)
    share = cv2.resize(holed.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mask = np.asarray(share) > 1e-6
    frame = np.asarray(cv2.resize(holed.frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Holed(np.where(mask[..., None], 0, frame).astype(np.uint8), mask)


def doubled(draft: Frame, holed: Holed) -> Frame:
    """A smaller fill at the size of the frame that it is for, whose known pixels it gets."""
    height, width = holed.mask.shape
    larger = np.asarray(cv2.resize(draft, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.where(holed.mask[..., None], larger, holed.frame).astype(np.uint8)


def windows(mask: Mask) -> Iterator[Window]:
    """Windows with `MARGIN_PX` around the holes; holes nearer to each other than twice that share one."""
    side = 2 * MARGIN_PX + 1
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(grown)
    for label in range(1, count):
        left, top, width, height = boxes[label, :4]
        place = slice(int(top), int(top + height)), slice(int(left), int(left + width))
        yield Window(place, (labels[place] == label) & mask[place])
