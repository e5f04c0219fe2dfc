"""What the harness's own timing adds to a method that takes 30 ms a frame; the aim is under 3 %.

The method is called bare and timed in turns.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from regress_methods import Sleepy

from vibench.data.probe import Probe
from vibench.machine.host import Here

FRAMES = 8
ROUNDS = 9


def test_harness_adds_little(benchmark: Any) -> None:
    method = Sleepy(seconds=0.030)
    holed = Probe.make(432, 240, FRAMES).cases[0].holed()
    bare: list[float] = []
    stated: list[float] = []

    def call_bare() -> None:
        started = time.perf_counter()
        list(method.stream(iter(holed.frames), iter(holed.masks)))
        bare.append(time.perf_counter() - started)

    def call_timed() -> None:
        _, timing = Here(method).fill(holed)
        stated.append(timing["seconds"] if timing else 0.0)

    benchmark.pedantic(call_timed, setup=call_bare, rounds=ROUNDS)
    benchmark.extra_info |= {"stated / bare": median(stated) / median(bare), "bare_seconds": median(bare)}
    print(f"stated seconds / bare seconds: {median(stated) / median(bare):.4f}")
