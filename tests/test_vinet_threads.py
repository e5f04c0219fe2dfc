"""Threads of compiled loops, and what torch's own do meanwhile."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from vinet.threads import in_rows

IDLE = """
import os, time, torch
from vinet.threads import in_parts
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


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows", [1, 7, 8, 9, 33])
def test_every_row_is_computed_once(rows: int, threads: int) -> None:
    maps = np.zeros((rows, 1, 1, 1), np.float32)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        in_rows(maps, lambda first, last: maps[first:last].__iadd__(1))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert (maps == 1).all()


def test_an_error_in_a_part_is_raised() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            in_rows(np.zeros((64, 1, 1, 1), np.float32), lambda first, last: first // 0)
    finally:
        torch.set_num_threads(before)
