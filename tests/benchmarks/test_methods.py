"""Each registered method whole, on one thread: seconds for a clip of ``FRAMES`` frames.

Usage: ``make bench`` (64x64, for CI), ``make bench SIZE=432x240`` (for people).
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from vibench import plugins
from vibench.cli.options import size_of
from vibench.data.probe import Probe
from vibench.errors import UserError
from vibench.machine.processes import pin_threads
from vibench.plugins import Spec

FRAMES = 8
WIDTH, HEIGHT = size_of(os.environ.get("BENCH_SIZE", "64x64"))


@pytest.mark.parametrize("name", plugins.names("methods"))
def test_method(benchmark: Any, name: str) -> None:
    holed = Probe.make(WIDTH, HEIGHT, FRAMES).cases[0].holed()
    try:
        method = plugins.make("methods", Spec(name), device="cpu")
        pin_threads(1)
        method(holed)
    except UserError as absent:
        pytest.skip(str(absent))
    benchmark.pedantic(method, (holed,), rounds=3, warmup_rounds=1)
    benchmark.extra_info["frames_per_second"] = FRAMES / benchmark.stats.stats.median
