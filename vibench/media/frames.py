"""Frames from what a user names: a video file, a folder of images, or one image."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vibench.clip import Frame, Frames
from vibench.errors import InputError
from vibench.media.images import SUFFIXES, image_files, read_image
from vibench.media.video import collected, iter_video


class FrameSource(typing.Protocol):
    """Frames of one size that can be iterated any number of times; ``vibench.media.video.Video`` is one."""

    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def frames_per_second(self) -> float: ...  # noqa: D102
    @property
    def frames(self) -> int | None: ...  # noqa: D102
    @property
    def has_audio(self) -> bool: ...  # noqa: D102
    def __iter__(self) -> Iterator[Frame]: ...


@dataclass(frozen=True)
class ImageSequence:
    """Images as frames, in natural order, decoded one at a time. They count as 24 frames per second by default."""

    files: tuple[Path, ...]
    height: int
    width: int
    frames_per_second: float = 24.0
    has_audio: bool = False

    @property
    def frames(self) -> int:
        """The number of images."""
        return len(self.files)

    def __iter__(self) -> Iterator[Frame]:
        """Yield uint8 (H, W, 3) RGB; raise InputError where a file is damaged or of another size than the first."""
        for file in self.files:
            frame = read_image(file)
            check_size(file, "frame", frame.shape[:2], (self.height, self.width))
            yield frame


def open_frames(path: Path) -> FrameSource:
    """Open a video file, a folder of images or one image for streaming; raise InputError where it is none of them."""
    if not path.exists():
        raise InputError(f"there is nothing at {path}; name a video file or a folder of images")
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        return iter_video(path)
    files = tuple(image_files(path)) if path.is_dir() else (path,)
    if not files:
        raise InputError(f"the folder {path} holds no images ({', '.join(sorted(SUFFIXES))})")
    height, width = read_image(files[0]).shape[:2]
    return ImageSequence(files, height, width)


def read_frames(path: Path, limit: int | None = None) -> tuple[Frames, float]:
    """Read what ``open_frames`` takes, or its first ``limit`` frames: uint8 (T, H, W, 3), and frames per second."""
    source = open_frames(path)
    return collected(source, limit, source.height, source.width, path), source.frames_per_second


def check_size(path: Path, kind: str, size: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raise InputError where a frame or mask does not have the (height, width) of the clip."""
    if size != expected:
        raise InputError(
            f"the {kind} {path} is {size[1]}x{size[0]} and the frames of the clip are {expected[1]}x{expected[0]}; "
            "they must have one size"
        )
