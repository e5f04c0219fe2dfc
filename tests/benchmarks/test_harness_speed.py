"""What the harness adds to a method that takes 30 ms a frame; the aim is under 3 %.

Every comparison is paired: both ways are gone in turns, so that a busy machine harms both alike.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pytest
from regress_methods import Sleepy
from video_files import drifting

from vibench.data.probe import Probe
from vibench.machine.call import WARM_UP_FRAMES
from vibench.machine.host import Here, Host, hosted
from vibench.media.video import write_lossless
from vibench.plugins import Spec
from vibench.runner.inpaint import inpaint

FRAMES = 8
ROUNDS = 9
HEIGHT, WIDTH = 240, 432
FRAME_SECONDS = 0.030


def seconds_of(action: Any, *arguments: Any, **options: Any) -> float:
    started = time.perf_counter()
    action(*arguments, **options)
    return time.perf_counter() - started


def test_harness_adds_little(benchmark: Any) -> None:
    method = Sleepy(seconds=FRAME_SECONDS)
    holed = Probe.make(WIDTH, HEIGHT, FRAMES).cases[0].holed()
    bare: list[float] = []
    stated: list[float] = []

    def call_bare() -> None:
        bare.append(seconds_of(lambda: list(method.stream(iter(holed.frames), iter(holed.masks)))))

    def call_timed() -> None:
        _, timing = Here(method).fill(holed)
        stated.append(timing["seconds"] if timing else 0.0)

    benchmark.pedantic(call_timed, setup=call_bare, rounds=ROUNDS)
    benchmark.extra_info |= {"stated / bare": median(stated) / median(bare), "bare_seconds": median(bare)}
    print(f"stated seconds / bare seconds: {median(stated) / median(bare):.4f}")


def test_a_case_in_a_process_of_its_own_takes_little_longer(benchmark: Any) -> None:
    """A whole case as ``run`` asks for it, from frames in to frames out: wall time, and the processor's time.

    The latter counts for both processes, and other programs harm it little.
    """
    holed = Probe.make(WIDTH, HEIGHT, 4 * FRAMES).cases[0].holed()
    spec, frames = Spec("regress_methods:Sleepy", {"seconds": str(FRAME_SECONDS)}), 4 * FRAMES + WARM_UP_FRAMES
    wall: dict[str, list[float]] = {"here": [], "child": []}
    cpu = dict.fromkeys(wall, 0.0)
    with hosted(spec, "cpu", 1) as child, hosted(spec, "cpu", 1, in_process=True) as here:

        def fill(name: str, host: Host) -> None:
            before = cpu_seconds()
            wall[name].append(seconds_of(host.fill, holed))
            cpu[name] += cpu_seconds() - before

        child.fill(holed), here.fill(holed)
        gc.freeze()  # what the tests have loaded here is no part of it
        benchmark.pedantic(fill, ("child", child), setup=lambda: fill("here", here), rounds=ROUNDS)
    gc.unfreeze()
    told(benchmark, wall, {name: seconds / ROUNDS / frames for name, seconds in cpu.items()}, frames)


@pytest.mark.parametrize("name", ["telea", "flow_propagation", "vinet"])
def test_loading_a_method_in_a_process_of_its_own(benchmark: Any, name: str) -> None:
    """Seconds until a method can be asked and its process has ended again, by the wall and of the processor.

    A method made here finds torch loaded already: what a child costs more is its imports.
    """
    cpu: list[float] = []

    def load() -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with hosted(Spec(name), "cpu", 1):
            pass
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    benchmark.pedantic(load, rounds=5, warmup_rounds=1)
    benchmark.extra_info["cpu_seconds"] = median(cpu)
    print(f"{name}: {benchmark.stats.stats.median:.2f} s by the wall, {median(cpu):.2f} s of the processor")


def test_a_video_in_a_process_of_its_own_takes_no_longer(benchmark: Any, tmp_path: Path) -> None:
    """The same of ``inpaint`` of a streaming method; loading it is left out of the wall time.

    Decoding and encoding go on while a child works, which is more than crossing costs.
    """
    video, mask = a_video(tmp_path, 100)
    spec = Spec("regress_methods:Sleepy", {"seconds": str(FRAME_SECONDS)})
    wall: dict[str, list[float]] = {"here": [], "child": []}
    cpu = dict.fromkeys(wall, 0.0)

    def fill(name: str) -> None:
        clock: list[tuple[float, float]] = []
        inpaint(
            video, mask, spec, tmp_path / "out.mkv", device="cpu", in_process=name == "here",
            progress=lambda _: lambda: clock.append((time.perf_counter(), cpu_seconds())),
        )  # fmt: skip
        (began, cpu_before), (ended, cpu_after) = clock[9], clock[89]
        wall[name].append(ended - began)
        cpu[name] += cpu_after - cpu_before

    benchmark.pedantic(fill, ("child",), setup=lambda: fill("here"), rounds=5)
    told(benchmark, wall, {name: seconds / 5 / 80 for name, seconds in cpu.items()}, 80)


@pytest.mark.parametrize("frames", [60, 240])
@pytest.mark.parametrize("options", [(), ("--in-process",)], ids=["child", "here"])
def test_memory_of_a_streamed_video(benchmark: Any, frames: int, options: tuple[str, ...], tmp_path: Path) -> None:
    """The most memory of ``vibench inpaint`` and all that it starts; shared pages count once."""
    video, mask = a_video(tmp_path, frames)
    words = ["inpaint", str(video), "--mask", str(mask), "-m", "regress_methods:Busy[rounds=100]", "--device", "cpu"]
    peak = benchmark.pedantic(peak_bytes, ([*words, "-o", str(tmp_path / "out.mkv"), *options],), rounds=1)
    benchmark.extra_info["peak_bytes"] = peak
    print(f"{frames} frames: {peak / 1e6:.0f} MB")


@pytest.mark.parametrize("options", [(), ("--in-process",)], ids=["child", "here"])
def test_memory_of_a_run(benchmark: Any, options: tuple[str, ...], tmp_path: Path) -> None:
    """The most memory of ``vibench run`` and all that it starts; shared pages count once."""
    words = ["run", "-m", "telea", "-p", "bundled", "--limit", "2", "--device", "cpu", "-o", str(tmp_path / "out")]
    peak = benchmark.pedantic(peak_bytes, ([*words, *options],), rounds=1)
    benchmark.extra_info["peak_bytes"] = peak
    print(f"{peak / 1e6:.0f} MB")


def cpu_seconds() -> float:
    """The processor's time of this process and of those that it has started, in steps of 10 ms."""
    mine = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in [mine, *mine.children(recursive=True)])


