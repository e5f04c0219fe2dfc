"""Video files: reading them frame by frame or whole, and the lossless files in which outputs are kept.

Reading makes these decisions and no others. Every decoded frame comes once, in the order of display. Time stamps are
dropped, so that a file of variable frame rate counts as one of its average rate. A rotation written in the file is
applied, as players do. Pixels are taken as square, and interlaced frames as they are. Deep colour is cut to 8 bits. YUV
becomes RGB by the matrix that the file names, or by BT.601 where it names none. Decoding and conversion use one thread
and the bit-exact paths of libav, so that the same file gives the same bytes on any number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from vibench.clip import Frame, Frames, check_frames, digest
from vibench.errors import InputError
from vibench.files import replacing

MAX_SIDE_PX = 16_384
"""Wider or higher frames are refused before they are decoded."""

MAX_CLIP_BYTES = 8 * 2**30
"""A clip that is read whole may take this much memory; a longer one must be cut or streamed."""

BIT_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT

# Playlists name other files and addresses; a video file must not make us open them.
_PLAYLISTS = {"hls", "concat", "dash", "sdp", "rtsp", "imf"}


@dataclass(frozen=True)
class Video:
    """A video file that can be iterated any number of times, frame by frame, in constant memory.

    ``height`` and ``width`` are those of the frames after rotation. ``frames`` is their number as the container gives
    it, or None where it gives none; only reading to the end tells it for certain.
    """

    path: Path
    height: int
    width: int
    frames_per_second: float
    frames: int | None
    has_audio: bool

    def __iter__(self) -> Iterator[Frame]:
        """Yield uint8 (H, W, 3) RGB; raise InputError where the file is damaged, cut short or changes its size."""
        last = None
        with _opened(self.path) as (container, stream):
            for index, frame in enumerate(_decoded(container, stream, self.path)):
                picture = _rgb(frame)
                if picture.shape != (self.height, self.width, 3):
                    raise InputError(
                        f"frame {index} of {self.path} is {picture.shape[1]}x{picture.shape[0]} and the first is "
                        f"{self.width}x{self.height}; all frames of a clip must have one size"
                    )
                yield picture
                last = frame
            _check_complete(container, stream, last, self.path)


def iter_video(path: Path) -> Video:
    """Open a video file for streaming; its first frame is decoded to know size and rotation.

    Raises InputError where ``path`` is no video, holds no frames or is too large.
    """
    with _opened(path) as (container, stream):
        first = next(_decoded(container, stream, path), None)
        if first is None:
            raise InputError(f"{path} holds no video frames")
        height, width = _rgb(first).shape[:2]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        return Video(path, height, width, float(rate), stream.frames or None, bool(container.streams.audio))


def read_video(path: Path, limit: int | None = None) -> tuple[Frames, float]:
    """Read a video file whole, or its first ``limit`` frames: uint8 (T, H, W, 3) and frames per second."""
    video = iter_video(path)
    frames = collected(video, limit, video.height, video.width, path)
    return frames, video.frames_per_second


def collected(frames: Iterable[Frame], limit: int | None, height: int, width: int, path: Path) -> Frames:
    """Gather a stream of frames into one array; raise InputError before it takes more than ``MAX_CLIP_BYTES``."""
    gathered = []
    for count, frame in enumerate(islice(iter(frames), limit), start=1):
        if count * height * width * 3 > MAX_CLIP_BYTES:
            raise InputError(
                f"{path} needs more than {MAX_CLIP_BYTES // 2**30} GiB of memory at {width}x{height}; "
                f"limit it to fewer than {count} frames, or use a method that streams"
            )
        gathered.append(frame)
    if not gathered:
        raise InputError(f"{path} gives no frames; a clip needs at least one")
    return np.stack(gathered)


def write_lossless(path: Path, frames: Frames, frames_per_second: float = 24.0, base: Frames | None = None) -> None:
    """Write uint8 (T, H, W, 3) RGB as FFV1 in Matroska, exact to the last bit, under its name only once complete.

    With ``base``, frames of the same shape that the reader will have too, the file holds the difference modulo 256.
    Where most pixels are equal, as outside holes, the file is much smaller and is read several times as fast.

    The file carries the digest of its frames (``vibench.clip.digest``), by which ``read_lossless`` notices a torn or
    altered one: FFV1's own checksums only make libav conceal the damage.
    """
    check_frames(frames)
    with replacing(path) as temporary, av.open(str(temporary), "w", format="matroska") as container:
        container.metadata[_DIGEST] = digest(frames)
        if base is not None:
            container.metadata[_DIFFERENCE] = "1"
            frames = frames - base  # uint8 wraps around
        stream = container.add_stream("ffv1", rate=as_fraction(frames_per_second), options=_FFV1)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "bgr0"
        stream.thread_count = 1
        for frame in frames:
            picture = VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
            container.mux(stream.encode(picture.reformat(format="bgr0")))
        container.mux(stream.encode())


def read_lossless(path: Path, base: Callable[[], Frames | None] = lambda: None) -> Frames:
    """Read what ``write_lossless`` wrote; InputError where a bit differs or another program wrote it.

    ``base`` gives the frames that the file was written against; it is called only for a file that needs them.
    """
    with _opened(path) as (container, _):
        promised, is_difference = container.metadata.get(_DIGEST), _DIFFERENCE in container.metadata
    frames, _ = read_video(path)
    if is_difference:
        known = base()
        if known is None or known.shape != frames.shape:
            raise InputError(f"{path} holds differences to frames that are missing or of another size; remove it")
        frames = frames + known
    if promised != digest(frames):
        raise InputError(f"{path} was altered or not written by vibench: its frames and their digest differ; remove it")
    return frames


def lossless_digest(path: Path) -> str | None:
    """The digest of the frames that a file of ``write_lossless`` says it holds; None where it says nothing."""
    try:
        with _opened(path) as (container, _):
            promised: str | None = container.metadata.get(_DIGEST)
            return promised
    except InputError:
        return None


_DIGEST = "VIBENCH_FRAMES_SHA256"
_DIFFERENCE = "VIBENCH_DIFFERENCE"
# Version 3 with key frames only: any player seeks in it, and encoding can use all cores.
_FFV1 = {"level": "3", "g": "1"}


def as_fraction(frames_per_second: float) -> Fraction:
    """Return a frame rate as the fraction that containers want: 29.97 becomes 30000/1001."""
    ntsc = Fraction(round(frames_per_second * 1001 / 1000) * 1000, 1001)
    return ntsc if abs(float(ntsc) - frames_per_second) < 1e-3 else Fraction(frames_per_second).limit_denominator(1000)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a container and its first video stream, and turn every failure of libav into one InputError."""
    if not path.is_file():
        raise InputError(f"there is no video file {path}")
    try:
        with av.open(os.fspath(path.absolute()), options={"protocol_whitelist": "file"}) as container:
            if _PLAYLISTS & set(container.format.name.split(",")):
                raise InputError(f"{path} is a playlist ({container.format.name}), not a video; name the video itself")
            if not container.streams.video:
                raise InputError(f"{path} holds no video stream")
            yield container, _prepared(container.streams.video[0], path)
    except (FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it names no known format"
        raise InputError(f"{path} cannot be decoded as video, it is damaged or cut short: {reason}") from error


def _prepared(stream: VideoStream, path: Path) -> VideoStream:
    context = stream.codec_context
    if max(context.width, context.height) > MAX_SIDE_PX:
        raise InputError(f"{path} says it is {context.width}x{context.height}; at most {MAX_SIDE_PX} px a side")
    context.thread_count = 1
    return stream


def _decoded(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]:
    for index, frame in enumerate(container.decode(stream)):
        if frame.is_corrupt:
            raise InputError(f"frame {index} of {path} is damaged; get the file again or cut it before that frame")
        yield frame


def _rgb(frame: VideoFrame) -> Frame:
    picture = (
        frame.reformat(format="rgb24", interpolation=BIT_EXACT, threads=1).to_ndarray().astype(np.uint8, copy=False)
    )
    quarter_turns = round(frame.rotation / 90)
    return np.ascontiguousarray(np.rot90(picture, quarter_turns)) if quarter_turns else picture


def _check_complete(container: InputContainer, stream: VideoStream, last: VideoFrame | None, path: Path) -> None:
    """Raise InputError where the file promises more than 1.5 frames after the last one that could be read.

    Demuxers end silently at the end of a cut file; what the header promised is the only sign of it.
    """
    promised = stream.duration * stream.time_base if stream.duration and stream.time_base else None
    if promised is None and len(container.streams) == 1 and container.duration:
        promised = Fraction(container.duration, av.time_base)
    if promised is None or last is None or last.pts is None or last.time_base is None or not stream.average_rate:
        return
    held = (last.pts + (last.duration or 0) - (stream.start_time or 0)) * last.time_base
    if promised - held > Fraction(3, 2) / stream.average_rate:
        raise InputError(
            f"{path} ends after {float(held):.2f} s of the {float(promised):.2f} s that it promises; it is cut short"
        )
