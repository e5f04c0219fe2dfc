"""Arrays that take long to compute, such as optical flow, kept on disk by the content they were computed from."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibench.errors import InputError
from vibench.files import cache_folder, replacing

LIMIT_VARIABLE = "VIBENCH_CACHE_BYTES"
DEFAULT_LIMIT_BYTES = 2 * 10**9

Array = NDArray[np.float32]


def kept(kind: str, key: str, shape: tuple[int, ...], compute: Callable[[], NDArray[Any]]) -> Array:
    """Return ``compute()`` as float32 of ``shape``, or what it returned before under the same ``kind`` and ``key``.

    ``key`` names everything that the array depends on. Where the kept file is torn or of another shape, the array is
    computed again. When the folder of a kind grows over ``$VIBENCH_CACHE_BYTES`` (default 2 GB), its least recently
    used files are removed.
    """
    path = cache_folder(kind) / f"{sha256(key.encode()).hexdigest()}.npy"
    known = _read(path, shape)
    if known is not None:
        return known
    made = np.ascontiguousarray(compute(), np.float32)
    if made.shape != shape:
        raise ValueError(f"an array of shape {made.shape} was computed where {shape} was promised")
    with replacing(path) as temporary:
        np.save(temporary, made, allow_pickle=False)
    _trim(path.parent, limit_bytes())
    return made


def limit_bytes() -> int:
    """Return how many bytes a folder may hold: ``$VIBENCH_CACHE_BYTES`` or 2 GB."""
    text = os.environ.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_BYTES))
    if not text.isdecimal():
        raise InputError(f"{LIMIT_VARIABLE} is {text!r}; it must be a number of bytes such as {DEFAULT_LIMIT_BYTES}")
    return int(text)


def _read(path: Path, shape: tuple[int, ...]) -> Array | None:
    try:
        known: Array = np.load(path, allow_pickle=False)
        path.touch()  # the time of last use decides what is removed first
    except (OSError, ValueError, EOFError):
        return None
    return known if known.shape == shape and known.dtype == np.float32 else None


def _trim(folder: Path, limit: int) -> None:
    """Remove the least recently used files until the rest fits; another process may be doing the same."""
    entries = []
    for path in folder.glob("*.npy"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        entries.append((status.st_mtime_ns, status.st_size, path))
    excess = sum(size for _, size, _ in entries) - limit
    for _, size, path in sorted(entries):
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size
