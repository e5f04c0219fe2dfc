"""How long a report takes to build, its memory and its size; and how long its overview takes to open.

``REPORT_SIZE=8x50x80 make bench`` is the size that docs/report.md states: methods x clips x frames of 432x240 px
(writing that run first takes some minutes). ``REPORT_STORE=FOLDER`` keeps the run for the next time.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from browser import MISSING, Browser
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
    """Run a command; return its seconds, those of processors, and the most resident bytes it and its children held."""

    def __init__(self, *command: str) -> None:
        self.peak_bytes = 0
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        self.process = psutil.Popen(command, stdout=subprocess.DEVNULL)
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        self.status = self.process.wait()
        self.seconds = time.perf_counter() - started
        watcher.join()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.processor_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

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


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first benchmark builds and the second looks."""
    return tmp_path_factory.mktemp("built") / "report"


def test_report_is_built(benchmark: Any, run_folder: Path, report: Path) -> None:
    watched: list[Watched] = []

    def build() -> None:
        watched.append(Watched(sys.executable, "-m", "vibench", "report", str(run_folder), "--output", str(report)))

    benchmark.pedantic(build, rounds=1)
    (built,) = watched
    assert built.status == 0
    size = sum(path.stat().st_size for path in report.rglob("*") if path.is_file())
    losses = [json.loads(path.read_text())["loss"] for path in (report / "media").glob("*.json")]
    benchmark.extra_info |= {
        "methods x clips x frames": f"{METHODS}x{CLIPS}x{FRAMES}",
        "seconds": round(built.seconds, 1),
        "processor_seconds": round(built.processor_seconds, 1),
        "peak_bytes": built.peak_bytes,
        "bytes": size,
        "coding loss, grey levels": {
            name: round(float(np.mean([loss[name] for loss in losses])), 2) for name in ("mean", "p99")
        },
    }
    print(benchmark.extra_info)


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_overview_opens(benchmark: Any, report: Path) -> None:
    if not (report / "index.html").exists():
        pytest.skip("needs the report that test_report_is_built builds")
    browser = Browser()
    # On a busy machine the time on the clock says little; that of the page's own thread does.
    browser.command("Performance.enable", timeDomain="threadTicks")
    timing = "return performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
    seconds: list[float] = []
    busy: list[float] = []

    def opens() -> None:
        browser.open(report / "index.html", width=1440)
        seconds.append(browser.until(lambda: browser.script(timing), "the page is loaded"))
        metrics = {entry["name"]: entry["value"] for entry in browser.command("Performance.getMetrics")["metrics"]}
        busy.append(metrics["TaskDuration"])

    benchmark.pedantic(opens, rounds=5)
    browser.close()
    benchmark.extra_info |= {
        "load event, seconds": [round(second, 2) for second in seconds],
        "processor seconds of the page's thread": [round(second, 2) for second in busy],
    }
    print(benchmark.extra_info)
