"""Threads of compiled loops, and what torch's own do meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from vinet.kernels.threads import in_parts, in_rows

IDLE = """
import os, time, torch
from vinet.kernels.threads import in_parts
torch.set_num_threads(max(2, len(os.sched_getaffinity(0))))
numbers = torch.zeros(2**22)

def burnt():
    numbers.sin_()
    start = time.process_time()
    time.sleep(0.05)
    return time.process_time() - start

before = burnt()
in_parts(100, 1, list)
print(before, burnt())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP is what torch has on Linux")
def test_openmp_leaves_the_cores_alone_once_compiled_loops_have_run() -> None:
    answer = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=True)
    before, after = map(float, answer.stdout.split())
    if before < 3e-3:
        pytest.skip(
            f"OpenMP's threads never wait busily here: {before * 1e3:.1f} ms of processor time after an operation"
        )
    assert after < before / 3


@pytest.mark.parametrize("threads", [1, 2, 3], indirect=True)
@pytest.mark.parametrize("rows", [1, 7, 8, 9, 33])
def test_every_row_is_computed_once(rows: int, threads: int) -> None:
    maps = np.zeros((rows, 1, 1, 1), np.float32)
    in_rows(maps, lambda first, last: maps[first:last].__iadd__(1))
    assert torch.get_num_threads() == threads
    assert (maps == 1).all()


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_an_error_in_another_thread_is_not_lost(threads: int) -> None:
    def failing(starts: Iterator[int]) -> None:
        for start in starts:
            raise ValueError(str(start))

    with pytest.raises(ValueError, match="[01]"):
        in_parts(2, 1, failing)
    with pytest.raises(ZeroDivisionError):
        in_rows(np.zeros((64, 1, 1, 1), np.float32), lambda first, last: first // 0)
    assert torch.get_num_threads() == threads
