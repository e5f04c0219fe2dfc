"""Compiled loops on as many threads as torch has been given: they hold no GIL, and torch cannot split what it does not know."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ROWS = 8


def in_parts(count: int, grain: int, work: Callable[[Iterator[int]], None]) -> None:
    """Have every thread `work` on the parts of 0..count whose first indices it draws: 0, grain, 2 * grain, ...

    Drawing leaves no thread idle while another is late: torch's own threads keep a core busy for a while after they are done.
    Each thread, the caller's for that while too, has torch compute on itself alone.
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
    """`fill(first, last)` for some rows at a time of maps (B, H, W, C), counted through the batch."""
    rows = maps.shape[0] * maps.shape[1]

    def filled(starts: Iterator[int]) -> None:
        for first in starts:
            fill(first, min(rows, first + ROWS))

    in_parts(rows, ROWS, filled)


def fit_for_kernels(*maps: Tensor) -> bool:
    """Whether compiled loops may take these: float32 on a CPU, no gradient to be recorded, nothing being traced."""
    suitable = all(plane.device.type == "cpu" and plane.dtype == torch.float32 for plane in maps)
    return suitable and not torch.is_grad_enabled() and not torch.compiler.is_compiling()


def channels_last(maps: Tensor) -> NDArray[np.float32]:
    """(B, C, H, W) -> (B, H, W, C), C-contiguous: what compiled loops run over; a copy only where it was laid out otherwise."""
    array: NDArray[np.float32] = maps.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(array)


def _inferring(work: Callable[[Iterator[int]], None], starts: Iterator[int]) -> None:
    with torch.inference_mode():  # a thread's own setting, as is the number of threads
        work(starts)


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(threads, "vinet", initializer=torch.set_num_threads, initargs=(1,))
    # Waited for: the caller is about to set another number of threads, and a thread that never had one of its own would take it.
    pool.submit(_crowd, threads + 1).result()
    return pool


def _crowd(threads: int) -> None:
    """Let OpenMP know that it is not alone, by a team of its threads that belongs to this thread and has no work.

    For 10 ms after each of torch's operations its OpenMP threads would else wait busily on the cores that compiled loops want. Where a
    process has more of them than cores, GNU's OpenMP lets them sleep.
    """
    torch.set_num_threads(threads)
    torch.zeros(2**20).sin_()
    torch.set_num_threads(1)
