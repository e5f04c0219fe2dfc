"""Masks from what a user names: an image, a folder of images, a video, or a numpy array. True is the hole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Mask, Masks
from vibench.errors import InputError
from vibench.media.frames import check_size
from vibench.media.hole import DARK, Levels, hole_in, levels_of_paint
from vibench.media.images import LOSSY, SUFFIXES, pictures_in, read_levels, read_pictures, sequence_in
from vibench.media.video import iter_video

T = TypeVar("T")


@dataclass(frozen=True)
class MaskSource:
    """Masks of one size, read one at a time. ``still`` says that there is one mask, which holds for every frame.

    ``threshold`` is the lowest level of the hole, 1 to 255, where the user chose one; ``span`` says which of the masks
    are read, None all.
    """

    path: Path
    height: int
    width: int
    still: bool
    files: tuple[Path, ...] = ()
    threshold: int | None = None
    span: range | None = None

    def __iter__(self) -> Iterator[Mask]:
        """Yield bool (H, W), True inside the hole; a still mask is repeated without end.

        Raises InputError where a picture is no mask (``vibench.media.hole``) or has another size.
        """
        if self.span is None:
            return self._all()
        return islice(self._all(), self.span.start, self.span.stop)

    def _all(self) -> Iterator[Mask]:
        peak = None
        for levels, lossy, file in self._levels():
            check_size(file, "mask", levels.shape, (self.height, self.width))
            if peak is None:
                peak = self._peak() if lossy else 255
            mask = hole_in(levels, file, lossy, self.threshold, peak)
            if self.still:
                yield from repeat(mask)
            yield mask

    def _levels(self) -> Iterator[tuple[Levels, bool, Path]]:
        """Yield the levels of each mask, uint8 (H, W), whether a codec may have changed them, and their file."""
        if self.path.suffix.lower() == ".npy":
            yield from ((levels, False, self.path) for levels in _from_array(self.path))
        elif len(self.files) == 1 and pictures_in(self.files[0]) > 1:
            lossy = self.path.suffix.lower() in LOSSY
            for picture, _ in read_pictures(self.files[0]):
                yield levels_of_paint(picture, self.path, lossy), lossy, self.path
        elif self.files:
            for file in self.files:
                yield *read_levels(file), file
        else:
            video = iter_video(self.path)
            for frame in video:
                yield levels_of_paint(frame, self.path, not video.lossless), not video.lossless, self.path

    def _peak(self) -> int:
        """The highest level in all masks, or the first one that is not dark: masks of 0 and 1 have none."""
        peak = 0
        for levels, _, _ in self._levels():
            peak = max(peak, int(levels.max()))
            if peak >= DARK * 2:
                return 255
        return peak


class Marked(NamedTuple):
    """What masks hold: how many there are (None: one for all frames), and the share of pixels that they mark, 0..1."""

    masks: int | None
    share: float


def open_masks(path: Path, height: int, width: int, threshold: int | None = None) -> MaskSource:
    """Open masks for frames of ``height`` x ``width`` pixels.

    ``path`` is an image, which holds for all frames; a folder of images, of which a single one holds for all frames; an
    animated image; a video file; or a ``.npy`` array of shape (T, H, W), or (H, W) for all frames, whose dtype is bool
    or uint8. The hole is what is white, whatever the container (``vibench.media.hole``), or what is at least as bright
    as ``threshold``, 1 to 255. Raises InputError where ``path`` is none of these.
    """
    if not path.exists():
        raise InputError(f"there is no mask at {path}; name an image, a folder of images, a video or a .npy file")
    if threshold is not None and not 1 <= threshold <= 255:
        raise InputError(f"the threshold of the mask is {threshold}; it must be from 1 to 255")
    if path.suffix.lower() == ".npy" and path.is_file():
        return MaskSource(path, height, width, _array(path).ndim == 2, threshold=threshold)
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        # A GIF may be a picture or a film; any other video is a film.
        still = path.suffix.lower() == ".gif" and iter_video(path).count(1) == 1
        return MaskSource(path, height, width, still, threshold=threshold)
    files = sequence_in(path) if path.is_dir() else (path,)
    if not files:
        raise InputError(f"the mask folder {path} holds no images ({', '.join(sorted(SUFFIXES))})")
    still = len(files) == 1 and pictures_in(files[0]) == 1
    return MaskSource(path, height, width, still, files, threshold)


def marked(masks: MaskSource) -> Marked:
    """Read all masks once; raise InputError where one cannot be used, so that it is known before anything is filled."""
    count, share = 0, 0.0
    for mask in masks:
        count, share = count + 1, share + float(mask.mean())
        if masks.still:
            return Marked(None, share)
    return Marked(count, share / max(1, count))


def check_marked(path: Path, share: float) -> None:
    """Raise InputError where masks mark nothing, or everything."""
    if share == 0:
        raise InputError(f"the mask {path} marks no pixel in any frame; white (not 0) is the hole")
    if share == 1:
        raise InputError(
            f"the mask {path} marks every pixel of every frame; white (not 0) is the hole, is it inverted?"
        )


def read_masks(
    path: Path,
    frames: int,
    height: int,
    width: int,
    *,
    may_be_longer: bool = False,
    masks_of: MaskSource | None = None,
) -> Masks:
    """Read exactly ``frames`` masks, bool (T, H, W), True inside the hole, from what ``open_masks`` takes.

    Raises InputError also where there are fewer masks than frames, where there are more (unless they
    ``may_be_longer``), or where they mark nothing or everything.
    """
    masks = np.zeros((frames, height, width), dtype=np.bool_)
    source = masks_of or open_masks(path, height, width)
    pairs = zip(range(frames), source, strict=False) if may_be_longer else paired(range(frames), source)
    count = 0
    for index, mask in pairs:
        masks[index] = mask
        count += 1
    if count < frames:
        raise _too_few(path, count)
    check_marked(path, float(masks.mean()))
    return masks


def paired(frames: Iterable[T], masks: MaskSource) -> Iterator[tuple[T, Mask]]:
    """Yield each frame with its mask; raise InputError, when the shorter has ended, where their numbers differ."""
    left = iter(masks)
    count = 0
    for frame in frames:
        mask = next(left, None)
        if mask is None:
            raise _too_few(masks.path, count)
        yield frame, mask
        count += 1
    if not masks.still and next(left, None) is not None:
        raise _too_many(masks.path, count)


def check_counts(masks: MaskSource, count: int, frames: int) -> None:
    """Raise InputError where the numbers of masks and frames differ."""
    if count < frames:
        raise _too_few(masks.path, count)
    if count > frames:
        raise _too_many(masks.path, frames)


def _too_few(path: Path, count: int) -> InputError:
    return InputError(f"{path} holds {count} masks and the clip has more frames; one mask a frame is needed")


def _too_many(path: Path, frames: int) -> InputError:
    return InputError(f"{path} holds more masks than the {frames} frames of the clip; one mask a frame is needed")


def _array(path: Path) -> NDArray[np.generic]:
    """Open the array of a .npy file without reading it; raise InputError unless it can be a mask, never unpickling."""
    try:
        array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        reason = str(error).partition("\n")[0][:150]
        raise InputError(f"{path} is not a whole .npy array: {reason}") from error
    if array.dtype not in (np.bool_, np.uint8) or array.ndim not in (2, 3) or 0 in array.shape:
        raise InputError(
            f"{path} holds {array.dtype} {array.shape}; "
            "a mask is bool or uint8, (frames, height, width) or (height, width)"
        )
    return array


def _from_array(path: Path) -> Iterator[Levels]:
    array = _array(path)
    for mask in array if array.ndim == 3 else array[None]:
        yield np.asarray(mask, dtype=np.uint8)
