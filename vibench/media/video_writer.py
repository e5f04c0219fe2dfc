"""Writing a video frame by frame, in constant memory, with times, look and sound of the video it was made from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from av.video.stream import VideoStream

from vibench.clip import Frame
from vibench.errors import InputError, MissingResource
from vibench.files import replacing
from vibench.media.beside import Say, copied_streams, starts, unheard
from vibench.media.look import BIT_EXACT, PLAIN, Look
from vibench.media.video import as_fraction

COMPRESSED = (".mp4", ".mov", ".m4v")
LOSSLESS = ".mkv"

CRF = 14
"""Constant rate factor of H.264: at 14 nobody sees a difference."""

ENCODER = {"crf": "14", "preset": "veryfast", "g": "12", "bf": "0"}
"""Options of H.264 for pages: groups are short and without B-frames, so that any frame is at most 12 frames away."""


class VideoWriter:
    """Takes frames one at a time; made by ``open_writer``.

    ``whole`` says that what lies beside the pictures is written to its end, even where it is longer than they are.
    """

    def __init__(
        self,
        container: OutputContainer,
        stream: VideoStream,
        beside: Iterator[Packet[Stream]],
        time_base: Fraction,
        look: Look,
        whole: bool = False,
    ) -> None:
        self._container, self._stream, self._beside = container, stream, beside
        self._time_base, self._look, self._whole = time_base, look, whole
        self._usual = 1 / as_fraction(float(stream.average_rate or 24))
        self._lasting: dict[int, int] = {}
        self._waiting = next(beside, None)
        self._last_begin = -(2**62)
        self.seconds = Fraction(0)
        """The end of the last frame that was written."""
        self.count = 0
        """The frames that were written."""

    def write(self, frame: Frame, begins: Fraction | None = None, lasts: Fraction | None = None) -> None:
        """Append one uint8 (H, W, 3) RGB frame of the size the writer was opened with, and the sound up to its end.

        ``begins`` and ``lasts`` are in seconds: by default each frame follows the one before by the frame rate.
        """
        if frame.shape != (self._stream.height, self._stream.width, 3):
            raise ValueError(
                f"the writer takes {self._stream.width}x{self._stream.height}, not a frame of {frame.shape}"
            )
        begins, lasts = self.seconds if begins is None else begins, lasts or self._usual
        picture = self._picture(frame)
        picture.time_base = self._time_base
        picture.pts = self._last_begin = max(round(begins / self._time_base), self._last_begin + 1)
        self._lasting[picture.pts] = max(1, round(lasts / self._time_base))
        self._mux(self._stream.encode(picture))
        self.seconds = begins + lasts
        self.count += 1
        self._copy_beside(self.seconds)

    def finish(self) -> None:
        """Write the frames that the encoder still holds, and what lies beside them."""
        self._mux(self._stream.encode())
        self._copy_beside(None if self._whole else self.seconds)

    def _picture(self, frame: Frame) -> VideoFrame:
        picture = VideoFrame.from_ndarray(frame, "rgb24")
        if self._stream.pix_fmt == "bgr0":
            return picture.reformat(format="bgr0", interpolation=BIT_EXACT, threads=1)
        return picture.reformat(
            format=self._stream.pix_fmt,
            interpolation=BIT_EXACT,
            dst_colorspace=self._look.conversion,
            dst_color_range=ColorRange.JPEG if self._look.full_range else ColorRange.MPEG,
            threads=1,
        )

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            # The encoder knows the usual duration only.
            if packet.pts is not None and (lasting := self._lasting.pop(packet.pts, None)):
                packet.duration = lasting
            self._container.mux(packet)

    def _copy_beside(self, until: Fraction | None) -> None:
        while self._waiting is not None and (until is None or starts(self._waiting) < until):
            self._container.mux(self._waiting)
            self._waiting = next(self._beside, None)


@contextmanager
def open_writer(
    path: Path,
    height: int,
    width: int,
    frames_per_second: float,
    audio_from: Path | None = None,
    *,
    everything_from: Path | None = None,
    time_base: Fraction | None = None,
    look: Look | None = None,
    say: Say = unheard,
    crf: int = CRF,
) -> Iterator[VideoWriter]:
    """Open a writer for ``path``; the file appears under its name when the block has ended without an error.

    ``.mp4``, ``.mov`` and ``.m4v`` get H.264 (4:2:0, or 4:4:4 where a side is odd, which some players refuse), ``.mkv``
    FFV1, which loses nothing; Matroska counts in milliseconds, to which times are rounded. ``crf`` is what H.264 may
    lose: 0 nothing visible, 51 nearly all. ``time_base`` divides the
    times that will be written; by default it is the period of the frame rate. ``look`` is that of the source: its
    primaries, transfer, matrix, range and pixel aspect are written too, BT.709 where it names none.

    The sound and all else that lies beside the pictures of ``audio_from`` is copied as it is, cut where the frames end;
    that of ``everything_from`` is copied to its end. ``say`` is told what cannot be kept. Raises InputError for another
    suffix, where no sound can be kept in such a file, or where the format cannot say the pixel aspect.
    """
    if path.suffix.lower() not in (*COMPRESSED, LOSSLESS):
        raise InputError(f"{path} does not say a video format; end it in {', '.join(COMPRESSED)} or {LOSSLESS}")
    look, beside = look or PLAIN, everything_from or audio_from
    if look.pixel_aspect != 1 and path.suffix.lower() == LOSSLESS:
        aspect = f"{look.pixel_aspect.numerator}:{look.pixel_aspect.denominator}"
        raise InputError(
            f"the pixels of {beside or 'the video'} are not square ({aspect}), which is not written in {path}; "
            "write .mp4 or .mov, or make them square first, for example with ffmpeg -vf scale=iw*sar:ih,setsar=1"
        )
    options = {}
    if path.suffix.lower() == LOSSLESS:
        # Matroska holds the milliseconds before 0 in which a decoder of sound swings in; libav would shift everything.
        options["avoid_negative_ts"] = "disabled"
    elif time_base is not None:
        # The clock in which MP4 says when a track begins; by default it counts milliseconds.
        options["movie_timescale"] = str(time_base.denominator * -(-1000 // time_base.denominator))
    with replacing(path) as temporary, ExitStack() as stack:
        container = stack.enter_context(av.open(os.fspath(temporary), "w", container_options=options))
        base = time_base or 1 / as_fraction(frames_per_second)
        stream = _video_stream(container, path, height, width, frames_per_second, look, crf)
        if time_base is not None:
            stream.time_base = stream.codec_context.time_base = base
        try:
            packets = copied_streams(container, beside, path, stack, say) if beside else iter(())
            container.start_encoding()
        except (FFmpegError, ValueError) as error:
            raise InputError(f"the sound of {beside} cannot be kept in {path}; another format may hold it") from error
        writer = VideoWriter(container, stream, packets, base, look, whole=everything_from is not None)
        yield writer
        writer.finish()


def _video_stream(
    container: OutputContainer, path: Path, height: int, width: int, frames_per_second: float, look: Look, crf: int
) -> VideoStream:
    rate = as_fraction(frames_per_second)
    if path.suffix.lower() == LOSSLESS:
        stream = container.add_stream("ffv1", rate=rate, options={"level": "3", "g": "1"})
        stream.pix_fmt = "bgr0"
        if look.is_tagged:
            stream.codec_context.color_primaries = look.primaries
            stream.codec_context.color_trc = look.transfer
    else:
        try:
            stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "medium"})
        except UnknownCodecError as error:
            raise MissingResource(
                f"this PyAV has no H.264 encoder (libx264); write a {LOSSLESS} file instead"
            ) from error
        stream.pix_fmt = "yuv420p" if height % 2 == width % 2 == 0 else "yuv444p"
        # Untagged video is shown in other colours by some players.
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = look.written_tags
        context.color_range = 2 if look.full_range else 1
        if look.pixel_aspect != 1:
            context.sample_aspect_ratio = look.pixel_aspect
    stream.height, stream.width = height, width
    return stream


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
