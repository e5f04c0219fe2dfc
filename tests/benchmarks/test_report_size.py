"""How long a report takes to build, its memory and its size; and how long its overview takes to open.

``REPORT_SIZE=8x50x80 make bench`` is the size that docs/report.md states: methods x clips x frames of 432x240 px (writing that
run first takes some minutes). ``REPORT_STORE=FOLDER`` keeps the run for the next time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from small_run import real_clip, write_run

METHODS, CLIPS, FRAMES = map(int, os.environ.get("REPORT_SIZE", "2x3x12").split("x"))
HEIGHT, WIDTH = 240, 432


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("REPORT_STORE")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("results")
    written = list(folder.glob("*/whole"))
    if written:
        return written[0].parent
    cases = [f"clip{place:02d}/square" for place in range(CLIPS)]
    methods = [f"method_{place}" for place in range(METHODS)]
    store = write_run(folder, methods, cases, FRAMES, HEIGHT, WIDTH, pictures=real_clip)
    (store.folder / "whole").touch()
    return store.folder


class Watched:
    """A command, its seconds, and the most memory it and its children held at once, in bytes of resident pages."""

    def __init__(self, *command: str) -> None:
        self.peak_bytes = 0
        started = time.perf_counter()
        self.process = psutil.Popen(command, stdout=subprocess.DEVNULL)
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        self.status = self.process.wait()
        self.seconds = time.perf_counter() - started
        watcher.join()

    def _watch(self) -> None:
        while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            self.peak_bytes = max(self.peak_bytes, self._held())
            time.sleep(0.1)

    def _held(self) -> int:
        held = 0
        try:
            for process in (self.process, *self.process.children(recursive=True)):
                held += process.memory_info().rss
        except psutil.NoSuchProcess:
            return 0
        return held


def test_report_is_built(benchmark: Any, run_folder: Path, tmp_path: Path) -> None:
    watched: list[Watched] = []

    def build() -> None:
        command = (sys.executable, "-m", "vibench", "report", str(run_folder), "--output", str(tmp_path / "report"))
        watched.append(Watched(*command))

    benchmark.pedantic(build, rounds=1)
    (built,) = watched
    assert built.status == 0
    size = sum(path.stat().st_size for path in (tmp_path / "report").rglob("*") if path.is_file())
    losses = [json.loads(path.read_text())["loss"]["mean"] for path in (tmp_path / "report" / "media").glob("*.json")]
    benchmark.extra_info |= {
        "methods x clips x frames": f"{METHODS}x{CLIPS}x{FRAMES}",
        "seconds": round(built.seconds, 1),
        "peak_bytes": built.peak_bytes,
        "bytes": size,
        "mean coding loss, grey levels": round(float(np.mean(losses)), 2),
    }
    print(benchmark.extra_info)
