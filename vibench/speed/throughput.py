"""Frames a second with several clips at once, which is measured, not computed from the time of one clip."""

from __future__ import annotations

import time
from concurrent.futures import as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from threading import BrokenBarrierError
from typing import Any

from vibench.data.probe import Probe
from vibench.errors import UserError
from vibench.machine.device import synchronise
from vibench.machine.processes import pin_threads, worker_pool
from vibench.plugins import Spec, make
from vibench.speed.growth import Shape

LOADING_SECONDS = 600.0
"""The longest time that processes wait for each other to be ready."""

_ready: Any = None


@dataclass(frozen=True)
class Throughput:
    """What several processes filled together: ``frames`` in the ``seconds`` from the first start to the last end."""

    clips: int
    threads: int
    frames: int
    seconds: float

    @property
    def frames_per_second(self) -> float:
        """The frames a second that all processes filled together."""
        return self.frames / self.seconds


def throughput(spec: Spec, shape: Shape, device: str, clips: int, threads: int, seconds: float) -> Throughput:
    """Fill ``clips`` clips of one ``shape`` at the same time, again and again for ``seconds``.

    Each clip has a process of its own with ``threads`` threads. UserError where one of the processes fails.
    """
    barrier = get_context("spawn").Barrier(clips)
    with worker_pool(clips, threads, _keep, barrier) as pool:
        jobs = [pool.submit(_filled, spec, shape, device, threads, seconds) for _ in range(clips)]
        failure: BaseException | None = None
        for job in as_completed(jobs):
            error = job.exception()
            if error is not None and (failure is None or isinstance(failure, BrokenBarrierError)):
                failure = error  # the first to fail, not those that waited for it in vain
        if failure is not None:
            raise UserError(f"{spec.label} failed with {clips} clips at once: {failure}") from failure
        spans = [job.result() for job in jobs]
    began, ended = min(start for start, _, _ in spans), max(end for _, end, _ in spans)
    return Throughput(clips, threads, sum(frames for _, _, frames in spans), ended - began)


def _keep(barrier: Any) -> None:
    global _ready
    _ready = barrier


def _filled(spec: Spec, shape: Shape, device: str, threads: int, seconds: float) -> tuple[float, float, int]:
    """Fill again and again; returns start and end, on a clock that all processes share, and the number of frames."""
    try:
        method = make("methods", spec, device=device)
        pin_threads(threads)
        holed = Probe.make(shape.width_px, shape.height_px, shape.frames).cases[0].holed()
        method(holed)
        synchronise(device)
    except BaseException:
        _ready.abort()
        raise
    _ready.wait(LOADING_SECONDS)
    start, frames = time.monotonic(), 0
    while frames == 0 or time.monotonic() - start < seconds:
        method(holed)
        synchronise(device)
        frames += shape.frames
    return start, time.monotonic(), frames
