"""What a command costs before it does anything: processor seconds and memory of the whole process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

COMMANDS = {
    "--help": ("--help",),
    "list methods": ("list", "methods"),
    "list metrics": ("list", "metrics"),
    "a metric that is not there": ("run", "--methods", "telea", "--metrics", "psnrr"),
    "a mask that is not there": ("inpaint", "{walker}", "--mask", "absent.png", "--output", "out.mp4"),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_start(benchmark: Any, what: str, tmp_path: Path) -> None:
    from vibench.files import bundled

    walker = str(bundled("datasets") / "bundled" / "walker.mp4")
    words = [sys.executable, "-m", "vibench", *(word.format(walker=walker) for word in COMMANDS[what])]
    seconds: list[float] = []
    peak: list[int] = []

    def start() -> None:
        quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
        pid = os.posix_spawn(words[0], words, os.environ, file_actions=quiet)
        _, _, used = os.wait4(pid, 0)
        seconds.append(used.ru_utime + used.ru_stime)
        peak.append(used.ru_maxrss * 1024)

    benchmark.pedantic(start, rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {"cpu_seconds": min(seconds), "peak_bytes": max(peak)}
    print(f"{what}: {min(seconds):.2f} s of the processor, {max(peak) / 1e6:.0f} MB")
