"""Silhouettes from masks that lie beside a clip: which mask belongs to which frame, and which frames have none."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Clip, Frames, Labels, Masks
from vibench.data.dataset import Dataset
from vibench.errors import InputError, reading
from vibench.media.frames import check_size
from vibench.media.images import SUFFIXES, image_files, palette_labels
from vibench.media.masks import open_masks, read_masks
from vibench.media.pairing import frames_of_masks
from vibench.media.video import VIDEO_SUFFIXES

LOG = logging.getLogger(__name__)

MASK_SUFFIXES = VIDEO_SUFFIXES | SUFFIXES | {".npy"}
"""Files that can be the masks of a clip, beside folders of images."""

_OF_MASKS = re.compile(r"[-_. ]masks?$", re.IGNORECASE)


class Silhouettes(NamedTuple):
    """What masks say of a clip's objects; the fields are those of ``vibench.clip.Clip``."""

    objects: Masks
    labels: Labels | None = None
    annotated: NDArray[np.bool_] | None = None

    def on(self, clip: Clip) -> Clip:
        """The clip with these silhouettes in the place of its own."""
        return replace(clip, objects=self.objects, labels=self.labels, annotated=self.annotated)


def with_masks(clips: Dataset, folder: Path) -> Dataset:
    """The data set with the masks in ``folder`` as its silhouettes, found by the clips' names.

    The masks of clip ``cats`` are ``cats/`` (images), ``cats.mp4``, ``cats.png`` (one for all frames) or ``cats.npy``,
    or ``cats_mask`` of these kinds; of a data set of one clip, ``folder`` may be its masks itself. Raises InputError
    where there is no ``folder``; a clip without masks raises when it is read.
    """
    if not folder.exists():
        raise InputError(f"there is nothing at {folder}; --masks must name a folder with the masks of every clip")
    found = _masks_by_name(folder)
    names = clips.clip_names()
    if len(names) == 1 and (folder.is_file() or image_files(folder)):
        found = {names[0]: folder}
    if unused := sorted(found.keys() - set(names)):
        LOG.warning("%s: passed over the masks of %s: there is no such clip", folder, ", ".join(unused[:5]))

    def read(name: str, limit: int | None) -> Clip:
        clip = clips.read(name, limit)
        if name not in found:
            raise InputError(f"it has no masks in {folder}; name them {name}/, {name}.mp4, {name}.png or {name}.npy")
        return silhouettes(found[name], clip.frames, _frame_files(clips, name), limit).on(clip)

    def places(name: str) -> list[Path]:
        return [*clips.places(name), *([found[name]] if name in found else [])]

    return Dataset(clips.card, clips.frame_counts, read, places)


def silhouettes(
    masks: Path, frames: Frames, files: Sequence[Path] = (), limit: int | None = None, one_for_all: bool = True
) -> Silhouettes:
    """Read the masks of a clip.

    ``masks`` is what ``vibench.media.masks.open_masks`` takes. ``files`` are those that the ``frames`` were read from,
    if they are images; masks that are images find their frame by name then, or else by their number. A frame without a
    mask is not ``annotated``. ``limit`` says that only so many frames were read: masks of later frames do not count. A
    single image is the mask of all frames, unless it is not ``one_for_all``. Raises InputError where a mask cannot be
    read, has another size, or belongs to no frame.
    """
    count, height, width = frames.shape[:3]
    source = open_masks(masks, height, width)
    if not source.files or (one_for_all and len(source.files) == 1):
        return Silhouettes(read_masks(masks, count, height, width, may_be_longer=limit is not None, masks_of=source))
    places = frames_of_masks(files, source, None if limit else count, LOG.info)
    used = [(place, file) for place, file in zip(places, source.files, strict=True) if place < count]
    objects, annotated = np.zeros(frames.shape[:3], np.bool_), np.zeros(count, np.bool_)
    labels = _labels(used, objects.shape)
    if labels is not None:
        objects = labels > 0
    elif used:
        chosen = replace(source, files=tuple(file for _, file in used), still=False)
        for (place, _), mask in zip(used, chosen, strict=True):
            objects[place] = mask
    annotated[[place for place, _ in used]] = True
    return Silhouettes(objects, labels, None if annotated.all() else annotated)


def name_of(path: Path) -> str:
    """The clip that a file or folder of masks is for: its name without suffix, and without ``_mask`` at its end."""
    return _OF_MASKS.sub("", path.name if path.is_dir() else path.stem)


def _masks_by_name(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    with reading(folder):
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in inside:
            if path.name.startswith(".") or not (path.is_dir() or path.suffix.lower() in MASK_SUFFIXES):
                continue
            if (twin := found.setdefault(name_of(path), path)) is not path:
                raise InputError(f"{twin.name} and {path.name} in {folder} are both masks of one clip; keep one")
    return found


def _frame_files(clips: Dataset, name: str) -> list[Path]:
    """The images that a clip's frames were read from, if they are images in one folder; its first place is theirs."""
    places = clips.places(name)
    return image_files(places[0]) if places and places[0].is_dir() else []


def _labels(used: list[tuple[int, Path]], shape: tuple[int, ...]) -> Labels | None:
    """The numbers of the objects, where every mask is a palette image, which is how annotations are kept."""
    labels = np.zeros(shape, np.uint8)
    for place, file in used:
        found = palette_labels(file)
        if found is None:
            return None
        check_size(file, "mask", found.shape, shape[1:])
        labels[place] = found
    return labels if used else None
