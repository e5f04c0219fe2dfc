"""Photos as squares of one size, of a folder or prepared as one file, split by name into training and validation."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vinet.errors import VINetError
from vinet.files import replacing

SIDE_PX = 288
SUFFIXES = (".jpg", ".jpeg", ".png")
ONE_IN = 20
"""Of so many photos one is for validation."""


def photos(folder: str, *, validation: bool) -> tuple[Path, ...]:
    """The photos of `folder`, or of a file that `prepare` made, on one side of the split, in the order of their names.

    A photo of such a file has the path that it would have in a folder of the file's name.
    """
    root = Path(folder)
    if folder and root.is_file():
        files = [root / name for name in sorted(_opened(root).keys())]
    elif folder and root.is_dir():
        files = _files(root)
    else:
        raise VINetError(f"data.photos must be a folder of photos, or one prepared file (--photos), not {folder!r}")
    chosen = tuple(path for path in files if held_out(path.name) == validation)
    if len(chosen) < 2:
        raise VINetError(f"{folder} holds too few photos: {len(files)}, and a split needs two on either side")
    return chosen


def prepare(folder: Path, output: Path) -> int:
    """Write the squares of all photos of a folder into one file, as a GPU wants to read them; returns their number."""
    if not folder.is_dir() or not (files := _files(folder)):
        raise VINetError(f"{folder} is no folder of photos ({', '.join(SUFFIXES)})")
    with replacing(output) as temporary:
        save_file({path.name: _square(path) for path in files}, temporary)
    return len(files)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


@lru_cache(maxsize=4)
def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise VINetError(f"{path} is no file of photos that `vinet prepare` made: {error}") from error


def held_out(name: str) -> bool:
    """Whether a file of this name is for validation: a matter of its name alone, so that adding files moves none."""
    return hashlib.sha256(name.encode()).digest()[0] % ONE_IN == 0


def squares(paths: Sequence[Path]) -> Tensor:
    """(N, 3, 288, 288) uint8: the middle of each photo, its short side scaled to 288 px."""
    return torch.stack([_square(path) for path in paths])


@lru_cache(maxsize=2048)
def _square(path: Path) -> Tensor:
    if path.parent.is_file():
        return _prepared(path)
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


def _prepared(path: Path) -> Tensor:
    square: Tensor = _opened(path.parent).get_tensor(path.name)
    if square.dtype != torch.uint8 or square.shape != (3, SIDE_PX, SIDE_PX):
        raise VINetError(f"{path} is no square of {SIDE_PX} px but {square.dtype} {tuple(square.shape)}")
    return square
