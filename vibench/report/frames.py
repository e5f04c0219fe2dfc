"""The frames that a run kept of one method on one case, as images or as a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vibench.clip import Frame
from vibench.errors import InputError
from vibench.files import disk_errors
from vibench.media.images import write_pictures
from vibench.results.kept_case import load_case

KEPT_BESIDE = ("input", "truth", "holes")
"""What may be named in place of a method."""


def write_frames(run: Path | str, method: str, case: str, output: Path | str) -> int:
    """Write a method's composited frames of one case, and return how many there are.

    ``run`` is a run's folder, ``method`` the label of one of its methods, or ``input``, ``truth`` or ``holes`` (white
    inside the hole), and ``case`` the name of one of its cases. ``output`` is a folder for PNG images 00000.png,
    00001.png and so on, or a video: .mp4, .mov and .m4v are for players, .mkv loses nothing (FFV1).

    Raises InputError where one of them is unknown, the frames were not kept, the case has no truth, or ``output`` is a
    folder that already holds images, which would mix with these.
    """
    kept = load_case(Path(run), case, () if method in KEPT_BESIDE else [method])
    frames: Iterator[Frame]
    if method == "holes":
        frames = (np.repeat(hole[..., None], 3, axis=2).astype(np.uint8) * 255 for hole in kept.holes)
    else:
        known = {"input": kept.frames, "truth": kept.truth, **kept.outputs}
        found = known[method]
        if found is None:
            raise InputError(f"nobody knows the truth of {case!r}")
        frames = iter(found)
    path = Path(output)
    with disk_errors(path.parent):
        if path.suffix:
            return _write_video(path, frames, (kept.frames.shape[1], kept.frames.shape[2]), kept.frames_per_second)
        if any(path.glob("*.png")):
            raise InputError(f"{str(path)!r} holds images already; name a new folder, or a video such as {path}.mp4")
        return write_pictures(path, frames)


def _write_video(path: Path, frames: Iterator[Frame], size: tuple[int, int], frames_per_second: float) -> int:
    from vibench.media.video_writer import open_writer

    count = 0
    with open_writer(path, *size, frames_per_second) as writer:
        for frame in frames:
            writer.write(frame)
            count += 1
    return count
