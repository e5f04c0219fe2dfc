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
    for key in (_stem, _number):
        of_frames, of_masks = _keyed(frames, key), _keyed(masks.files, key)
        if of_frames is None or of_masks is None or not of_frames.keys() & of_masks.keys():
            continue
        alone = [file for name, file in of_frames.items() if name not in of_masks]
        if alone:
            raise InputError(
                f"the frame {alone[0]} has no mask of its name in {masks.path}; one mask a frame is needed"
            )
        alone = [file for name, file in of_masks.items() if name not in of_frames]
        if alone:
            raise InputError(f"the mask {alone[0]} has no frame of its name in {frames[0].parent}; take it away")
        return replace(masks, files=tuple(of_masks[name] for name in of_frames))
    check_counts(masks, len(masks.files), len(frames))
    say(f"{masks.path}: no mask has the name of a frame; they pair by place, {masks.files[0].name} first")
    return masks


def _keyed(files: Sequence[Path], key: Key) -> dict[str | int, Path] | None:
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
