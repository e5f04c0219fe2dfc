"""Frame by frame: the fluid-dynamics method of Bertalmio et al. (2001), as OpenCV has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import InputError


class NavierStokes:
    """Continue the lines of equal brightness into each frame's hole (Bertalmio et al. 2001, Navier-Stokes).

    ``radius_px`` is the neighbourhood that each pixel is computed from. A frame that is all hole stays black.
    """

    knows = "one frame"

    def __init__(self, radius_px: float = 3.0) -> None:
        if not 0 < radius_px <= 100:
            raise InputError(f"navier_stokes: radius_px is {radius_px}; it must be above 0 and at most 100")
        self.radius_px = float(radius_px)

    def __call__(self, holed: Holed) -> Frames:
        """Fill every frame on its own."""
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Fill each frame as it comes."""
        for frame, mask in zip(frames, masks, strict=True):
            filled = cv2.inpaint(frame, mask.astype(np.uint8), self.radius_px, cv2.INPAINT_NS)
            yield np.asarray(filled, np.uint8)
