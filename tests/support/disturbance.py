"""Load on one core that comes and goes at random, as neighbours on a shared machine do.

A child process makes it, and ends with the block. The load is `stress-ng --cpu 1` where that is installed, whose
methods also fight for caches and memory, else arithmetic in Python.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

LONGEST_SECONDS = 2.0
STRESS_NG = shutil.which("stress-ng")


@contextmanager
def disturbance(seed: int) -> Iterator[None]:
    """Keep one core busy at random moments while the block runs."""
    process = subprocess.Popen([sys.executable, __file__, str(seed)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main(seed: int) -> None:
    chance = random.Random(seed)
    while True:
        burn(chance.uniform(0, LONGEST_SECONDS))
        time.sleep(chance.uniform(0, LONGEST_SECONDS))


def burn(seconds: float) -> None:
    """Keep one core busy for so long."""
    if STRESS_NG is None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sum(number * number for number in range(10_000))
        return
    # The timeout is for a parent that was killed: its load then outlives it by no more than one burst.
    with subprocess.Popen([STRESS_NG, "--quiet", "--cpu", "1", "--timeout", f"{ceil(LONGEST_SECONDS)}s"]) as stress:
        time.sleep(seconds)
        stress.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]))
