"""A box instead of a mask: a rectangle in the first frame, followed through the clip by optical flow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frame, Mask
from vibench.errors import InputError
from vibench.files import replacing

MARGIN = 0.5
"""Flow is computed in the box and so much of its sides around it, so that a large frame costs what its box costs."""

SMALLEST_PX = 16
"""DIS needs windows of this side."""


class Box(NamedTuple):
    """A rectangle in pixels: its left upper corner, from 0, and its sides."""

    x: float
    y: float
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read ``X,Y,W,H``; raise InputError for anything else."""
        found = re.fullmatch(r"\s*(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})\s*", text)
        if found is None or 0 in (int(found[3]), int(found[4])):
            raise InputError(f"{text!r} is no box; write X,Y,WIDTH,HEIGHT in pixels of the first frame: 40,30,64,48")
        return cls(int(found[1]), int(found[2]), int(found[3]), int(found[4]))

    def mask(self, height: int, width: int) -> Mask:
        """Bool (height, width), True in what of the box lies in the frame."""
        mask = np.zeros((height, width), bool)
        left, top = round(self.x), round(self.y)
        mask[max(0, top) : max(0, top + self.height), max(0, left) : max(0, left + self.width)] = True
        return mask


def followed(box: Box, frames: Iterable[Frame]) -> Iterator[Box]:
    """Yield the box in every frame: it moves by the median of DIS flow inside it, from each frame to the next.

    It keeps its size, and may leave the frame. What turns, grows or is hidden is not followed; look at the preview.
    """
    flow_between = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before: NDArray[np.uint8] | None = None
    for frame in frames:
        grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
        if before is not None:
            box = _moved(box, before, grey, flow_between)
        yield box
        before = grey


def _moved(box: Box, before: NDArray[np.uint8], now: NDArray[np.uint8], flow_between: cv2.DISOpticalFlow) -> Box:
    height, width = now.shape
    around = [MARGIN * box.width + SMALLEST_PX, MARGIN * box.height + SMALLEST_PX]
    left, top = max(0, round(box.x - around[0])), max(0, round(box.y - around[1]))
    right, bottom = round(box.x + box.width + around[0]), round(box.y + box.height + around[1])
    window = np.s_[top : min(bottom, height), left : min(right, width)]
    inside = box.mask(height, width)[window]
    if not inside.any() or min(inside.shape) < SMALLEST_PX:
        return box
    first, second = (np.ascontiguousarray(one[window]) for one in (before, now))
    flow = flow_between.calc(first, second, None)  # type: ignore[call-overload]
    x, y = np.median(flow[inside], axis=0)
    return box._replace(x=box.x + float(x), y=box.y + float(y))


def write_masks(box: Box, frames: Iterable[Frame], names: Iterable[str], folder: Path) -> int:
    """Write the box in each frame as a mask, ``folder/NAME.png``, and return in how many frames it can be seen.

    Raises InputError where the box lies outside the first frame.
    """
    from PIL import Image

    seen = 0
    frames = iter(frames)
    pairs = _beside(frames, box)
    for name, (frame, place) in zip(names, pairs, strict=False):
        mask = place.mask(*frame.shape[:2])
        if not seen and not mask.any():
            raise InputError(
                f"the box {box.x:.0f},{box.y:.0f},{box.width},{box.height} lies outside the frame, which is "
                f"{frame.shape[1]}x{frame.shape[0]}"
            )
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(folder / f"{name}.png")
        seen += bool(mask.any())
    return seen


def _beside(frames: Iterator[Frame], box: Box) -> Iterator[tuple[Frame, Box]]:
    held: list[Frame] = []

    def kept() -> Iterator[Frame]:
        for frame in frames:
            held[:] = [frame]
            yield frame

    for place in followed(box, kept()):
        yield held[0], place


def write_preview(pairs: Iterable[tuple[Frame, Mask]], count: int, output: Path, shown: int = 6) -> None:
    """Write a strip of ``shown`` frames of ``count``, evenly spaced, with their masks in red, as a picture.

    Raises InputError where the name does not end like a picture that can be written.
    """
    from PIL import Image

    if output.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"{output} does not say a picture format; end it in .png or .jpg")
    wanted = {round(place) for place in np.linspace(0, max(0, count - 1), min(shown, max(1, count)))}
    tiles = []
    for number, (frame, mask) in enumerate(pairs):
        if number in wanted:
            red = frame.copy()
            red[mask] = (frame[mask] // 2 + np.array([127, 0, 0])).astype(np.uint8)
            tiles.append(
                cv2.resize(red, (max(1, 240 * frame.shape[1] // frame.shape[0]), 240), None, 0, 0, cv2.INTER_AREA)
            )
    with replacing(output) as partial:
        Image.fromarray(np.hstack(tiles)).save(partial, format="PNG" if output.suffix.lower() == ".png" else "JPEG")
