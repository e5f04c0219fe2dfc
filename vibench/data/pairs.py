"""Paired sets: clips with an object, the same clips without it, and the object's masks, as benchmarks publish them.

Which is which is told by the names of folders and files, in two orders: a folder for each part, with the clips in it
(``input/cats.mp4``, ``truth/cats.mp4``, ``masks/cats.mp4``), or one for each clip, with the parts in it
(``cats/video.mp4``, ``cats/mask.mp4``). Either may lie in folders that group the clips.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from vibench.clip import Clip, Frames
from vibench.data.dataset import Card, Dataset, Part
from vibench.data.silhouettes import MASK_SUFFIXES, name_of, silhouettes
from vibench.errors import InputError, reading, shown_name
from vibench.media.frames import read_frames
from vibench.media.images import SUFFIXES, image_files, natural
from vibench.media.resize import dilate
from vibench.media.video import VIDEO_SUFFIXES

LOG = logging.getLogger(__name__)

# fmt: off
NAMES: dict[Part, tuple[str, ...]] = {
    "input": ("input", "inputs", "unedited", "fg_bg", "objects_added", "source", "shot", "original", "raw_videos",
              "video", "videos", "frames"),
    "truth": ("truth", "gt", "ground_truth", "edited", "bg", "object_not_present", "target", "background", "clean"),
    "masks": ("masks", "mask", "masked", "mask_sam", "binary_mask"),
}
"""What published sets call each part, in lower case; the first that is there counts. Two ROSE sets, VOR, BeyondMasks,
EffectWorld, CORNE and DiffuEraser's examples are among them."""
# fmt: on

DEEPEST = 4
"""So many folders below the set's own a pair is looked for."""


@dataclass(frozen=True)
class Pair:
    """Where the parts of one clip lie; ``missing`` says which part it lacks, and where that was looked for."""

    name: str
    group: str
    input: Path
    truth: Path | None
    masks: Path | None
    missing: str = ""


def open_pairs(card: Card, root: Path, split: str | None) -> Dataset:
    """Open a paired set; ``card.parts`` says what its parts are called where ``NAMES`` does not know.

    Clips without a truth are read all the same: where nobody knows it, metrics that need it say so. Raises InputError
    where no pair is found.
    """
    names = {part: (card.parts[part].lower(),) if part in card.parts else NAMES[part] for part in get_args(Part)}
    with reading(root):
        found = list(_pairs(root.resolve(), names))
    pairs = {pair.name: pair for pair in found}
    if not pairs:
        called = "; ".join(f"{part}: {', '.join(words)}" for part, words in names.items())
        raise InputError(
            f"{root} holds no pairs: no folder has an input and masks, which are told by their names ({called})"
        )
    if len(pairs) < len(found):
        raise InputError(f"two clips in {root} are both called {_twice(found)!r}; give them different names")
    if without := [pair.name for pair in found if pair.truth is None and not pair.missing]:
        LOG.warning("%s: nobody knows the truth of %d of %d clips", root, len(without), len(found))

    def read(name: str, limit: int | None) -> Clip:
        return _read(pairs[name], limit)

    def places(name: str) -> list[Path]:
        pair = pairs[name]
        return [place for place in (pair.input, pair.truth, pair.masks) if place is not None]

    return Dataset(card, dict.fromkeys(pairs), read, places)


def _pairs(folder: Path, names: Mapping[Part, tuple[str, ...]], above: tuple[str, ...] = ()) -> Iterator[Pair]:
    """Every pair in ``folder`` and the folders below it; ``above`` are the folders on the way down."""
    inside = [path for path in _in_order(folder) if path.is_dir() or path.suffix.lower() in MASK_SUFFIXES]
    parts = _parts(folder, inside, names)
    if "input" in parts and "masks" in parts:
        if _is_one_clip(parts["input"]):
            yield _pair(folder.name if not above else above[-1], above[:-1], parts, parts)
        else:
            yield from _clip_by_clip(parts, above)
    elif len(above) < DEEPEST:
        for path in inside:
            if path.is_dir() and not image_files(path):
                yield from _pairs(path, names, (*above, path.name))


def _parts(folder: Path, inside: list[Path], names: Mapping[Part, tuple[str, ...]]) -> dict[Part, Path]:
    """Which of the entries of ``folder`` is which part; ``Env1_Edited`` in ``Env1`` is called ``edited``."""
    called: dict[str, Path] = {}
    for path in inside:
        name = (path.name if path.is_dir() else path.stem).lower()
        called.setdefault(name.removeprefix(f"{folder.name.lower()}_"), path)
    return {part: called[word] for part, words in names.items() for word in reversed(words) if word in called}


