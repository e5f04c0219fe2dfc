"""Optical flow kept on disk by the content of the two frames it was estimated from, so that it is estimated once."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

from vibench.atomic import replacing
from vibench.clip import digest
from vibench.errors import InputError
from vibench.flow import Flow
from vibench.method import Frame
from vibench.resources import cache_folder

LIMIT_VARIABLE = "VIBENCH_CACHE_BYTES"
DEFAULT_LIMIT_BYTES = 2 * 10**9


def cached_flow(estimate: Callable[[Frame, Frame], Flow], identity: str, first: Frame, second: Frame) -> Flow:
    """``estimate(first, second)``, or what it gave before for the same frames under the same ``identity``.

    A file that is torn or of another shape is estimated anew. Folders over ``$VIBENCH_CACHE_BYTES`` (default 2 GB) lose
    their least recently used files.
    """
    key = sha256(f"{identity} {digest(first)} {digest(second)}".encode()).hexdigest()
    path = cache_folder("flow") / f"{key}.npy"
    known = _read(path, (*first.shape[:2], 2))
    if known is not None:
        return known
    flow = np.ascontiguousarray(estimate(first, second), np.float32)
    with replacing(path) as temporary:
        np.save(temporary, flow, allow_pickle=False)
    _trim(path.parent, limit_bytes())
    return flow


def limit_bytes() -> int:
    """How much the folder may hold: ``$VIBENCH_CACHE_BYTES`` or 2 GB."""
    text = os.environ.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_BYTES))
    if not text.isdecimal():
        raise InputError(f"{LIMIT_VARIABLE} is {text!r}; it must be a number of bytes such as {DEFAULT_LIMIT_BYTES}")
    return int(text)


def _read(path: Path, shape: tuple[int, ...]) -> Flow | None:
    try:
        flow: Flow = np.load(path, allow_pickle=False)
        path.touch()  # the time of last use decides what is removed first
    except (OSError, ValueError, EOFError):
        return None
    return flow if flow.shape == shape and flow.dtype == np.float32 else None


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
