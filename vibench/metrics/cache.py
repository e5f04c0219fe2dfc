"""Arrays that take long to compute, such as optical flow, kept on disk by the content they were computed from.

The cache is a guest: whatever is wrong with it, its disk or one of its files, the array is computed, and no number
depends on it. A file holds the array as ``numpy.save`` writes it and then 32 bytes, the sha256 of its key and of the
array, which is compared at every reading.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibench.errors import InputError, UserError, reading, reason_of
from vibench.files import cache_folder, cache_root, replacing

LIMIT_VARIABLE = "VIBENCH_CACHE_BYTES"
DEFAULT_LIMIT_BYTES = 2 * 10**9

DIGEST_BYTES = 32
HEADER_BYTES = 4096
"""More than the header of any .npy file of a plain array."""

_OWN = re.compile(r"[0-9a-f]{64}\.(checked\.npy|index\.npz)")
_OUTDATED = re.compile(r"[0-9a-f]{64}\.npy")
"""Names that earlier versions gave, whose files have no checksum: they are never read, and removed."""
_COPIES = ("packs", "remote")
"""Kinds that are folders with the files of others: runs that were unpacked, and what was fetched from far away."""
_UNFINISHED = re.compile(r"\.[0-9a-f]+\..*\.partial\.np[yz]")
FORGOTTEN_SECONDS = 24 * 3600.0
"""A file that was begun so long ago belongs to no living process."""

Array = NDArray[np.float32]


class CacheState(NamedTuple):
    """What the cache holds of one kind, such as ``flow``: how many arrays, and how many bytes they take."""

    kind: str
    files: int
    size_bytes: int


def kept(kind: str, key: str, shape: tuple[int, ...], compute: Callable[[], NDArray[Any]]) -> Array:
    """Return ``compute()`` as float32 of ``shape``, or what it returned before under the same ``kind`` and ``key``.

    ``key`` names everything that the array depends on. Where the kept file is damaged, cannot be read, or holds another
    array, the array is computed again; where the folder cannot be written, it is computed every time, and one line on
    standard error says so once. When the folder of a kind grows over ``$VIBENCH_CACHE_BYTES`` (default 2 GB), its least
    recently used files are removed. Raises InputError where that variable is no number.
    """
    limit = limit_bytes()
    path = _place(kind, key)
    known = None if path is None else _read(path, key, shape)
    if known is not None:
        return known
    made = np.ascontiguousarray(compute(), np.float32)
    if made.shape != shape:
        raise ValueError(f"an array of shape {made.shape} was computed where {shape} was promised")
    if path is not None:
        _write(path, key, made, limit)
    return made


def limit_bytes() -> int:
    """Return how many bytes a folder may hold: ``$VIBENCH_CACHE_BYTES`` or 2 GB."""
    text = os.environ.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_BYTES))
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise InputError(f"{LIMIT_VARIABLE} is {text!r}; it must be a number of bytes such as {DEFAULT_LIMIT_BYTES}")
    return int(text)


def cache_state() -> list[CacheState]:
    """Return what the cache holds, one entry a kind, sorted by kind; nothing where there is no cache.

    Only files that vibench wrote there are counted.
    """
    return [
        CacheState(folder.name, len(found), sum(status.st_size for _, status in found))
        for folder in _kinds()
        if (found := [*_owned(folder, _OWN), *_owned(folder, _OUTDATED), *_copied(folder)])
    ]


def clear_cache() -> CacheState:
    """Remove every array from the cache and return how many files and bytes that were, under the kind ``all``.

    What vibench did not write, and what another process is writing now, stays. Raises InputError where a file may not
    be removed.
    """
    files = size = 0
    for folder in _kinds():
        for path, status in [*_owned(folder, _OWN), *_owned(folder, _OUTDATED), *_forgotten(folder)]:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise InputError(f"{str(path)!r} cannot be removed: {error.strerror}") from error
            files, size = files + 1, size + status.st_size
        copied = [status.st_size for _, status in _copied(folder)]
        if folder.name in _COPIES:
            shutil.rmtree(folder, ignore_errors=True)
        files, size = files + len(copied), size + sum(copied)
    return CacheState("all", files, size)


def _place(kind: str, key: str) -> Path | None:
    """The file of a key; None where the cache's folder cannot be had."""
    try:
        folder = cache_folder(kind)
    except (OSError, RuntimeError, ValueError) as error:
        _tell_once(f"there is no cache, so that flow and features are computed each time: {reason_of(error)}")
        return None
    return folder / f"{sha256(key.encode()).hexdigest()}.checked.npy"


