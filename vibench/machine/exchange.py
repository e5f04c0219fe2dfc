"""The folder through which frames cross between two processes: files of raw bytes that both of them map."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibench.files import disk_errors
from vibench.machine.processes import owned_folder

PREFIX = "vibench-frames-"
SPARE_BYTES = 2**30
"""So much of the system's memory folder stays free."""


class Exchange:
    """Named files of raw bytes, made when they are first needed; ``close`` removes them.

    They lie in memory where the system has a folder for that (``/dev/shm``) with room in it, or else in the folder of
    temporary files.
    """

    def __init__(self) -> None:
        self._folders: dict[Path, Path] = {}
        self._maps: dict[str, NDArray[np.uint8]] = {}
        self._paths: dict[str, Path] = {}
        self._made = 0

    def room(self, name: str, size: int) -> tuple[Path, NDArray[np.uint8]]:
        """A file of at least ``size`` bytes and its bytes here; kept, so that its memory is taken only once.

        UserError where the disk has no room for it.
        """
        kept = self._maps.get(name)
        if kept is None or len(kept) < size:
            self._drop(name)
            path = self._paths[name] = self._reserved(name, max(1, size))
            kept = self._maps[name] = np.memmap(path, np.uint8, "r+")
        return self._paths[name], kept

    def give(self, name: str, array: NDArray[Any]) -> Path:
        """A file with the bytes of ``array``."""
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        path, kept = self.room(name, len(flat))
        kept[: len(flat)] = flat
        return path

    def close(self) -> None:
        """Remove every file."""
        self._maps.clear()
        self._paths.clear()
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        self._folders.clear()

    def _drop(self, name: str) -> None:
        self._maps.pop(name, None)
        if name in self._paths:
            self._paths.pop(name).unlink(missing_ok=True)

    def _reserved(self, name: str, size: int) -> Path:
        """A new file whose bytes are there: where a disk is full, writing on a map without them ends the process."""
        memory = Path("/dev/shm")
        has_room = memory.is_dir() and os.access(memory, os.W_OK)
        has_room = has_room and shutil.disk_usage(memory).free > size + SPARE_BYTES
        place = memory if has_room else Path(tempfile.gettempdir())
        self._made += 1
        path = self._folder(place) / f"{name}-{self._made}"  # the other process may still map the one before
        with disk_errors(place), path.open("wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except (AttributeError, OSError) as error:  # no such call, or not on this kind of disk
                if getattr(error, "errno", errno.EINVAL) not in (errno.EINVAL, errno.EOPNOTSUPP):
                    raise
                file.truncate(size)
        return path

    def _folder(self, place: Path) -> Path:
        if place not in self._folders:
            self._folders[place] = owned_folder(place, PREFIX)
        return self._folders[place]
