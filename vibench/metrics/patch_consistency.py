"""DEVIL's patch consistency: how well a patch of one frame is found again near its place in the next.

Source: Szeto and Corso, The DEVIL Is in the Details, CVPR 2022, and its code
(MichiganCOG/video-inpainting-evaluation, ``pcons_psnr`` and ``pcons_psnr_mask``).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import NamedTuple

import cv2
import numpy as np

from vibench.clip import Case, Frame, Frames, Mask, as_pair
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series
from vibench.metrics.psnr import psnr

PATCH_PX = 50
REACH_PX = 20
SEED = 1234


class Corner(NamedTuple):
    """The upper left pixel of a patch."""

    row: int
    column: int


def patch_consistency(frame: Frame, following: Frame, corner: Corner) -> float:
    """Return the PSNR between a 50x50 patch of ``frame`` and the patch of ``following`` that is most like it.

    Both frames are uint8 (H, W, 3), and the result is in decibels, from 0 to 100, higher is better. ``corner`` is where
    the patch lies in ``frame``. In ``following``, corners from 20 px before to 19 px after it are tried in both
    directions, as far as they lie within the frame. Frames of other dtypes or shapes raise InputError.
    """
    frame, following = as_pair(frame, following)
    patch = frame[corner.row : corner.row + PATCH_PX, corner.column : corner.column + PATCH_PX]
    top, left = max(0, corner.row - REACH_PX), max(0, corner.column - REACH_PX)
    last = PATCH_PX + REACH_PX - 1
    searched = following[top : corner.row + last, left : corner.column + last]
    errors = cv2.matchTemplate(searched.astype(np.float32), patch.astype(np.float32), cv2.TM_SQDIFF)
    row, column = np.unravel_index(np.argmin(errors), errors.shape)
    found = searched[row : row + PATCH_PX, column : column + PATCH_PX]
    return psnr(found, patch) or 0.0


def centred_corner(hole: Mask) -> Corner | None:
    """Return the corner of a patch around the hole's centre of mass, moved so that the patch lies inside the frame.

    ``hole`` is bool (H, W). The result is None where it is empty.
    """
    if not hole.any():
        return None
    row, column = (
        min(max(floor(places.mean() - PATCH_PX / 2), 0), size - PATCH_PX)
        for places, size in zip(np.nonzero(hole), hole.shape, strict=True)
    )
    return Corner(row, column)


class PatchConsistency:
    """Likeness of a patch to its best match in the next frame (DEVIL), at random places and at the hole.

    DEVIL draws the random places of all clips from one generator, so that its number depends on the order of the clips.
    Here each clip begins with the same seed, 1234, as DEVIL's first clip does.
    """

    info = MetricInfo(
        name="patch-consistency-devil",
        title="patch consistency (DEVIL)",
        unit="dB",
        better="higher",
        has_floor=True,
        needs=frozenset(),
        source="MichiganCOG/video-inpainting-evaluation pcons_psnr: "
        "50 px patches, 20 px reach, seed 1234 for every clip",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per pair of frames in the regions ``frame``, a random place, and ``hole``, its centre.

        A single frame, or frames of up to 50 px a side, raise InputError.
        """
        height, width = frames.shape[1:3]
        if len(frames) < 2 or min(height, width) <= PATCH_PX:
            raise InputError(
                f"{self.info.name} needs two frames larger than its patches of {PATCH_PX} px, "
                f"not {len(frames)} of {width}x{height}"
            )
        generator = np.random.default_rng(SEED)
        anywhere, around = [], []
        for frame, following, hole in zip(frames[:-1], frames[1:], case.holes[:-1], strict=True):
            random = Corner(int(generator.integers(height - PATCH_PX)), int(generator.integers(width - PATCH_PX)))
            anywhere.append(patch_consistency(frame, following, random))
            centred = centred_corner(hole)
            around.append(None if centred is None else patch_consistency(frame, following, centred))
        return {"frame": Series.of(anywhere), "hole": Series.of(around)}
