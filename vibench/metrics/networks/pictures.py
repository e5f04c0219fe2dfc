"""Frames as backbones take them: resized by Pillow, cut in the middle, and normalised."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vibench.clip import Frame

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of the colours in 0..1, which DINOv2 and SAM are used with."""

CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""The same for CLIP."""


def resized(picture: Frame, width: int, height: int, filter: Any) -> Frame:
    """Return a picture, uint8 (H, W, 3), in another size by one of Pillow's filters, which smooth as they shrink."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((width, height), filter))


def short_side(picture: Frame, side_px: int, middle_px: int) -> Frame:
    """Return the middle square of ``middle_px`` of a picture whose short side was made ``side_px`` long.

    That is what the image processors of CLIP and DINOv2 in transformers do: bicubic by Pillow, the long side cut down
    to a whole number, and the square as near to the middle as whole pixels allow.
    """
    from PIL.Image import Resampling

    height, width = picture.shape[:2]
    short = min(height, width)
    wide, high = (side_px if length == short else int(side_px * length / short) for length in (width, height))
    larger = resized(picture, wide, high, Resampling.BICUBIC)
    top, left = ((length - middle_px) // 2 for length in larger.shape[:2])
    return larger[top : top + middle_px, left : left + middle_px]


def normalised(picture: NDArray[Any], mean: tuple[float, ...], deviation: tuple[float, ...]) -> torch.Tensor:
    """Return a picture, (H, W, 3) in 0..255, as float32 (1, 3, H, W): divided by 255, less the mean, by the deviation.

    That is done in float32, in this order, as the image processors do it.
    """
    scaled = picture.astype(np.float32) / np.float32(255)
    values = (scaled - np.asarray(mean, np.float32)) / np.asarray(deviation, np.float32)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]
