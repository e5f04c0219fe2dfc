"""Which mask belongs to which frame: by name where both are folders of images, or else by place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from vibench.errors import InputError
from vibench.media.beside import Say
from vibench.media.frames import FrameSource, ImageSequence
from vibench.media.masks import MaskSource, check_counts, check_marked, marked

Key = Callable[[Path], str | int | None]

MOST_MARKED = 0.9
"""Masks that mark a larger share of the pixels get a note: they may be inverted."""


def fitting_masks(frames: FrameSource, masks: MaskSource, say: Say) -> MaskSource:
    """Return the masks in the order of the frames; raise InputError, before anything is filled, where they do not fit.

    That is where a frame or a mask has no partner, where a mask cannot be read, and where the masks mark nothing or
    everything. ``say`` is told where partners are not certain.
    """
    if isinstance(frames, ImageSequence) and len(masks.files) > 1:
        masks = by_name(frames.files, masks, say)
    elif len(masks.files) > 1 and (gap := _gap(masks.files)):
        say(f"{masks.path}: the numbers of the masks leap from {gap[0].name} to {gap[1].name}; they pair by place")
    held = marked(masks)
    if held.masks is not None:
        check_counts(masks, held.masks, frames.count(held.masks))
    check_marked(masks.path, held.share)
    if held.share > MOST_MARKED:
        say(f"the mask {masks.path} marks {held.share:.0%} of all pixels; white is the hole, is it inverted?")
    return masks


def by_name(frames: Sequence[Path], masks: MaskSource, say: Say) -> MaskSource:
    """Return the masks in the order of the frames whose names they carry.

    Names are equal where the files' names without suffix are, or where the last numbers in them are. Folders that share
    no name pair by place, which ``say`` is told. Raises InputError for the first frame or mask that has no partner.
    """
    if (shared := _sharing(frames, masks.files)) is None:
        check_counts(masks, len(masks.files), len(frames))
        say(f"{masks.path}: no mask has the name of a frame; they pair by place, {masks.files[0].name} first")
        return masks
    of_frames, of_masks = shared
    if alone := [file for name, file in of_frames.items() if name not in of_masks]:
        raise InputError(f"the frame {alone[0]} has no mask of its name in {masks.path}; one mask a frame is needed")
    _check_no_mask_alone(of_frames, of_masks)
    return replace(masks, files=tuple(of_masks[name] for name in of_frames))


def frames_of_masks(frames: Sequence[Path], masks: MaskSource, count: int | None, say: Say) -> list[int]:
    """Return the number of the frame, from 0, that each of the masks belongs to; not every frame needs one.

    Where ``frames`` are images they pair by name as in ``by_name``. Where they are a video (``frames`` is empty), masks
    whose numbers follow each other pair by place, and the others by their numbers, from 0, or from 1 where that is the
    lowest. ``count`` is the number of frames, None where it is not known. Raises InputError for a mask without a frame,
    and where masks that pair by place are not as many as the frames.
    """
    if shared := _sharing(frames, masks.files) if frames else None:
        of_frames, of_masks = shared
        _check_no_mask_alone(of_frames, of_masks)
        order = {name: place for place, name in enumerate(of_frames)}
        return [order[name] for name in of_masks]
    numbers = sorted(int(name) for name in (_keyed(masks.files, _number) or {}) if not frames)
    if not numbers or numbers == [*range(numbers[0], numbers[0] + len(numbers))]:
        if count is not None:
            check_counts(masks, len(masks.files), len(frames) or count)
        say(f"{masks.path}: no mask has the name of a frame; they pair by place, {masks.files[0].name} first")
        return [*range(len(masks.files))]
    first = int(numbers[0] == 1)
    if count is not None and numbers[-1] - first >= count:
        raise InputError(
            f"the masks in {masks.path} are numbered up to {numbers[-1]}, and the clip has {count} frames; "
            "number them as the frames of the clip, from 0 or 1"
        )
    return [int(number) - first for number in (_number(file) or 0 for file in masks.files)]


_Keyed = dict[str | int, Path]


def _sharing(frames: Sequence[Path], masks: Sequence[Path]) -> tuple[_Keyed, _Keyed] | None:
    """Frames and masks by the first kind of name that one of each shares; None where they share none."""
    for key in (_stem, _number):
        of_frames, of_masks = _keyed(frames, key), _keyed(masks, key)
        if of_frames is not None and of_masks is not None and of_frames.keys() & of_masks.keys():
            return of_frames, of_masks
    return None


def _check_no_mask_alone(of_frames: _Keyed, of_masks: _Keyed) -> None:
    if alone := [file for name, file in of_masks.items() if name not in of_frames]:
        folder = next(iter(of_frames.values())).parent
        raise InputError(f"the mask {alone[0]} has no frame of its name in {folder}; take it away")


def _keyed(files: Sequence[Path], key: Key) -> _Keyed | None:
    """Files by their key; None where one has none or two have the same."""
    found = {name: file for file in files if (name := key(file)) is not None}
    return found if len(found) == len(files) else None


def _stem(file: Path) -> str:
    return file.stem


def _number(file: Path) -> int | None:
    numbers = re.findall(r"\d+", file.stem)
    return int(numbers[-1]) if numbers else None


def _gap(files: Sequence[Path]) -> tuple[Path, Path] | None:
    """The first two neighbours whose numbers lie further apart than the first two files'; None where there are none."""
    keyed = _keyed(files, _number)
    numbers = [int(name) for name in keyed or ()]
    steps = [after - before for before, after in pairwise(numbers)]
    return next(((files[at], files[at + 1]) for at, step in enumerate(steps) if step != min(steps)), None)
