"""The lock of a run's folder: one command works on the whole run, or several work on a part each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vibench.errors import InputError, reason_of

if TYPE_CHECKING:
    from filelock import BaseFileLock

SHORT_WAIT_SECONDS = 1.0
"""A wait so short is not worth a word."""


@contextmanager
def locked(folder: Path, say: Callable[[str], None], part: str = "") -> Iterator[bool]:
    """Keep other processes out of the run in ``folder`` for the length of the block, or out of ``part`` of it.

    Several parts may be worked on at once; who wants the whole run waits for all of them. A wait is told by ``say``.
    Yields whether the lock is held: a folder that may only be read needs none, since nothing in it can change.

    Raises InputError where the folder may be written and still cannot be locked.
    """
    with ExitStack() as held:
        try:
            if part:
                _hold_part(folder, part, held, say)
            else:
                _hold_whole(folder, held, say)
        except OSError as error:
            if os.access(folder, os.W_OK):
                raise InputError(
                    f"cannot lock the run {str(folder)!r}: {reason_of(error)}; see who owns its file .lock"
                ) from error
            yield False
            return
        yield True


def _hold_whole(folder: Path, held: ExitStack, say: Callable[[str], None]) -> None:
    """Take the door, behind which nobody can begin a part, and then every part that was begun."""
    _hold(_door(folder), folder, held, say)
    for path in sorted(folder.glob(".lock-*")):
        _hold(_file_lock(path), folder, held, say)


def _hold_part(folder: Path, part: str, held: ExitStack, say: Callable[[str], None]) -> None:
    """Take a part while nobody has the whole run; the door is free again at once, for other parts."""
    own = _file_lock(folder / f".lock-{part}")
    while True:
        with ExitStack() as door:
            _hold(_door(folder), folder, door, say)
            if _taken(own, 0):
                held.callback(own.release)
                return
        # Nobody else must wait at the door meanwhile, so it is not held here.
        with ExitStack() as waited:
            _hold(own, folder, waited, say)


def _hold(lock: BaseFileLock, folder: Path, held: ExitStack, say: Callable[[str], None]) -> None:
    if not _taken(lock, SHORT_WAIT_SECONDS):
        say(f"another vibench process is working in {folder}; waiting until it ends (Ctrl-C to give up)")
        lock.acquire()
    held.callback(lock.release)


def _taken(lock: BaseFileLock, timeout_seconds: float) -> bool:
    import filelock

    try:
        lock.acquire(timeout=timeout_seconds)
    except filelock.Timeout:
        return False
    return True


def _door(folder: Path) -> BaseFileLock:
    return _file_lock(folder / ".lock")


def _file_lock(path: Path) -> BaseFileLock:
    import filelock

    return filelock.FileLock(path)