def _read(path: Path, key: str, shape: tuple[int, ...]) -> Array | None:
    """The array in a file; None unless it is exactly what was written there for this key."""
    most = int(np.prod(shape)) * 4 + HEADER_BYTES + DIGEST_BYTES
    try:
        with reading(path):
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > most:
                return None
            content = path.read_bytes()
            if _digest(key, content[:-DIGEST_BYTES]) != content[-DIGEST_BYTES:]:
                return None
            known: Array = np.load(io.BytesIO(content), allow_pickle=False)
    except InputError:  # whatever it is, the array can be computed
        return None
    if known.shape != shape or known.dtype != np.float32:
        return None
    with suppress(OSError):
        os.utime(path)  # the time of last use decides what is removed first
    return known


def _write(path: Path, key: str, made: Array, limit: int) -> None:
    try:
        buffer = io.BytesIO()
        np.save(buffer, made, allow_pickle=False)
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getvalue() + _digest(key, buffer.getvalue()))
        _trim(path.parent, limit)
    except (OSError, MemoryError, UserError) as error:
        _tell_once(f"the cache in {str(path.parent)!r} cannot be written, and nothing is kept: {reason_of(error)}")


def _digest(key: str, content: bytes) -> bytes:
    """The key belongs to what is summed up, so that a file under another one's name is not believed."""
    return sha256(sha256(key.encode()).digest() + content).digest()


def trim_to_limit(folder: Path) -> None:
    """Remove the least recently used files of ``folder``, one of the cache's, until the rest is within the limit.

    Raises OSError where a file may not be removed, and InputError where the limit is no number.
    """
    _trim(folder, limit_bytes())


def _trim(folder: Path, limit: int) -> None:
    """Remove the least recently used files until the rest fits; another process may be doing the same."""
    for path, _ in [*_owned(folder, _OUTDATED), *_forgotten(folder)]:
        path.unlink(missing_ok=True)
    entries = sorted((status.st_mtime_ns, status.st_size, path) for path, status in _owned(folder, _OWN))
    excess = sum(size for _, size, _ in entries) - limit
    for _, size, path in entries:
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size


def _kinds() -> list[Path]:
    try:
        return sorted(path for path in cache_root().iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _owned(folder: Path, name: re.Pattern[str]) -> Iterator[tuple[Path, os.stat_result]]:
    """The ordinary files of a folder whose whole name is one that vibench gives, and what is known of them."""
    try:
        inside = sorted(os.listdir(folder))
    except OSError:
        return
    for entry in inside:
        if name.fullmatch(entry) is None:
            continue
        try:
            status = (folder / entry).lstat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield folder / entry, status


def _copied(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The files of a kind that is copies, however deep they lie; none of any other kind."""
    if folder.name in _COPIES:
        for place, _, names in os.walk(folder):
            for name in names:
                with suppress(OSError):
                    yield Path(place, name), Path(place, name).lstat()


def _forgotten(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What killed processes left half-written: so old that nobody is writing it any more."""
    for path, status in _owned(folder, _UNFINISHED):
        if time.time() - status.st_mtime > FORGOTTEN_SECONDS:
            yield path, status


@lru_cache(maxsize=1)
def _tell_once(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr, flush=True)
