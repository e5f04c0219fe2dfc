"""Frame by frame: the smoothest surface through the hole's border, as scikit-image has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from skimage.restoration import inpaint_biharmonic

from vibench.clip import Frame, Frames, Holed, Mask


class Biharmonic:
    """Fill each frame alone with the solution of the biharmonic equation (Damelin and Hoang 2018).

    It solves one linear system a hole, so its time grows faster than the hole's area: seconds a frame for large holes.
    A frame that is all hole stays black.
    """

    knows = "one frame"

    def __call__(self, holed: Holed) -> Frames:
        """Fill every frame on its own."""
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Fill each frame as it comes."""
        for frame, mask in zip(frames, masks, strict=True):
            yield _filled(frame, mask)


def _filled(frame: Frame, mask: Mask) -> Frame:
    if not mask.any() or mask.all():
        return frame.copy()
    filled = inpaint_biharmonic(frame, mask, split_into_regions=True, channel_axis=-1)  # float, 0..1
    return np.where(mask[..., None], (filled * 255).round().clip(0, 255).astype(np.uint8), frame)
