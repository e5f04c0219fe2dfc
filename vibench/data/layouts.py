"""How the files of each data set lie on the disk, and how a clip is read from them."""

from __future__ import annotations

import hashlib
import logging
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Clip, ExactFlow, Flows, Frame, Frames, Labels, Masks
from vibench.data.dataset import Card, Dataset, card_of
from vibench.data.pairs import open_pairs
from vibench.data.silhouettes import silhouettes, with_masks
from vibench.errors import InputError, one_line, reading, shown_name
from vibench.files import bundled
from vibench.files.mirror import local
from vibench.files.server import url_of
from vibench.media.frames import check_size, read_frames
from vibench.media.images import SUFFIXES, files_in, image_files, natural, read_image, read_labels
from vibench.media.video import MAX_SIDE_PX, VIDEO_SUFFIXES, read_video
from vibench.protocol import Protocol

LOG = logging.getLogger(__name__)
LISTING_BELIEVED_SECONDS = 60.0
"""So long data far away is taken to have the files that it had: a run opens it several times, its workers too."""
SHOWN = 5
"""So many files that are passed over are named."""

DAVIS_IMAGES = Path("JPEGImages", "480p")
DAVIS_ANNOTATIONS = Path("Annotations", "480p")
SINTEL = Path("training")
FLO_MAGIC = b"PIEH"  # 202021.25 as a little-endian float
FLO_HEADER = struct.Struct("<4sii")


