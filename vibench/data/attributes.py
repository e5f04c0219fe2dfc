"""Attributes by which cases are grouped: how far the hole, the object and the camera move, and how the hole deforms.

Source: Szeto and Corso, The DEVIL Is in the Details, CVPR 2022, and its code (MichiganCOG/devil). From there come
displacement, the union of silhouettes, and camera motion, the share of a frame that leaves the picture under affine
alignment. Our own choices are 5 sampled frames and the largest value among their pairs, ORB features at 240 px, and
silhouettes that are aligned by their centres of mass.
"""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frame, Frames, Mask, Masks
from vibench.media.resize import resize_frames, resize_masks

SAMPLED_FRAMES = 5
SHORT_SIDE_PX = 240
REPROJECTION_PX = 3.0

Affine = NDArray[np.float64]
"""A (2, 3) matrix that acts on (x, y, 1)."""


def attributes_of(frames: Frames, holes: Masks, objects: Masks | None) -> dict[str, float]:
    """Return each attribute's value in 0..1, rounded to four digits.

    ``frames`` are those of the truth or of the input, uint8 (T, H, W, 3). ``holes`` and ``objects`` are bool (T, H, W);
    the camera's motion is measured outside the objects. What cannot be known, since there is no object or nothing to
    align frames by, is left out.
    """
    found = {"hole motion": displacement(holes), "hole deformation": deformation(holes)}
    if objects is not None and objects.any():
        found["object motion"] = displacement(objects)
    camera = camera_motion(frames, objects)
    if camera is not None:
        found["camera motion"] = camera
    return {name: round(value, 4) for name, value in found.items()}


def displacement(masks: Masks) -> float:
    """Return the share of the frame that bool (T, H, W) covers at some time: DEVIL's foreground displacement."""
    return float(masks.any(axis=0).mean())


def deformation(masks: Masks) -> float:
    """Return the largest 1 - IoU of two sampled masks with aligned centres of mass; empty masks do not count."""
    shapes = [masks[index] for index in _sampled(len(masks)) if masks[index].any()]
    return max((1 - _aligned_overlap(a, b) for a, b in combinations(shapes, 2)), default=0.0)


def camera_motion(frames: Frames, objects: Masks | None = None) -> float | None:
    """Return the largest share of a sampled frame that leaves the picture when the frame is aligned to another.

    As in DEVIL, a pair that cannot be aligned counts as 1 where other pairs can. Where no pair can, the result is None.
    """
    chosen = _sampled(len(frames))
    scale = min(1.0, SHORT_SIDE_PX / min(frames.shape[1:3]))
    height, width = (round(side * scale) for side in frames.shape[1:3])
    pictures = resize_frames(frames[chosen], width, height, "area")
    background = (
        np.ones(pictures.shape[:3], np.bool_) if objects is None else ~resize_masks(objects[chosen], width, height)
    )
    found = [_features(picture, mask) for picture, mask in zip(pictures, background, strict=True)]
    aligned = [_alignment(*pair) for pair in combinations(found, 2)]
    if all(affine is None for affine in aligned):
        return None
    return max(1.0 if affine is None else _lost(affine, height, width) for affine in aligned)


def _sampled(count: int) -> list[int]:
    return sorted({round(index) for index in np.linspace(0, count - 1, SAMPLED_FRAMES)})


def _aligned_overlap(first: Mask, second: Mask) -> float:
    rows, columns = (
        round(float(a.mean() - b.mean())) for a, b in zip(np.nonzero(first), np.nonzero(second), strict=True)
    )
    margin = ((abs(rows), abs(rows)), (abs(columns), abs(columns)))
    moved = np.roll(np.pad(second, margin), (rows, columns), (0, 1))
    fixed = np.pad(first, margin)
    return float((moved & fixed).sum() / (moved | fixed).sum())


def _features(picture: Frame, where: Mask) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
    """Places (N, 2) and descriptors of ORB's key points inside ``where``."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    points, descriptors = cv2.ORB_create(1000).detectAndCompute(grey, where.astype(np.uint8))  # type: ignore[attr-defined]
    return np.array([point.pt for point in points], np.float32).reshape(-1, 2), descriptors


def _alignment(
    first: tuple[NDArray[np.float32], NDArray[np.uint8] | None],
    second: tuple[NDArray[np.float32], NDArray[np.uint8] | None],
) -> Affine | None:
    if first[1] is None or second[1] is None:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(first[1], second[1])
    if len(matches) < 3:
        return None
    start = np.stack([first[0][match.queryIdx] for match in matches])
    end = np.stack([second[0][match.trainIdx] for match in matches])
    affine, _ = cv2.estimateAffine2D(start, end, ransacReprojThreshold=REPROJECTION_PX)
    return None if affine is None else np.asarray(affine, np.float64)


def _lost(affine: Affine, height: int, width: int) -> float:
    """The larger share of both directions: who zooms in loses nothing, who zooms out loses the border."""
    return max(
        _uncovered(matrix, height, width)
        for matrix in (affine, np.asarray(cv2.invertAffineTransform(affine), np.float64))
    )


def _uncovered(affine: Affine, height: int, width: int) -> float:
    covered = cv2.warpAffine(np.ones((height, width), np.uint8), affine, (width, height), flags=cv2.INTER_NEAREST)
    return float(np.mean(np.asarray(covered) == 0))