def _clip_by_clip(parts: dict[Part, Path], above: tuple[str, ...]) -> Iterator[Pair]:
    """The clips of a set with a folder for each part; they are those of its input."""
    by_name = {part: {name_of(path): path for path in _in_order(place)} for part, place in parts.items()}
    for part, places in by_name.items():
        if unused := sorted(places.keys() - by_name["input"].keys()):
            shown = ", ".join(unused[:5])
            LOG.warning("%s: passed over the %s of %s: there is no such input", parts[part], part, shown)
    for path in _in_order(parts["input"]):
        if _is_one_clip(path):
            name = path.name if path.is_dir() else path.stem
            own: dict[Part, Path] = {"input": path}
            own |= {part: found[name] for part, found in by_name.items() if part != "input" and name in found}
            yield _pair(name, above, own, parts)


def _pair(name: str, above: tuple[str, ...], own: Mapping[Part, Path], parts: Mapping[Part, Path]) -> Pair:
    """A pair of its ``own`` files; it should have one of all ``parts`` that the set has."""
    lacks = next((part for part in parts if part not in own), None)
    group = "-".join(above)
    return Pair(
        shown_name("-".join(part for part in (group, name) if part)),
        shown_name(group),
        own["input"],
        own.get("truth"),
        own.get("masks"),
        f"it has no {lacks}: nothing in {parts[lacks]} is called {name}" if lacks else "",
    )


def _read(pair: Pair, limit: int | None) -> Clip:
    if pair.missing or pair.masks is None:
        raise InputError(pair.missing)
    frames, rate = read_frames(pair.input, limit)
    truth = None if pair.truth is None else _truth(pair.truth, frames, limit)
    files = image_files(pair.input) if pair.input.is_dir() else []
    attributes = {"group": pair.group} if pair.group else {}
    clip = Clip(pair.name, frames, rate, background=truth, attributes=attributes)
    return silhouettes(pair.masks, frames, files, limit).on(clip)


def _truth(place: Path, frames: Frames, limit: int | None) -> Frames:
    truth, _ = read_frames(place, limit)
    if truth.shape[1:] != frames.shape[1:]:
        (height, width), (true_height, true_width) = frames.shape[1:3], truth.shape[1:3]
        raise InputError(f"its input is {width}x{height} px and its truth {true_width}x{true_height}: {place}")
    if len(truth) != len(frames):
        raise InputError(f"its input has {len(frames)} frames and its truth {len(truth)}: {place}")
    return truth


class Fit(NamedTuple):
    """How well input, truth and masks of a clip belong together, in grey levels.

    Differences are mean absolute ones over RGB. ``outside`` is the median over the pixels outside the mask, grown by
    ``MARGIN_PX``, in the worst frame, whose number is ``frame``: the shadow or reflection of an object, which lies
    outside the mask too, moves a median little as long as it covers less than half of the frame. ``means`` are the
    means inside and outside of the mask over all frames.
    """

    outside: float
    frame: int
    means: tuple[float, float]


MARGIN_PX = 8
"""So close to the mask an object may still show: masks are drawn and tracked to some pixels."""


def fit_of(clip: Clip) -> Fit | None:
    """Compare the input of a clip with its truth; None where there is no truth, or no pixel outside the mask."""
    if clip.background is None or clip.objects is None:
        return None
    worst, sums, counts = (-1.0, 0), [0.0, 0.0], [0, 0]
    for index, (frame, true, mask) in enumerate(zip(clip.frames, clip.background, clip.objects, strict=True)):
        difference = np.abs(frame.astype(np.int16) - true).mean(axis=-1)
        outside = ~dilate(mask[None], MARGIN_PX)[0]
        for place, where in enumerate((mask, outside)):
            sums[place] += float(difference[where].sum())
            counts[place] += int(where.sum())
        if outside.any():
            worst = max(worst, (float(np.median(difference[outside])), index))
    if worst[0] < 0:
        return None
    return Fit(*worst, (sums[0] / max(1, counts[0]), sums[1] / counts[1]))


def _in_order(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda p: natural(p.name))


def _is_one_clip(path: Path) -> bool:
    """Whether a path is a clip by itself: a video, an image, or a folder of images and nothing else that is a clip."""
    if path.is_file():
        return path.suffix.lower() in VIDEO_SUFFIXES | SUFFIXES
    others = (inner for inner in _in_order(path) if inner.is_dir() or inner.suffix.lower() in VIDEO_SUFFIXES)
    return bool(image_files(path)) and not any(others)


def _twice(pairs: list[Pair]) -> str:
    seen: set[str] = set()
    return next(pair.name for pair in pairs if pair.name in seen or seen.add(pair.name))  # type: ignore[func-returns-value]
