"""Writing a video frame by frame, in constant memory, with the sound of the video it was made from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from av.video.stream import VideoStream

from vibench.clip import Frame
from vibench.errors import InputError, MissingResource
from vibench.files import replacing
from vibench.media.video import BIT_EXACT, as_fraction

COMPRESSED = (".mp4", ".mov", ".m4v")
LOSSLESS = ".mkv"
_BT709 = 1

ENCODER = {"crf": "14", "preset": "veryfast", "g": "12", "bf": "0"}
"""Options of H.264 for pages: groups are short and without B-frames, so that any frame is at most 12 frames away."""


class VideoWriter:
    """Takes frames one at a time; made by ``open_writer``."""

    def __init__(self, container: OutputContainer, stream: VideoStream, sound: Iterator[Packet[AudioStream]]) -> None:
        self._container, self._stream, self._sound = container, stream, sound
        self._frames = 0
        self._waiting = next(sound, None)

    @property
    def seconds(self) -> Fraction:
        """The duration of what has been written."""
        return self._frames / as_fraction(float(self._stream.average_rate or 24))

    def write(self, frame: Frame) -> None:
        """Append one uint8 (H, W, 3) RGB frame of the size the writer was opened with, and the sound up to it."""
        if frame.shape != (self._stream.height, self._stream.width, 3):
            raise ValueError(
                f"the writer takes {self._stream.width}x{self._stream.height}, not a frame of {frame.shape}"
            )
        picture = VideoFrame.from_ndarray(frame, "rgb24").reformat(
            format=self._stream.pix_fmt,
            interpolation=BIT_EXACT,
            dst_colorspace=None if self._stream.pix_fmt == "bgr0" else Colorspace.ITU709,
            dst_color_range=None if self._stream.pix_fmt == "bgr0" else ColorRange.MPEG,
            threads=1,
        )
        picture.pts, picture.time_base = self._frames, 1 / as_fraction(float(self._stream.average_rate or 24))
        self._container.mux(self._stream.encode(picture))
        self._frames += 1
        self._copy_sound(self.seconds)

    def finish(self) -> None:
        """Write the frames that the encoder still holds; sound beyond the last frame is left out."""
        self._container.mux(self._stream.encode())
        self._copy_sound(self.seconds)

    def _copy_sound(self, until: Fraction) -> None:
        while self._waiting is not None and _start(self._waiting) < until:
            self._container.mux(self._waiting)
            self._waiting = next(self._sound, None)


@contextmanager
def open_writer(
    path: Path, height: int, width: int, frames_per_second: float, audio_from: Path | None = None
) -> Iterator[VideoWriter]:
    """Open a writer for ``path``; the file appears under its name when the block has ended without an error.

    ``.mp4``, ``.mov`` and ``.m4v`` get H.264 (4:2:0, or 4:4:4 where a side is odd, which some players refuse), ``.mkv``
    FFV1, which loses nothing. The first audio stream of ``audio_from`` is copied as it is, cut where the frames end.
    Raises InputError for another suffix, or where the sound cannot be kept in such a file.
    """
    if path.suffix.lower() not in (*COMPRESSED, LOSSLESS):
        raise InputError(f"{path} does not say a video format; end it in {', '.join(COMPRESSED)} or {LOSSLESS}")
    with replacing(path) as temporary, ExitStack() as stack:
        container = stack.enter_context(av.open(os.fspath(temporary), "w"))
        stream = _video_stream(container, path, height, width, frames_per_second)
        try:
            sound = _sound(container, audio_from, stack)
            container.start_encoding()
        except (FFmpegError, ValueError) as error:
            raise InputError(
                f"the sound of {audio_from} cannot be kept in {path}; another format may hold it"
            ) from error
        writer = VideoWriter(container, stream, sound)
        yield writer
        writer.finish()


def _video_stream(
    container: OutputContainer, path: Path, height: int, width: int, frames_per_second: float
) -> VideoStream:
    rate = as_fraction(frames_per_second)
    if path.suffix.lower() == LOSSLESS:
        stream = container.add_stream("ffv1", rate=rate, options={"level": "3", "g": "1"})
        stream.pix_fmt = "bgr0"
    else:
        try:
            stream = container.add_stream("libx264", rate=rate, options={"crf": "14", "preset": "medium"})
        except UnknownCodecError as error:
            raise MissingResource(
                f"this PyAV has no H.264 encoder (libx264); write a {LOSSLESS} file instead"
            ) from error
        stream.pix_fmt = "yuv420p" if height % 2 == width % 2 == 0 else "yuv444p"
        # Untagged video is shown in other colours by some players.
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = 1
    stream.height, stream.width = height, width
    return stream


def _sound(container: OutputContainer, path: Path | None, stack: ExitStack) -> Iterator[Packet[AudioStream]]:
    """Return packets of the first audio stream of ``path``, timed from the first frame of its video."""
    if path is None or not path.is_file():
        return iter(())
    source = stack.enter_context(av.open(os.fspath(path.absolute()), options={"protocol_whitelist": "file"}))
    if not source.streams.audio:
        return iter(())
    heard: AudioStream = source.streams.audio[0]
    kept = container.add_stream_from_template(heard)
    seen = source.streams.video[0] if source.streams.video else heard
    begins = (seen.start_time or 0) * (seen.time_base or Fraction(1))

    def packets() -> Iterator[Packet[AudioStream]]:
        for packet in source.demux(heard):
            if packet.dts is None or packet.pts is None:
                continue
            offset = round(begins / (packet.time_base or Fraction(1)))
            packet.dts, packet.pts, packet.stream = packet.dts - offset, packet.pts - offset, kept
            yield packet

    return packets()


def _start(packet: Packet[AudioStream]) -> Fraction:
    return (packet.pts or 0) * (packet.time_base or Fraction(1))


def encode(path: Path, pictures: Iterable[Frame], frames_per_second: Fraction) -> None:
    """Write H.264 in MP4 as every browser plays it: 4:2:0, BT.709, limited range, all of which the file says."""
    with (
        replacing(path) as partial,
        av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as file,
    ):
        stream = None
        for picture in pictures:
            if stream is None:
                stream = file.add_stream("libx264", rate=frames_per_second, options=ENCODER)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                context = stream.codec_context
                context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
                context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            frame = VideoFrame.from_ndarray(picture, "rgb24").reformat(
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
            )
            file.mux(stream.encode(frame))
        if stream is None:
            raise ValueError("a video needs at least one picture")
        file.mux(stream.encode())
