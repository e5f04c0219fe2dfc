"""Frames a second with several clips at once, which is measured, not computed from the time of one clip."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import BrokenBarrierError
from typing import Any

from vibench.data.probe import Probe
from vibench.errors import MethodFailed
from vibench.machine.host import Host, hosted, method_failures
from vibench.plugins import Spec
from vibench.speed import passes
from vibench.speed.growth import Shape

LOADING_SECONDS = 600.0
"""The longest time that processes wait for each other to be ready."""


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


def throughput(
    spec: Spec,
    shape: Shape,
    device: str,
    clips: int,
    threads: int,
    seconds: float,
    *,
    limit_seconds: float | None = None,
    in_process: bool = False,
) -> Throughput:
    """Fill ``clips`` clips of one ``shape`` at the same time, again and again for ``seconds``.

    Each clip has a process of its own with ``threads`` threads; ``in_process`` there is but one, in this one.
    ``limit_seconds`` is how long a fill may take. MethodFailed where one of the processes fails.
    """
    clips = 1 if in_process else clips
    party = _Party(Probe.make(shape.width_px, shape.height_px, shape.frames).cases[0].holed(), clips, limit_seconds)
    if in_process:
        jobs = [party.filled(hosted(spec, device, threads, in_process=True), seconds)]
    else:
        jobs = party.together(spec, device, threads, seconds)
    began, ended = min(job["began"] for job in jobs), max(job["ended"] for job in jobs)
    return Throughput(clips, threads, sum(job["fills"] for job in jobs) * shape.frames, ended - began)


class _Party:
    """Processes that fill one clip each and begin together."""

    def __init__(self, holed: Any, clips: int, limit_seconds: float | None) -> None:
        self.holed, self.clips, self.limit_seconds = holed, clips, limit_seconds
        self.hosts: list[Host] = []
        self.ready = threading.Barrier(clips)

    def together(self, spec: Spec, device: str, threads: int, seconds: float) -> list[dict[str, Any]]:
        """What ``passes.repeated`` says in each process. MethodFailed for the first to fail."""

        def one() -> dict[str, Any]:
            try:
                return self.filled(hosted(spec, device, threads), seconds)
            except BaseException:
                self.ready.abort()
                raise

        # A thread a process: Linux ends a process together with the thread that has started it.
        with ThreadPoolExecutor(self.clips) as pool:
            jobs = [pool.submit(one) for _ in range(self.clips)]
            try:
                for job in as_completed(jobs):
                    job.exception()
            except BaseException:
                for host in self.hosts:  # whoever waits for one of them is told that it has died
                    host.close()
                raise
        errors = [error for job in jobs if (error := job.exception()) is not None]
        # Not those that waited in vain for the one that failed.
        first = min(errors, key=lambda error: isinstance(error, BrokenBarrierError), default=None)
        if isinstance(first, MethodFailed):
            raise MethodFailed(f"with {self.clips} clips at once: {first.reason}", first.traceback) from first
        if first is not None:
            raise first
        return [job.result() for job in jobs]

    def filled(self, host: Host, seconds: float) -> dict[str, Any]:
        """Fill once, wait for the others, and fill for ``seconds``."""
        self.hosts.append(host)
        try:
            with method_failures():
                host.hold(self.holed)
                host.job(passes.repeated, self.limit_seconds, seconds=0.0)
            if self.clips > 1:
                self.ready.wait(LOADING_SECONDS)
            with method_failures():
                limit = None if self.limit_seconds is None else seconds + self.limit_seconds
                return host.job(passes.repeated, limit, seconds=seconds)
        finally:
            host.close()