def open_bundled(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Open the clips inside the package; ``data`` is not used."""

    def read(name: str, limit: int | None) -> Clip:
        file = card.files[name]
        path = bundled("datasets") / "bundled" / file.path
        with reading(path):
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise InputError(f"the bundled clip {path} was altered; install vibench again")
        frames, rate = read_video(path, limit)
        return Clip(name, frames, rate)

    return Dataset(
        card, dict(card.clips(split)), read, lambda name: [bundled("datasets") / "bundled" / card.files[name].path]
    )


def open_davis(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Open DAVIS: ``JPEGImages/480p/CLIP/00000.jpg`` and labels ``Annotations/480p/CLIP/00000.png`` (0: background)."""
    root = _root(card, data, DAVIS_IMAGES, DAVIS_ANNOTATIONS)
    counts = card.clips(split)

    def read(name: str, limit: int | None) -> Clip:
        pictures, annotations = root / DAVIS_IMAGES / name, root / DAVIS_ANNOTATIONS / name
        frames = _pictures(pictures, name, counts[name], limit)
        labels = _labels(annotations, "annotations", name, counts[name], len(frames), frames, beside=pictures)
        return Clip(name, frames, objects=labels > 0, labels=labels)

    return Dataset(card, dict(counts), read, lambda name: [root / DAVIS_IMAGES / name, root / DAVIS_ANNOTATIONS / name])


def open_sintel(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Open Sintel: ``final/CLIP/frame_0001.png``, ``flow/CLIP/frame_0001.flo``, ``occlusions`` within ``training``.

    The flow is known forward only. A pixel is visible where the occlusion map is black, the map of invalid pixels is
    black too (where there is one), and the flow ends inside the frame.
    """
    root = _root(card, data, SINTEL / "final", SINTEL / "flow", SINTEL / "occlusions")
    counts = card.clips(split)

    def read(name: str, limit: int | None) -> Clip:
        folders = {kind: root / SINTEL / kind / name for kind in ("final", "flow", "occlusions", "invalid")}
        frames = _pictures(folders["final"], name, counts[name], limit)
        pairs = len(frames) - 1
        flow = _sintel_flow(folders["flow"], name, counts[name] - 1, pairs, frames, beside=folders["final"])
        visible = _ends_inside(flow)
        for kind in ("occlusions", "invalid"):
            if kind == "occlusions" or folders[kind].is_dir():
                # There is one map of invalid pixels per frame, and one of occlusions per pair.
                marked = counts[name] - (kind == "occlusions")
                visible &= _labels(folders[kind], kind, name, marked, pairs, frames, beside=folders["final"]) == 0
        return Clip(name, frames, 24.0, flow=ExactFlow(flow, None, visible))

    def places(name: str) -> list[Path]:
        found = [root / SINTEL / kind / name for kind in ("final", "flow", "occlusions", "invalid")]
        return [folder for folder in found if folder.is_dir()]

    return Dataset(card, dict(counts), read, places)


def open_youtube_vos(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Open YouTube-VOS: ``test_all_frames/JPEGImages/CLIP/00000.jpg``, every clip and frame that lies there.

    Silhouettes are those of ``train/Annotations/CLIP/00000.png``, labels of every fifth frame, where they are there.
    """
    name = card.split(split)
    root = _root(card, data, Path(card.folders[name])) / card.folders[name]
    with reading(root):
        clips = {_clip_name(path): path for path in sorted(root.iterdir()) if path.is_dir()}
    if not clips:
        raise InputError(f"{root} holds no clips; unpack the archive of {card.name!r} there")

    annotations = data / card.annotations[name] if data and name in card.annotations else None

    def masks(clip: str) -> list[Path]:
        return [annotations / clip] if annotations and (annotations / clip).is_dir() else []

    def read(name: str, limit: int | None) -> Clip:
        clip = Clip(name, _pictures(clips[name], name, None, limit), 30.0)
        for labels in masks(name):
            clip = silhouettes(labels, clip.frames, image_files(clips[name]), limit, one_for_all=False).on(clip)
        return clip

    return Dataset(card, dict.fromkeys(clips), read, lambda name: [clips[name], *masks(name)])


def open_folder(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Open any folder: each folder of images and each video in it is a clip; images right inside are one clip.

    What is neither is passed over, which a line of the log says.
    """
    root = _existing(card, data)
    with reading(root):
        inside = sorted(root.iterdir(), key=lambda path: natural(path.name)) if root.is_dir() else []
        clips = [path for path in inside if _is_clip(path)]
        if images := image_files(root) if root.is_dir() else []:
            _say_passed_over(root, [path for path in inside if path not in images], f"{root.name} itself is the clip")
            return open_video(card, root, split)
    places = {_clip_name(path): path for path in clips}
    if len(places) < len(clips):
        raise InputError(f"two clips in {root} differ in their suffix only; give them different names")
    if not places:
        raise InputError(f"{root} holds no clips: neither folders of images nor video files")
    _say_passed_over(root, [path for path in inside if path not in clips], "neither folders of images nor video files")

    def read(name: str, limit: int | None) -> Clip:
        return _clip(name, places[name], limit)

    return Dataset(card, dict.fromkeys(places), read, lambda name: [places[name]])


def _say_passed_over(root: Path, paths: Iterable[Path], reason: str) -> None:
    others = [path.name for path in paths if not path.name.startswith(".")]
    shown = ", ".join(others[:SHOWN]) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
    if others:
        LOG.warning("%s: passed over %s: %s", root, one_line(shown), reason)


def open_video(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Open one clip: a video file or a folder of images, after which the clip is named."""
    root = _existing(card, data)

    def read(name: str, limit: int | None) -> Clip:
        return _clip(name, root, limit)

    return Dataset(card, {_clip_name(Path(os.path.realpath(root)), is_file=True): None}, read, lambda _: [root])


def open_synthetic(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Open the synthetic clips, which are rendered when they are read; ``data`` is not used."""
    counts = card.clips(split)
    width, height = card.sizes_px[split or card.default_split]

    def read(name: str, limit: int | None) -> Clip:
        from vibench.data.synthetic import render, scenes

        return render(scenes(height, width, min(counts[name], limit or counts[name]))[name])

    return Dataset(card, dict(counts), read)


def open_staged(card: Card, data: Path | None, split: str | None) -> Dataset:
    """Open the synthetic clips with side effects, which are rendered when they are read; ``data`` is not used."""
    counts = card.clips(split)
    width, height = card.sizes_px[split or card.default_split]

    def read(name: str, limit: int | None) -> Clip:
        from vibench.data.stage import render_staged, staged_scenes

        return render_staged(staged_scenes(height, width, min(counts[name], limit or counts[name]))[name])

    return Dataset(card, dict(counts), read)


def _clip_name(path: Path, is_file: bool | None = None) -> str:
    """The name of a folder, or that of a file without its suffix.

    Names stand in records and on pages, see ``shown_name``: bytes that are no UTF-8, as in old archives, are escaped.
    """
    return shown_name(path.stem if (path.is_file() if is_file is None else is_file) else path.name)


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


def _files(
    folder: Path,
    clip: str,
    kind: str,
    count: int | None,
    suffixes: frozenset[str] = SUFFIXES,
    beside: Path | None = None,
) -> list[Path]:
    """The files of a clip in natural order, as many as the card says (None: at least one).

    Those that belong to frames in the folder ``beside`` must have the frames' names.
    """
    if not folder.is_dir():
        raise InputError(f"clip {clip!r} is missing: there is no folder {folder}")
    files = files_in(folder, suffixes)
    if len(files) != count and (count is not None or not files):
        wanted = "at least one is needed" if count is None else f"its card says {count}; get it again"
        raise InputError(f"clip {clip!r} has {len(files)} {kind} in {folder}, and {wanted}")
    for file, frame in zip(files, image_files(beside) if beside else (), strict=False):
        if file.stem != frame.stem:
            raise InputError(
                f"clip {clip!r}: {file} stands where the frame {frame.name} needs one of its name; get it again"
            )
    return files


def _pictures(folder: Path, clip: str, count: int | None, limit: int | None) -> Frames:
    return np.stack(list(_equal(_files(folder, clip, "frames", count)[:limit])))


def _labels(folder: Path, kind: str, clip: str, count: int, used: int, frames: Frames, beside: Path) -> Labels:
    """The first ``used`` of the ``count`` label images of a clip: uint8 (used, H, W)."""
    labels = np.zeros((used, *frames.shape[1:3]), dtype=np.uint8)
    for index, file in enumerate(_files(folder, clip, kind, count, beside=beside)[:used]):
        label = read_labels(file)
        check_size(file, kind.removesuffix("s"), label.shape, frames.shape[1:3])
        labels[index] = label
    return labels


def _sintel_flow(folder: Path, clip: str, count: int, used: int, frames: Frames, beside: Path) -> Flows:
    flows = np.zeros((used, *frames.shape[1:3], 2), dtype=np.float32)
    for index, file in enumerate(_files(folder, clip, "flow files", count, frozenset({".flo"}), beside)[:used]):
        flow = read_flow(file)
        check_size(file, "flow", flow.shape[:2], frames.shape[1:3])
        flows[index] = flow
    return flows


def read_flow(path: Path) -> NDArray[np.float32]:
    """Read a file of Middlebury's ``.flo`` format: float32 (H, W, 2), (u, v) in pixels, right and down.

    Raises InputError where the file is missing, is not ``.flo``, or has another length than its header says.
    """
    if not path.is_file():
        raise InputError(f"there is no flow file {path}")
    with reading(path, "is not a whole .flo file"), path.open("rb") as file:
        size = path.stat().st_size
        header = file.read(FLO_HEADER.size)
        if len(header) < FLO_HEADER.size or not header.startswith(FLO_MAGIC):
            raise InputError(f"{path} is not a .flo file: it does not begin with {FLO_MAGIC.decode()}")
        _, width, height = FLO_HEADER.unpack(header)
        if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
            raise InputError(f"{path} says it is {width}x{height}; from 1 to {MAX_SIDE_PX} px a side are possible")
        if size != (promised := FLO_HEADER.size + width * height * 8):
            raise InputError(f"{path} has {size} bytes and should have {promised} for {width}x{height}; it is damaged")
        return np.fromfile(file, dtype="<f4").astype(np.float32, copy=False).reshape(height, width, 2)


def _ends_inside(flow: Flows) -> Masks:
    height, width = flow.shape[1:3]
    x, y = np.arange(width) + flow[..., 0], np.arange(height)[:, None] + flow[..., 1]
    inside: Masks = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside


def _equal(files: list[Path]) -> Iterable[Frame]:
    size = None
    for file in files:
        picture = read_image(file)
        size = size or picture.shape[:2]
        check_size(file, "frame", picture.shape[:2], size)
        yield picture


OPENERS: dict[str, Callable[[Card, Path | None, str | None], Dataset]] = {
    "bundled": open_bundled,
    "davis": open_davis,
    "sintel": open_sintel,
    "youtube-vos": open_youtube_vos,
    "folder": open_folder,
    "synthetic": open_synthetic,
    "staged": open_staged,
    "video": open_video,
    "pairs": lambda card, data, split: open_pairs(card, _existing(card, data), split),
}


def open_clips(protocol: Protocol, data: Path | None) -> Dataset:
    """Open the clips of a protocol with its masks; ``data`` is the folder in which they lie. See ``open_dataset``."""
    wanted = protocol.data
    clips = open_dataset(wanted.dataset, data, wanted.split)
    return clips if wanted.masks is None else with_masks(clips, masks_place(data, wanted.masks))


def masks_place(data: Path | None, masks: str | Path) -> Path:
    """Return where a user's own masks can be read here: they are named from the folder of the data, or by a URL."""
    place = Path(masks) if url_of(masks) is not None else (data or Path()) / masks
    return local(place, LISTING_BELIEVED_SECONDS)


def open_dataset(name: str, data: Path | None = None, split: str | None = None) -> Dataset:
    """Open a data set by its card's name, or as ``folder:PATH``, ``pairs:PATH`` or ``video:PATH``.

    ``data`` is the folder in which it lies. It, and ``PATH``, may be a URL: clips are fetched when they are read.

    Raises InputError for an unknown name or split, or where ``data`` is needed and is missing or has another layout.
    """
    card = card_of(name)
    if card.name == card.layout in ("folder", "pairs", "video"):
        place = name.partition(":")[2]
        if not place:
            raise InputError(f"data set {card.name!r} needs a place: write {card.name}:PATH")
        data = Path(place) if url_of(place) is not None else (data or Path()) / place
    here = None if data is None else local(data, LISTING_BELIEVED_SECONDS)
    return OPENERS[card.layout](card, here, split)
