"""Video files: reading them frame by frame or whole, and the lossless files in which outputs are kept.

Reading makes these decisions and no others. Every decoded frame comes once, in the order of display, with the time at
which the file shows it. A turn or mirror written in the file is applied, as players do, and transparency is laid over
black. Deep colour is cut to 8 bits, and HDR is refused. YUV becomes RGB by the matrix that the file names; where it
names none, by BT.709 from 1280 columns or 720 lines on and by BT.601 below. Pixels are not made square and fields are
not separated: ``Look`` says what the file says about them. Decoding and conversion use one thread and the bit-exact
paths of libav, so that the same file gives the same bytes on any number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vibench.clip import Frame, Frames, check_frames, digest
from vibench.errors import InputError
from vibench.files import replacing
from vibench.media.look import PLAIN, Look, look_of, rgb

MAX_SIDE_PX = 16_384
"""Wider or higher frames are refused before they are decoded."""

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg",
    ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts",
    ".vob", ".webm", ".wmv", ".y4m",
})
"""The names of files that are taken for videos where a folder holds files of several kinds."""
# fmt: on

MAX_CLIP_BYTES = 8 * 2**30
"""A clip that is read whole may take this much memory; a longer one must be cut or streamed."""

PLAUSIBLE_RATE = 240
"""A frame rate above it is measured on the time stamps: libav gives 1000 for some files that count milliseconds."""

LOSSLESS_CODECS = frozenset({"ffv1", "png", "apng", "gif", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "qtrle", "bmp"})

_CLOCK_RUNS_ON = 0x200  # libav's AVFMT_TS_DISCONT: times do not count from the beginning of the file

_SEGMENT = b"\x18\x53\x80\x67"

# Playlists name other files and addresses; a video file must not make us open them.
_PLAYLISTS = {"hls", "concat", "dash", "sdp", "rtsp", "imf"}


class TimedFrame(NamedTuple):
    """A frame, uint8 (H, W, 3) RGB, the second at which it is shown first, and the seconds for which it is shown."""

    frame: Frame
    begins: Fraction
    lasts: Fraction


@dataclass(frozen=True)
class Video:
    """A video file that can be iterated any number of times, frame by frame, in constant memory.

    ``height`` and ``width`` are those of the frames after they were turned upright. ``frames_per_second`` is the
    average. ``frames`` is their number as the container gives it, or None where it gives none; ``count`` tells it for
    certain. ``time_base`` divides all times of frames. ``lossless`` says that its codec loses nothing. ``notes`` are
    sentences about what a file made from these frames will not hold.
    """

    path: Path
    height: int
    width: int
    frames_per_second: float
    frames: int | None
    has_audio: bool
    time_base: Fraction = Fraction(1, 24)
    look: Look = PLAIN
    lossless: bool = False
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Frame]:
        """Yield uint8 (H, W, 3) RGB; raise InputError where the file is damaged, cut short or changes its size."""
        for _, picture in self._pictures():
            yield picture

    def timed(self) -> Iterator[TimedFrame]:
        """Yield the frames with their times; raise InputError as iterating over the frames does.

        Times count from the beginning of the file, which is where its sound begins in formats whose clock runs on from
        an arbitrary number. A frame lasts until the next one; the last one until the stream ends where the file says
        when that is, and else as long as the one before.
        """
        with _opened(self.path) as (container, stream):
            origin, end = origin_of(container), _end(container, stream)
        waiting: tuple[Frame, Fraction] | None = None
        lasts, usual = Fraction(0), 1 / as_fraction(self.frames_per_second)
        for frame, picture in self._pictures():
            begins = _begins(frame) - origin if frame.pts is not None else None
            if waiting is not None:
                # Frames without a stamp, or with that of the frame before, follow at the usual distance.
                if begins is None or begins <= waiting[1]:
                    begins = waiting[1] + usual
                yield TimedFrame(*waiting, begins - waiting[1])
                usual = begins - waiting[1]
            waiting = picture, begins or Fraction(0)
            lasts = (frame.duration or 0) * (frame.time_base or Fraction(0))
        if waiting is not None:
            lasts = end - origin - waiting[1] if end is not None else lasts
            # A millisecond is what files say that know no frame rate.
            yield TimedFrame(*waiting, lasts if lasts * PLAUSIBLE_RATE >= 1 else usual)

    def count(self, expected: int | None = None) -> int:
        """Return the number of frames: that of packets where it is the expected one, or else that of decoded frames."""
        with _opened(self.path) as (container, stream):
            packets = sum(bool(packet.size) and not packet.is_discard for packet in container.demux(stream))
        if packets == expected:
            return packets
        with _opened(self.path) as (container, stream):
            return sum(1 for _ in _decoded(container, stream, self.path))

    def _pictures(self) -> Iterator[tuple[VideoFrame, Frame]]:
        last, longest = None, Fraction(0)
        with _opened(self.path) as (container, stream):
            for index, frame in enumerate(_decoded(container, stream, self.path)):
                picture = rgb(frame, self.path)
                if picture.shape != (self.height, self.width, 3):
                    raise InputError(
                        f"frame {index} of {self.path} is {picture.shape[1]}x{picture.shape[0]} and the first is "
                        f"{self.width}x{self.height}; all frames of a clip must have one size"
                    )
                yield frame, picture
                if last is not None and last.pts is not None and frame.pts is not None:
                    longest = max(longest, _begins(frame) - _begins(last))
                last = frame
            _check_complete(container, stream, last, longest, self.path)


def iter_video(path: Path) -> Video:
    """Open a video file for streaming; its first frame is decoded to know its size and look.

    Raises InputError where ``path`` is no video, holds no frames, is too large, or is HDR.
    """
    with _opened(path) as (container, stream):
        first = next(_decoded(container, stream, path), None)
        if first is None:
            raise InputError(f"{path} holds no video frames")
        look = look_of(stream, first, path)
        height, width = rgb(first, path).shape[:2]
        return Video(
            path,
            height,
            width,
            float(_rate(stream, path)),
            stream.frames or None,
            bool(container.streams.audio),
            first.time_base or stream.time_base or Fraction(1, 1000),
            look,
            stream.codec_context.name in LOSSLESS_CODECS,
            tuple(_notes(container, look, path)),
        )


def origin_of(container: InputContainer) -> Fraction:
    """The time at which a file begins, in seconds; 0 for formats whose times count from the beginning."""
    if not container.format.flags & _CLOCK_RUNS_ON:
        return Fraction(0)
    streams = (*container.streams.video, *container.streams.audio)
    starts = [(stream.start_time, stream.time_base) for stream in streams]
    return min((start * base for start, base in starts if start is not None and base), default=Fraction(0))


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """The seconds from the first frame to the end of the last one, where the file says them."""
    if stream.duration and stream.time_base and (len(container.streams) == 1 or container.format.name != "asf"):
        return stream.duration * stream.time_base
    # Windows Media says the length of the whole file in each stream.
    return None


def _end(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """The time at which the last frame ends, in seconds, where the file says it."""
    duration = _duration(container, stream)
    if duration is None or stream.start_time is None or not stream.time_base:
        return None
    return stream.start_time * stream.time_base + duration


def pictures_of(container: InputContainer) -> VideoStream | None:
    """The stream that holds the film: the first one of video that is no cover picture."""
    streams = container.streams.video
    films = (stream for stream in streams if not stream.disposition & Disposition.attached_pic)
    return next(films, streams[0] if streams else None)


def _notes(container: InputContainer, look: Look, path: Path) -> Iterator[str]:
    if look.depth > 8:
        yield f"{path} has {look.depth} bits a channel; they are cut to 8"
    if look.transparent:
        yield f"{path} has transparency; it is put over black"
    if (others := len(container.streams.video) - 1) > 0:
        yield f"{path} holds {others + 1} video streams; only the first film is read"


def _rate(stream: VideoStream, path: Path) -> Fraction:
    """The average frame rate, measured on the time stamps where libav knows none that is plausible."""
    rate = stream.average_rate
    if rate and rate <= PLAUSIBLE_RATE:
        return rate
    with _opened(path) as (container, again):
        packets = [(packet.pts, packet.time_base) for packet in container.demux(again)]
    stamps = [pts * base for pts, base in packets if pts is not None and base]
    length = max(stamps) - min(stamps) if stamps else Fraction(0)
    return Fraction(len(stamps) - 1) / length if length else (rate or stream.guessed_rate or Fraction(25))


def _begins(frame: VideoFrame) -> Fraction:
    return (frame.pts or 0) * (frame.time_base or Fraction(1))


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
    """Return a frame rate as the fraction that containers want: 29.97 becomes 30000/1001, and 1 stays 1."""
    ntsc = Fraction(round(frames_per_second * 1001 / 1000) * 1000, 1001)
    distance = abs(float(ntsc) - frames_per_second)
    # Relative too: 1 frame a second is 0.001 away from 1000/1001, which nobody means.
    if distance < min(1e-3, 1e-4 * frames_per_second):
        return ntsc
    # Slower than one frame in 1000 seconds: the fraction of its period.
    return (
        Fraction(frames_per_second).limit_denominator(1000) or 1 / Fraction(1 / frames_per_second).limit_denominator()
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a container and its first video stream, and turn every failure of libav into one InputError."""
    if not path.is_file():
        raise InputError(f"there is no video file {path}")
    try:
        with av.open(os.fspath(path.absolute()), options={"protocol_whitelist": "file"}) as container:
            if _PLAYLISTS & set(container.format.name.split(",")):
                raise InputError(f"{path} is a playlist ({container.format.name}), not a video; name the video itself")
            stream = pictures_of(container)
            if stream is None:
                raise InputError(f"{path} holds no video stream")
            yield container, _prepared(stream, path)
    except (FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it names no known format"
        raise InputError(f"{path} cannot be decoded as video, it is damaged or cut short: {reason}") from error


def _prepared(stream: VideoStream, path: Path) -> VideoStream:
    context = stream.codec_context
    if context is None:
        raise InputError(f"{path} is coded in a way that this PyAV does not decode; convert it first, with ffmpeg")
    if max(context.width, context.height) > MAX_SIDE_PX:
        raise InputError(f"{path} says it is {context.width}x{context.height}; at most {MAX_SIDE_PX} px a side")
    context.thread_count = 1
    return stream


def _decoded(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]:
    frames = (frame for packet in container.demux(stream) if not _repeats(packet) for frame in packet.decode())
    for index, frame in enumerate(frames):
        if frame.is_corrupt:
            raise InputError(f"frame {index} of {path} is damaged; get the file again or cut it before that frame")
        yield frame


def _repeats(packet: Packet[VideoStream]) -> bool:
    """Whether a packet only says that the frame before is shown on (Theora), for which libav's decoders want no call.

    The packet that ends a stream is empty too, and has no time.
    """
    return not packet.size and packet.pts is not None


def _check_complete(
    container: InputContainer, stream: VideoStream, last: VideoFrame | None, longest: Fraction, path: Path
) -> None:
    """Raise InputError where the file promises more than 1.5 frames after the last one that could be read.

    ``longest`` is the longest time between two frames, which counts where the frame rate varies. Demuxers end silently
    at the end of a cut file; what the header promised is the only sign of it.
    """
    if "matroska" in container.format.name and _holds_its_segment(path):
        return  # Matroska does not say how long its last frame lasts, but it says how long the file is.
    promised, begin = _duration(container, stream), (stream.start_time or 0) * (stream.time_base or Fraction(1))
    if promised is None and len(container.streams) == 1 and container.duration:
        # The length of the file counts from its beginning, even where its first frame comes later.
        promised, begin = Fraction(container.duration, av.time_base), origin_of(container)
    if promised is None or last is None or last.pts is None or last.time_base is None or not stream.average_rate:
        return
    held = (last.pts + (last.duration or 0)) * last.time_base - begin
    if promised - held > Fraction(3, 2) * max(1 / stream.average_rate, longest):
        raise InputError(
            f"{path} ends after {float(held):.2f} s of the {float(promised):.2f} s that it promises; it is cut short"
        )


def _holds_its_segment(path: Path) -> bool:
    """Whether a Matroska file is as long as its segment (RFC 9559, section 5.1) says; False where it does not say."""
    with path.open("rb") as file:
        head = file.read(4096)
    place = head.find(_SEGMENT) + len(_SEGMENT)
    if place < len(_SEGMENT) or place + 8 > len(head) or head[place] == 0:
        return False
    # The zeros before the first 1 of a length say how many bytes follow; all ones mean that it is not known.
    bytes_of_length = 9 - head[place].bit_length()
    length = int.from_bytes(head[place : place + bytes_of_length], "big") - (1 << 7 * bytes_of_length)
    return length < (1 << 7 * bytes_of_length) - 1 and place + bytes_of_length + length <= path.stat().st_size
