"""Optical flow in Middlebury's ``.flo`` format, which Sintel uses: float32 (u, v) per pixel, little-endian."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vibench.errors import InputError
from vibench.files import replacing
from vibench.media.video import MAX_SIDE_PX

Flow = NDArray[np.float32]
"""(H, W, 2): (u, v) in pixels, right and down."""

_MAGIC = b"PIEH"  # 202021.25 as a little-endian float
_HEADER = struct.Struct("<4sii")


def read_flow(path: Path) -> Flow:
    """Read float32 (H, W, 2); InputError where the file is missing, not ``.flo``, or of another length than it says."""
    if not path.is_file():
        raise InputError(f"there is no flow file {path}")
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise InputError(f"{path} is not a .flo file: it does not begin with {_MAGIC.decode()}")
        _, width, height = _HEADER.unpack(header)
        if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
            raise InputError(f"{path} says it is {width}x{height}; from 1 to {MAX_SIDE_PX} px a side are possible")
        if size != (promised := _HEADER.size + width * height * 8):
            raise InputError(f"{path} has {size} bytes and should have {promised} for {width}x{height}; it is damaged")
        return np.fromfile(file, dtype="<f4").astype(np.float32, copy=False).reshape(height, width, 2)


def write_flow(path: Path, flow: Flow) -> None:
    """Write float32 (H, W, 2) as ``.flo``, under its name only once complete."""
    if flow.dtype != np.float32 or flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f"flow must be float32 (H, W, 2), not {flow.dtype} {flow.shape}")
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_HEADER.pack(_MAGIC, flow.shape[1], flow.shape[0]))
        file.write(np.ascontiguousarray(flow, "<f4").tobytes())
