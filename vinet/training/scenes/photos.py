"""A folder of photos as squares of one size, split by name into training and validation."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from vinet.errors import VINetError

SIDE_PX = 288
SUFFIXES = (".jpg", ".jpeg", ".png")
ONE_IN = 20
"""Of so many photos one is for validation."""


def photos(folder: str, *, validation: bool) -> tuple[Path, ...]:
    """The photos of `folder` that belong to one side of the split, in the order of their names."""
    root = Path(folder)
    if not folder or not root.is_dir():
        raise VINetError(f"data.photos must be a folder of photos (option --photos), not {folder!r}")
    files = sorted(path for path in root.iterdir() if path.suffix.lower() in SUFFIXES)
    chosen = tuple(path for path in files if held_out(path.name) == validation)
    if len(chosen) < 2:
        raise VINetError(f"{folder} holds too few photos: {len(files)}, and a split needs two on either side")
    return chosen


def held_out(name: str) -> bool:
    """Whether a file of this name is for validation: a matter of its name alone, so that adding files moves none."""
    return hashlib.sha256(name.encode()).digest()[0] % ONE_IN == 0


def squares(paths: Sequence[Path]) -> Tensor:
    """(N, 3, 288, 288) uint8: the middle of each photo, its short side scaled to 288 px."""
    return torch.stack([_square(path) for path in paths])


@lru_cache(maxsize=2048)
def _square(path: Path) -> Tensor:
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise VINetError(f"{path} is not a photo that can be read: {error}") from error
    scale = SIDE_PX / min(image.size)
    size = [max(SIDE_PX, round(side * scale)) for side in image.size]
    left, top = (size[0] - SIDE_PX) // 2, (size[1] - SIDE_PX) // 2
    resized = image.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    pixels = np.asarray(resized.crop((left, top, left + SIDE_PX, top + SIDE_PX)))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous()
