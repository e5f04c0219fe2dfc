"""Masks from what a user names: an image, a folder of images, a video, or a numpy array. True is the hole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Mask, Masks
from vibench.errors import InputError
from vibench.media.frames import check_size
from vibench.media.images import SUFFIXES, binary, image_files, read_mask
from vibench.media.video import iter_video

T = TypeVar("T")


@dataclass(frozen=True)
class MaskSource:
    """Masks of one size, read one at a time. ``still`` says that there is one mask, which holds for every frame."""

    path: Path
    height: int
    width: int
    still: bool
    files: tuple[Path, ...] = ()

    def __iter__(self) -> Iterator[Mask]:
        """Yield bool (H, W), True inside the hole; a still mask is repeated without end.

        Raises InputError where a mask is not binary or has another size.
        """
        if self.path.suffix.lower() == ".npy":
            masks = _from_array(self.path)
        elif self.files:
            masks = (read_mask(file) for file in self.files)
        else:
            masks = (binary(frame[..., 1], self.path, lossy=True) for frame in iter_video(self.path))
        for mask in masks:
            check_size(self.path, "mask", mask.shape, (self.height, self.width))
            if self.still:
                yield from repeat(mask)
            yield mask


def open_masks(path: Path, height: int, width: int) -> MaskSource:
    """Open masks for frames of ``height`` x ``width`` pixels.

    ``path`` is an image, which holds for all frames; a folder of images, of which a single one holds for all frames; a
    video file; or a ``.npy`` array of shape (T, H, W), or (H, W) for all frames, whose dtype is bool or uint8 with 0
    and one other value. The hole is where a mask is not 0; in video and JPEG it is where the mask is bright. Raises
    InputError where ``path`` is none of these.
    """
    if not path.exists():
        raise InputError(f"there is no mask at {path}; name an image, a folder of images, a video or a .npy file")
    if path.suffix.lower() == ".npy" and path.is_file():
        return MaskSource(path, height, width, still=_array(path).ndim == 2)
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        return MaskSource(path, height, width, still=False)
    files = tuple(image_files(path)) if path.is_dir() else (path,)
    if not files:
        raise InputError(f"the mask folder {path} holds no images ({', '.join(sorted(SUFFIXES))})")
    return MaskSource(path, height, width, len(files) == 1, files)


def read_masks(path: Path, frames: int, height: int, width: int, *, may_be_longer: bool = False) -> Masks:
    """Read exactly ``frames`` masks, bool (T, H, W), True inside the hole, from what ``open_masks`` takes.

    Raises InputError also where there are fewer masks than frames, where there are more (unless they
    ``may_be_longer``), or where they mark nothing or everything.
    """
    masks = np.zeros((frames, height, width), dtype=np.bool_)
    source = open_masks(path, height, width)
    pairs = zip(range(frames), source, strict=False) if may_be_longer else paired(range(frames), source)
    count = 0
    for index, mask in pairs:
        masks[index] = mask
        count += 1
    if count < frames:
        raise InputError(f"{path} holds {count} masks and the clip has more frames; one mask a frame is needed")
    if not masks.any():
        raise InputError(f"the mask {path} marks no pixel in any frame; white (not 0) is the hole")
    if masks.all():
        raise InputError(
            f"the mask {path} marks every pixel of every frame; white (not 0) is the hole, is it inverted?"
        )
    return masks


def paired(frames: Iterable[T], masks: MaskSource) -> Iterator[tuple[T, Mask]]:
    """Yield each frame with its mask; raise InputError, when the shorter has ended, where their numbers differ."""
    left = iter(masks)
    count = 0
    for frame in frames:
        mask = next(left, None)
        if mask is None:
            raise InputError(
                f"{masks.path} holds {count} masks and the clip has more frames; one mask a frame is needed"
            )
        yield frame, mask
        count += 1
    if not masks.still and next(left, None) is not None:
        raise InputError(
            f"{masks.path} holds more masks than the {count} frames of the clip; one mask a frame is needed"
        )


def _array(path: Path) -> NDArray[np.generic]:
    """Open the array of a .npy file without reading it; raise InputError unless it can be a mask, never unpickling."""
    try:
        array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is not a whole .npy array: {error}") from error
    if array.dtype not in (np.bool_, np.uint8) or array.ndim not in (2, 3) or 0 in array.shape:
        raise InputError(
            f"{path} holds {array.dtype} {array.shape}; "
            "a mask is bool or uint8, (frames, height, width) or (height, width)"
        )
    return array


def _from_array(path: Path) -> Iterator[Mask]:
    array = _array(path)
    for mask in array if array.ndim == 3 else array[None]:
        yield binary(np.asarray(mask, dtype=np.uint8), path, lossy=False)
