"""How the files of each data set lie on the disk, and how a clip is read from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from vibench.clip import Clip, Frames, Masks
from vibench.dataset import Card, Dataset
from vibench.errors import InputError
from vibench.images import image_files, natural, read_image, read_labels
from vibench.resources import bundled
from vibench.sources import check_size, read_frames
from vibench.video import read_video

DAVIS_IMAGES = Path("JPEGImages", "480p")
DAVIS_ANNOTATIONS = Path("Annotations", "480p")
VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".gif", ".y4m", ".mpg", ".mpeg"})


def open_bundled(card: Card, data: Path | None, split: str | None) -> Dataset:
    """The clips inside the package; ``data`` is not needed and not looked at."""

    def read(name: str, limit: int | None) -> Clip:
        file = card.files[name]
        path = bundled("datasets") / "bundled" / file.path
        if hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
            raise InputError(f"the bundled clip {path} was altered; install vibench again")
        frames, rate = read_video(path, limit)
        return Clip(name, frames, rate)

    return Dataset(card, dict(card.clips(split)), read)


def open_davis(card: Card, data: Path | None, split: str | None) -> Dataset:
    """DAVIS: ``JPEGImages/480p/CLIP/00000.jpg`` and ``Annotations/480p/CLIP/00000.png`` (labels, 0 = background)."""
    root = _root(card, data, DAVIS_IMAGES, DAVIS_ANNOTATIONS)
    counts = card.clips(split)

    def read(name: str, limit: int | None) -> Clip:
        frames = _pictures(root / DAVIS_IMAGES / name, name, counts[name], limit)
        objects = _objects(root / DAVIS_ANNOTATIONS / name, name, counts[name], limit, frames)
        return Clip(name, frames, objects=objects)

    return Dataset(card, dict(counts), read)


def open_folder(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Any folder: each folder of images and each video right inside is a clip; images right inside are one clip."""
    root = _existing(card, data)
    if root.is_dir() and image_files(root):
        return open_video(card, root, split)
    inside = sorted(root.iterdir(), key=lambda path: natural(path.name)) if root.is_dir() else []
    clips = [path for path in inside if _is_clip(path)]
    places = {path.stem if path.is_file() else path.name: path for path in clips}
    if len(places) < len(clips):
        raise InputError(f"two clips in {root} differ in their suffix only; give them different names")
    if not places:
        raise InputError(f"{root} holds no clips: neither folders of images nor video files")

    def read(name: str, limit: int | None) -> Clip:
        return _clip(name, places[name], limit)

    return Dataset(card, dict.fromkeys(places), read)


def open_video(card: Card, data: Path | None, split: str | None) -> Dataset:
    """One clip: a video file or a folder of images, named after it."""
    root = _existing(card, data)

    def read(name: str, limit: int | None) -> Clip:
        return _clip(name, root, limit)

    return Dataset(card, {root.resolve().stem: None}, read)


def open_synthetic(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Rendered when asked for; ``data`` is not needed and not looked at."""
    counts = card.clips(split)
    width, height = card.sizes_px[split or card.default_split]

    def read(name: str, limit: int | None) -> Clip:
        from vibench.synthetic import render, scenes

        return render(scenes(height, width, min(counts[name], limit or counts[name]))[name])

    return Dataset(card, dict(counts), read)


def _clip(name: str, path: Path, limit: int | None) -> Clip:
    frames, rate = read_frames(path, limit)
    return Clip(name, frames, rate)


def _is_clip(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return bool(image_files(path)) if path.is_dir() else path.suffix.lower() in VIDEO_SUFFIXES


def _existing(card: Card, data: Path | None) -> Path:
    if data is None:
        raise InputError(
            f"data set {card.name!r} does not travel with vibench: give its folder with --data; {card.source}"
        )
    if not data.exists():
        raise InputError(f"there is nothing at {data}; --data must name the folder of {card.name!r}")
    return data


def _root(card: Card, data: Path | None, *parts: Path) -> Path:
    root = _existing(card, data)
    for part in parts:
        if not (root / part).is_dir():
            beside = ", ".join(str(place) for place in parts)
            raise InputError(f"{root} is not {card.name!r}: it has no folder {part}; --data must hold {beside}")
    return root


def _files(folder: Path, clip: str, kind: str, count: int) -> list[Path]:
    """The image files of a clip, as many as the card says."""
    if not folder.is_dir():
        raise InputError(f"clip {clip!r} is missing: there is no folder {folder}")
    files = image_files(folder)
    if len(files) != count:
        raise InputError(f"clip {clip!r} has {len(files)} {kind} in {folder}, and its card says {count}; get it again")
    return files


def _pictures(folder: Path, clip: str, count: int, limit: int | None) -> Frames:
    return np.stack(list(_equal(_files(folder, clip, "frames", count)[:limit], read_image)))


def _objects(folder: Path, clip: str, count: int, limit: int | None, frames: Frames) -> Masks:
    files = _files(folder, clip, "annotations", count)[:limit]
    labels = [read_labels(file) for file in files]
    for file, label in zip(files, labels, strict=True):
        check_size(file, "annotation", label.shape, frames.shape[1:3])
    return np.stack(labels) > 0


def _equal(files: list[Path], read: Callable[[Path], Frames]) -> Iterable[Frames]:
    size = None
    for file in files:
        picture = read(file)
        size = size or picture.shape[:2]
        check_size(file, "frame", picture.shape[:2], size)
        yield picture


OPENERS: dict[str, Callable[[Card, Path | None, str | None], Dataset]] = {
    "bundled": open_bundled,
    "davis": open_davis,
    "folder": open_folder,
    "synthetic": open_synthetic,
    "video": open_video,
}
