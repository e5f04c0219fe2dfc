"""Frame by frame: patches of the frame itself, found by PatchMatch, as the package PyPatchMatch has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from patchmatch import patch_match

from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import InputError, MissingResource

SEED = 0
"""The search draws at random; every frame starts from this number."""


class PatchMatch:
    """Fill each frame alone with patches of its own texture (Barnes et al. 2009, PatchMatch; Wexler et al. 2007).

    ``radius_px`` is that of the patches, which are 2 * radius + 1 pixels wide. A frame that is all hole stays black.
    """

    knows = "one frame"

    def __init__(self, radius_px: int = 3) -> None:
        if not isinstance(radius_px, int) or not 1 <= radius_px <= 30:
            raise InputError(f"patchmatch: radius_px is {radius_px!r}; it must be a whole number from 1 to 30")
        if not patch_match.patchmatch_available:
            raise MissingResource("PyPatchMatch is installed without its compiled library; install its wheel again")
        self.radius_px = radius_px

    def __call__(self, holed: Holed) -> Frames:
        """Fill every frame on its own."""
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Fill each frame as it comes."""
        for frame, mask in zip(frames, masks, strict=True):
            patch_match.set_random_seed(SEED)
            filled = patch_match.inpaint(frame, mask, patch_size=self.radius_px)
            yield np.where(mask.all(), np.uint8(0), np.asarray(filled, np.uint8))
