"""Arrays in one file, numpy's .npz: whole or not there, checked when it is opened, and read only where it is used."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vibench.files import replacing

BLOCK_BYTES = 2**20
_LOCAL_HEADER_BYTES = 30
"""Of a file in a zip archive, before its name and its extra field, whose lengths are its last four bytes."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name, uncompressed, as ``numpy.load`` reads them too; whole or not at all."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def mapped_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that ``write_arrays`` wrote, read-only, as maps of the file.

    All of the file is read once for its checksums (CRC-32, which the format has), but little of it stays in memory.
    Raises OSError where it cannot be read, and zipfile.BadZipFile or ValueError where it is damaged.
    """
    arrays = {}
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{entry.filename} in {path} is compressed")
            with archive.open(entry) as content:
                while content.read(BLOCK_BYTES):
                    pass
            arrays[entry.filename.removesuffix(".npy")] = _mapped(path, file, entry)
    return arrays


def _mapped(path: Path, file: IO[bytes], entry: zipfile.ZipInfo) -> NDArray[Any]:
    file.seek(entry.header_offset + _LOCAL_HEADER_BYTES - 4)
    lengths = file.read(4)
    begin = entry.header_offset + _LOCAL_HEADER_BYTES + sum(np.frombuffer(lengths, "<u2").tolist())
    file.seek(begin)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{entry.filename} in {path} is of another version")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    size = int(np.prod(shape)) * dtype.itemsize
    if dtype.hasobject or file.tell() + size != begin + entry.file_size:
        raise ValueError(f"{entry.filename} in {path} says more than it holds")
    if not size:
        return np.empty(shape, dtype)
    return np.asarray(np.memmap(path, dtype, "r", file.tell(), shape))
