"""Small video files of every kind that people have, and what a player would show of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frames

HEIGHT, WIDTH = 48, 64


def drifting(count: int = 6, height: int = HEIGHT, width: int = WIDTH) -> Frames:
    """A colourful gradient that drifts by 2 px a frame."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        np.stack([128 + 100 * np.sin((x + 2 * t) / 17 + c) * np.cos(y / 23) for c in range(3)], -1)
        for t in range(count)
    ]
    return np.stack(planes).astype(np.uint8)


def box(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """A mask of 0 and 255."""
    hole = np.zeros((height, width), np.uint8)
    hole[10:20, 10:30] = 255
    return hole


def write_film(
    path: Path,
    frames: Frames,
    times: Sequence[int] | None = None,
    base: Fraction = Fraction(1, 25),
    *,
    rate: Fraction | int = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    beep: float | None = None,
    sound: str = "aac",
    tags: Mapping[str, object] = {},
    options: Mapping[str, str] = {},
    turn: tuple[int, bool] | None = None,
) -> Path:
    """Write ``frames``, shown at ``times`` in units of ``base``, with a tone from second ``beep`` on.

    ``tags`` are attributes of the codec context, and ``turn`` is (degrees counter-clockwise, mirrored).
    """
    places = list(times) if times is not None else list(range(len(frames)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=dict(options))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        stream.time_base = stream.codec_context.time_base = base
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        if turn is not None:
            stream.set_display_rotation(turn[0], hflip=turn[1])
        heard = container.add_stream(sound, rate=48000, layout="mono") if beep is not None else None
        if heard is not None and sound == "wmav2":
            heard.codec_context.bit_rate = 64000
        for place, frame in zip(places, frames, strict=True):
            shown = "rgba" if frame.shape[-1] == 4 else "rgb24"
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), shown).reformat(format=pixels)
            picture.pts, picture.time_base = place, base
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
        if heard is not None:
            seconds = float((places[-1] + 1) * base) + 0.5
            clock = np.arange(int(48000 * seconds)) / 48000
            tone = (np.sin(clock * 5000) * 0.5 * (clock >= (beep or 0))).astype(np.float32)[None]
            piece = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
            piece.sample_rate, piece.pts, piece.time_base = 48000, 0, Fraction(1, 48000)
            container.mux(heard.encode(piece))
            container.mux(heard.encode())
    return path


def times_of(path: Path) -> list[Fraction]:
    """The seconds at which a player shows the frames."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def length_of(path: Path) -> float:
    """The length of a file in seconds, as a player shows it."""
    with av.open(str(path)) as container:
        return container.duration / av.time_base


def onsets_of(path: Path) -> tuple[float, float]:
    """The seconds of the first bright frame and of the first loud sample."""
    with av.open(str(path)) as container:
        seen = next(float(f.time) for f in container.decode(video=0) if f.to_ndarray(format="gray").mean() > 128)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.05)
            if len(loud):
                return seen, float(frame.time) + loud[0] / frame.sample_rate
    raise AssertionError(f"nothing is heard in {path}")


def sound_of(path: Path, track: int = 0) -> list[bytes]:
    """The packets of a sound track."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=track) if packet.size]
