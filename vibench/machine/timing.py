"""A method's call, timed after a warm-up, with the device synchronised, from uint8 frames in to uint8 frames out."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from vibench.document import Frozen
from vibench.machine.facts import machine_name
from vibench.machine.stopwatch import Reading, is_disturbed

AGAIN_SECONDS = 5.0


def timing_of(fields: Mapping[str, Any], jobs: int = 1) -> Timing:
    """The fields that ``call.filled`` gives, with what only this process can say: the machine and its clock."""
    machine = machine_name(str(fields["device"]))
    return Timing(**fields, jobs=jobs, clock_megahertz=clock_megahertz(), machine=machine)


def clock_megahertz() -> float | None:
    """The processor's clock now in MHz, mean over its cores; None where the system does not say."""
    import psutil

    clock = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return None if clock is None else float(clock.current)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise TimeoutError inside the block after ``seconds``; None means no limit.

    The interval timer does it, so that this works on POSIX in a process's main thread only, and native code ends when
    it returns to Python.
    """
    if seconds is None:
        yield
        return

    def expired(*_: object) -> None:
        raise TimeoutError(f"took longer than --time-limit {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, expired)
    try:
        # Again every few seconds: raised inside a callback of the interpreter, the error would be lost.
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Timing(Frozen):
    """Seconds of one method on one clip, uint8 in to uint8 out, after warm-up, device synchronised.

    ``frame_seconds`` has one value per frame for a streaming method, and is empty where only the whole clip can be
    timed; ``seconds`` is the whole clip. ``peak_host_bytes`` is the growth of resident memory during the call. ``jobs``
    other than 1 says that cases ran side by side, so that times are those of a busy machine.

    ``cpu_seconds``, ``involuntary_switches``, ``stolen_share``, ``load_average`` and ``clock_megahertz`` say what the
    machine was doing at the time (None: written before they were recorded, or the system does not say). ``machine``
    is what it is called (see ``machine_name``), empty in older records. Precision and compilation are options or facts
    of the method, on the run's page.

    ``scope`` is what was timed: the method's ``call`` from uint8 to uint8; the whole ``process`` of a program, with its
    start and its reading and writing of files, which has no warm-up, and whose ``peak_host_bytes`` are all that its
    largest process held; or the seconds that the program ``printed`` itself, where ``warm_up_seconds`` is the rest of
    its process's time.
    """

    device: str
    seconds: float
    frames: int
    frame_seconds: tuple[float, ...] = ()
    first_frame_seconds: float
    warm_up_seconds: float
    peak_host_bytes: int
    peak_device_bytes: int | None = None
    threads: int = 1
    jobs: int = 1
    cpu_seconds: float | None = None
    involuntary_switches: int | None = None
    stolen_share: float | None = None
    load_average: float | None = None
    clock_megahertz: float | None = None
    machine: str = ""
    scope: Literal["call", "process", "printed"] = "call"

    @property
    def disturbed(self) -> bool:
        """Whether other programs or machines took so much that this time should be measured again."""
        passed = Reading(self.seconds, self.cpu_seconds or 0.0, 0, self.involuntary_switches or 0)
        return is_disturbed(passed, self.stolen_share or 0.0)

    def real_time_factor(self, frames_per_second: float) -> float:
        """How many times faster than the video plays (``frames_per_second``) it was filled; 1 just keeps up."""
        return self.frames_per_second / frames_per_second

    @property
    def frames_per_second(self) -> float:
        """The number of frames over the seconds of the whole clip."""
        return self.frames / self.seconds
