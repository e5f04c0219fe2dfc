"""Worker processes: how many threads they use, how they end, and a pool of them.

Only Python's own library is imported here, so that the small process that measures a foreign version can load this file
by its path.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor
    from types import FrameType

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"
)  # fmt: skip
"""Environment variables that libraries read when they are loaded."""
PARENT_CHECK_SECONDS = 1.0

_PR_SET_PDEATHSIG = 1
"""From Linux's ``sys/prctl.h``: the signal that the calling process gets when its parent ends."""


def pin_threads(threads: int) -> None:
    """Give torch and OpenCV the same number of threads, where this process has loaded them."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)


def owned_folder(place: Path, prefix: str) -> Path:
    """Make a folder in ``place`` whose name begins with ``prefix`` and this process's number.

    Those of the same prefix that killed processes could not remove themselves are removed first.
    """
    for folder in place.glob(f"{prefix}*-*"):
        owner = folder.name.removeprefix(prefix).partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=place))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


@contextmanager
def worker_pool(
    processes: int, threads: int, set_up: Callable[..., None] | None = None, *arguments: object
) -> Iterator[ProcessPoolExecutor]:
    """A pool of worker processes that lives as long as the block.

    Every worker gives its libraries ``threads`` threads, leaves Ctrl-C to this process, ends with this process however
    that ends, and calls ``set_up(*arguments)`` before its first piece of work. Where the block raises, Ctrl-C included,
    the workers are killed in the midst of their work, and none is left when the block has ended; so work must write its
    files atomically. The pool must be used in the thread that opened it. Raises UserError where a worker died.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children, get_context

    from vibench.errors import UserError

    before = set(active_children())
    # Spawned, not forked: a forked child of a process whose libraries have threads may hang.
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, _settle, (os.getpid(), threads, set_up, arguments)) as pool:
        try:
            yield pool
        except BaseException as error:
            for worker in set(active_children()) - before:
                worker.kill()
            if isinstance(error, BrokenProcessPool):
                raise UserError(
                    "one of the processes that work side by side has died: the system ends one where memory runs out, "
                    "and a metric's own compiled code can crash; everything finished is kept, and the same command "
                    "with --jobs 1 goes on one by one"
                ) from error
            raise


def die_with(parent: int) -> None:
    """End this process as soon as its parent, the process ``parent``, has ended, however that came about.

    Linux ends it in the same moment, by SIGKILL. There the thread that started this process counts as its parent.
    Elsewhere a thread looks every ``PARENT_CHECK_SECONDS`` whether the parent is still the same.
    """
    if not _killed_with_parent():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    elif os.getppid() != parent:  # it had ended before the system was asked
        os._exit(1)


@contextmanager
def exit_on_termination() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP inside the block into SystemExit, so that what the block has made is tidied away.

    The exit status is the shell's for a process that was ended by a signal: 128 + its number. Signals that this process
    was started to ignore (``nohup``) stay ignored. Outside the main thread, which alone gets signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) is signal.SIG_DFL}

    def leave(number: int, _: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # a second one must not interrupt the tidying
        raise SystemExit(128 + number)

    try:
        for number in before:
            signal.signal(number, leave)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settle(parent: int, threads: int, set_up: Callable[..., None] | None, arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; only the parent answers it
    die_with(parent)
    os.environ |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    pin_threads(threads)
    if set_up is not None:
        set_up(*arguments)
        pin_threads(threads)


def _killed_with_parent() -> bool:
    """Ask Linux to kill this process when its parent ends; False where the system cannot."""
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)
    except (OSError, AttributeError):  # no C library to be loaded, or one without prctl
        return False


def _watch(parent: int) -> None:
    import time

    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)
