"""Load on one core that comes and goes at random, as neighbours on a shared machine do; a child process, ended with the block.

`stress-ng --cpu 1` does the same; this needs nothing installed and is drawn anew from a seed.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_SECONDS = 2.0


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
        until = time.monotonic() + chance.uniform(0, LONGEST_SECONDS)
        while time.monotonic() < until:
            sum(number * number for number in range(10_000))
        time.sleep(chance.uniform(0, LONGEST_SECONDS))


if __name__ == "__main__":
    main(int(sys.argv[1]))
