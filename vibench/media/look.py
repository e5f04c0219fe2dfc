"""How the samples of a video are to be shown: colours, pixel shape, orientation, fields and transparency.

A file says these things beside its samples. Whoever decodes them to RGB needs them, and whoever writes the RGB frames
into another file has to say them again, or the video looks different there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream
from PIL import Image

from vibench.clip import Frame
from vibench.errors import InputError

BIT_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT

UNSPECIFIED = 2
"""The code of ITU-T H.273 for a matrix, primaries or a transfer of which a file says nothing."""

HD_WIDTH_PX, HD_HEIGHT_PX = 1280, 720
"""From this width or height on, video that names no matrix is taken for BT.709, as players do; below, for BT.601."""

# Codes of ITU-T H.273.
_BT709, _RGB, _RESERVED = 1, 0, 3
_CONVERSIONS = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
_FOREIGN = {8: "YCgCo", 10: "BT.2020 of constant luminance", 14: "ICtCp"}
_HDR = {16: "PQ", 18: "HLG"}
_PRIMARIES = {1: "BT.709", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_DOLBY = {Type.DOVI_METADATA, Type.DOVI_RPU_BUFFER}


@dataclass(frozen=True)
class Look:
    """What a file says about how its samples are shown.

    ``matrix``, ``primaries`` and ``transfer`` are codes of ITU-T H.273, ``UNSPECIFIED`` where the file says nothing.
    ``pixel_aspect`` is the width of a pixel divided by its height, as the turned frame is shown. ``depth`` is in bits a
    channel.
    """

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    full_range: bool = False
    pixel_aspect: Fraction = Fraction(1)
    depth: int = 8
    interlaced: bool = False
    transparent: bool = False

    @property
    def is_tagged(self) -> bool:
        """Whether the file names any of matrix, primaries and transfer for YUV samples."""
        return (self.matrix, self.primaries, self.transfer) != (UNSPECIFIED,) * 3

    @property
    def conversion(self) -> Colorspace:
        """The matrix by which frames of this look are turned into YUV; BT.709 where it is no matrix of YUV."""
        return _CONVERSIONS.get(self.matrix, Colorspace.ITU709)

    @property
    def written_tags(self) -> tuple[int, int, int]:
        """Matrix, primaries and transfer for a file of YUV: those of this look, and BT.709 for what is not known."""
        names_nothing = self.matrix not in _CONVERSIONS
        matrix = _BT709 if names_nothing else self.matrix
        rest = (_BT709 if names_nothing and code == UNSPECIFIED else code for code in (self.primaries, self.transfer))
        return (matrix, *rest)  # type: ignore[return-value]


PLAIN = Look()
"""The look of RGB of which nothing else is known."""


def look_of(stream: VideoStream, first: VideoFrame, path: Path) -> Look:
    """Gather the look of a video from its stream and its first decoded frame.

    Raises InputError where 8-bit RGB cannot hold it rightly: for HDR (PQ, HLG, Dolby Vision), and for matrices that
    libav does not convert.
    """
    depth = max(component.bits for component in first.format.components)
    _refuse_hdr(first, depth, path)
    if first.colorspace in _FOREIGN and not first.format.is_rgb:
        raise InputError(
            f"{path} has {_FOREIGN[first.colorspace]} colours, which are not converted here; "
            "convert it first, for example with ffmpeg -vf colorspace=bt709"
        )
    turned = _turn(first, path)[0]
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    # Alpha channels of VP8 and VP9 lie beside the stream that is decoded.
    hidden_alpha = stream.metadata.get("alpha_mode") == "1" and not _has_alpha(first)
    if hidden_alpha:
        raise InputError(
            f"{path} has transparency that is not read ({stream.name}); convert it to a .mov or .mkv first"
        )
    return Look(
        matrix=int(first.colorspace),
        primaries=int(first.color_primaries),
        transfer=int(first.color_trc),
        full_range=_is_yuv(first) and first.color_range == ColorRange.JPEG,
        pixel_aspect=1 / aspect if turned else aspect,
        depth=depth,
        interlaced=first.interlaced_frame or stream.codec_context.field_order > 1,
        transparent=_has_alpha(first) and bool((_converted(first, "rgba")[..., 3] < 255).any()),
    )


def refuse_interlaced(look: Look, path: Path) -> None:
    """Raise InputError where the two fields of each frame show two moments: filled together, they would not fit."""
    if look.interlaced:
        raise InputError(
            f"{path} is interlaced (two half pictures a frame); vibench fills whole pictures: "
            "deinterlace it first, for example with ffmpeg -vf bwdif"
        )


def rgb(frame: VideoFrame, path: Path) -> Frame:
    """Turn a decoded frame into upright uint8 (H, W, 3) RGB, over black where it is transparent."""
    picture = over_black(_converted(frame, "rgba")) if _has_alpha(frame) else _converted(frame, "rgb24")
    swap, flip_x, flip_y = _turn(frame, path)
    if swap:
        picture = picture.transpose(1, 0, 2)
    if flip_x:
        picture = picture[:, ::-1]
    if flip_y:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def over_black(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Frame:
    """Lay uint8 (H, W, 4) RGBA over black: uint8 (H, W, 3)."""
    if (picture[..., 3] == 255).all():
        return picture[..., :3]
    seen = Image.fromarray(picture)
    return np.array(Image.alpha_composite(Image.new("RGBA", seen.size, (0, 0, 0, 255)), seen).convert("RGB"))


def _converted(frame: VideoFrame, pixel_format: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = frame.reformat(
        format=pixel_format, src_colorspace=_assumed(frame), interpolation=BIT_EXACT, threads=1
    ).to_ndarray()
    return picture.astype(np.uint8, copy=False)


def _assumed(frame: VideoFrame) -> Colorspace | None:
    """The matrix to assume for a frame that names none that it could have; None leaves the choice to what it names."""
    if not _is_yuv(frame) or frame.colorspace not in (_RGB, UNSPECIFIED, _RESERVED):
        return None
    if frame.width >= HD_WIDTH_PX or frame.height >= HD_HEIGHT_PX:
        return Colorspace.ITU709
    return None if frame.colorspace == UNSPECIFIED else Colorspace.ITU601


def _is_yuv(frame: VideoFrame) -> bool:
    kind = frame.format
    return not kind.is_rgb and not kind.has_palette and len(kind.components) >= 3


def _has_alpha(frame: VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components) or frame.format.has_palette


def _refuse_hdr(frame: VideoFrame, depth: int, path: Path) -> None:
    kind = _HDR.get(int(frame.color_trc))
    if kind is None and any(data in frame.side_data for data in _DOLBY):
        kind = "Dolby Vision"
    if kind is not None:
        primaries = _PRIMARIES.get(int(frame.color_primaries), "no named primaries")
        raise InputError(
            f"{path} is HDR ({kind}, {primaries}, {depth} bit); vibench fills 8-bit video of standard range: "
            "convert it first, for example with ffmpeg -vf "
            "zscale=t=linear,format=gbrpf32le,zscale=p=bt709,tonemap=hable,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
        )


def _turn(frame: VideoFrame, path: Path) -> tuple[bool, bool, bool]:
    """How the frame becomes upright: swap its axes, then mirror it along x, along y.

    A display matrix maps (x, y) to (a x + c y, b x + d y), in units of 1/65536.
    """
    if Type.DISPLAYMATRIX not in frame.side_data:
        return False, False, False
    data = frame.side_data[Type.DISPLAYMATRIX]  # type: ignore[typeddict-item] # its key is no string
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), dtype=np.int32)[:5])
    straight, crossed = min(abs(a), abs(d)), min(abs(b), abs(c))
    if max(abs(b), abs(c)) <= straight / 50:
        return False, a < 0, d < 0
    if max(abs(a), abs(d)) <= crossed / 50:
        return True, c < 0, b < 0
    raise InputError(
        f"{path} is turned by {math.degrees(math.atan2(c, a)):.0f} degrees; only quarter turns and mirrors are read: "
        "turn it upright first"
    )
