"""Frames from what a user names: a video file, a folder of images, an animated picture, or one image."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vibench.clip import Frame, Frames
from vibench.errors import InputError
from vibench.media.images import SUFFIXES, pictures_in, read_image, read_pictures, sequence_in
from vibench.media.look import PLAIN, Look
from vibench.media.video import TimedFrame, collected, iter_video

IMAGE_SECONDS = Fraction(1, 24)
"""For so long an image is shown that says no time of its own."""


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
    @property
    def time_base(self) -> Fraction: ...  # noqa: D102
    @property
    def look(self) -> Look: ...  # noqa: D102
    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102
    def __iter__(self) -> Iterator[Frame]: ...
    def timed(self) -> Iterator[TimedFrame]: ...  # noqa: D102
    def count(self, expected: int | None = None) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class ImageSequence:
    """Images as frames, in natural order, decoded one at a time. They count as 24 frames per second by default."""

    files: tuple[Path, ...]
    height: int
    width: int
    frames_per_second: float = 24.0
    has_audio: bool = False
    time_base: Fraction = IMAGE_SECONDS
    look: Look = PLAIN
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """The number of images."""
        return len(self.files)

    def count(self, expected: int | None = None) -> int:
        """Return the number of images."""
        return len(self.files)

    def __iter__(self) -> Iterator[Frame]:
        """Yield uint8 (H, W, 3) RGB; raise InputError where a file is damaged or of another size than the first."""
        for file in self.files:
            frame = read_image(file)
            check_size(file, "frame", frame.shape[:2], (self.height, self.width))
            yield frame

    def timed(self) -> Iterator[TimedFrame]:
        """Yield the frames at equal distances."""
        for index, frame in enumerate(self):
            yield TimedFrame(frame, index * self.time_base, self.time_base)


@dataclass(frozen=True)
class Animation:
    """The pictures of one file (animated PNG or WebP, TIFF of several pages) as frames, with the times that it says."""

    path: Path
    height: int
    width: int
    frames: int
    frames_per_second: float
    has_audio: bool = False
    time_base: Fraction = Fraction(1, 24_000)
    look: Look = PLAIN
    notes: tuple[str, ...] = ()

    def count(self, expected: int | None = None) -> int:
        """Return the number of pictures."""
        return self.frames

    def __iter__(self) -> Iterator[Frame]:
        """Yield uint8 (H, W, 3) RGB; raise InputError where a picture is damaged or of another size than the first."""
        for timed in self.timed():
            yield timed.frame

    def timed(self) -> Iterator[TimedFrame]:
        """Yield the frames one after the other, each for as long as the file says, or 1/24 s."""
        begins = Fraction(0)
        for frame, milliseconds in read_pictures(self.path):
            check_size(self.path, "frame", frame.shape[:2], (self.height, self.width))
            lasts = Fraction(milliseconds, 1000) or IMAGE_SECONDS
            yield TimedFrame(frame, begins, lasts)
            begins += lasts


def open_frames(path: Path) -> FrameSource:
    """Open a video file, a folder of images, an animation or one image for streaming.

    Raises InputError where it is none of them, and where a folder holds two images that differ in their suffix only.
    """
    if not path.exists():
        raise InputError(f"there is nothing at {path}; name a video file or a folder of images")
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        return iter_video(path)
    files = sequence_in(path) if path.is_dir() else (path,)
    if not files:
        raise InputError(f"the folder {path} holds no images ({', '.join(sorted(SUFFIXES))})")
    if not path.is_dir() and (count := pictures_in(path)) > 1:
        first, milliseconds = next(read_pictures(path))
        rate = 1000 / milliseconds if milliseconds else 24.0
        return Animation(path, first.shape[0], first.shape[1], count, rate)
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