def told(benchmark: Any, wall: dict[str, list[float]], cpu_a_frame: dict[str, float], frames: int) -> None:
    """Keep and print the ratio of the times in turns, and what more a frame takes of the processor."""
    ratios = [child / here for child, here in zip(wall["child"], wall["here"], strict=True)]
    more = cpu_a_frame["child"] - cpu_a_frame["here"]
    benchmark.extra_info |= {"child / here": median(ratios), "cpu_seconds_a_frame": more}
    print(f"wall, child / here: {median(ratios):.4f} ({min(ratios):.4f} to {max(ratios):.4f}) at "
          f"{1e3 * median(wall['here']) / frames:.1f} ms a frame; processor: {1e3 * more:+.2f} ms a frame, "
          f"{more / FRAME_SECONDS:+.1%} of {1e3 * FRAME_SECONDS:.0f} ms")  # fmt: skip


def a_video(folder: Path, frames: int) -> tuple[Path, Path]:
    """A lossless video, and a mask of a third of each side."""
    write_lossless(folder / "in.mkv", drifting(frames, HEIGHT, WIDTH))
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[HEIGHT // 3 : 2 * HEIGHT // 3, WIDTH // 3 : 2 * WIDTH // 3] = True
    np.save(folder / "mask.npy", hole)
    return folder / "in.mkv", folder / "mask.npy"


def peak_bytes(words: list[str]) -> int:
    """The most that the command and its children take together, looked at every 20 ms: proportional set size."""
    peak = 0
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support")}
    command = [sys.executable, "-m", "vibench", *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as running:
        watched = psutil.Process(running.pid)
        while running.poll() is None:
            total = 0
            for process in [watched, *watched.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:  # it has just ended
                    continue
            peak = max(peak, total)
            time.sleep(0.02)
    assert running.returncode == 0
    return peak
