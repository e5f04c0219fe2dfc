"""Compiled loops on as many threads as torch has been given.

They hold no GIL, so Python's own threads are enough; torch cannot split work that it does not know.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

ROWS = 8


def in_parts(count: int, grain: int, work: Callable[[Iterator[int]], None]) -> None:
    """Share the numbers from 0 to `count` among the threads, in parts of `grain`.

    Each thread calls `work` with an iterator that draws the first number of a part at a time: 0, grain, 2 * grain, ...
    Drawing leaves no thread idle while another is late, as torch's own threads keep a core busy for a while after they
    are done. Meanwhile torch computes on one thread, also in the caller's thread.
    """
    threads = torch.get_num_threads()
    starts = iter(range(0, count, grain))
    if threads == 1 or count <= grain:
        work(starts)
        return
    futures = [_pool(threads - 1).submit(_inferring, work, starts) for _ in range(threads - 1)]
    torch.set_num_threads(1)
    try:
        work(starts)
    finally:
        torch.set_num_threads(threads)
        for future in futures:
            future.result()


def in_rows(maps: NDArray[np.float32], fill: Callable[[int, int], None]) -> None:
    """Call `fill(first, last)` for a few rows at a time of maps (B, H, W, C); rows are counted through the batch."""
    rows = maps.shape[0] * maps.shape[1]

    def filled(starts: Iterator[int]) -> None:
        for first in starts:
            fill(first, min(rows, first + ROWS))

    in_parts(rows, ROWS, filled)


def _inferring(work: Callable[[Iterator[int]], None], starts: Iterator[int]) -> None:
    with torch.inference_mode():  # a thread's own setting, as is the number of threads
        work(starts)


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(threads, "vinet", initializer=torch.set_num_threads, initargs=(1,))
    # The result is waited for because the caller is about to set another number of threads, and a thread that never had
    # a number of its own would take that one.
    pool.submit(_crowd, threads + 1).result()
    return pool


def _crowd(threads: int) -> None:
    """Give this thread a team of OpenMP threads that has no work, so that OpenMP counts more threads than cores.

    Without it, OpenMP's threads would wait busily for 10 ms after each of torch's operations, on the cores that
    compiled loops want. Where a process has more of them than cores, GNU's OpenMP lets them sleep.
    """
    torch.set_num_threads(threads)
    torch.zeros(2**20).sin_()
    torch.set_num_threads(1)
