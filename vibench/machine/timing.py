"""A method's call, timed after a warm-up, with the device synchronised, from uint8 frames in to uint8 frames out."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from vibench.clip import Frames, Holed
from vibench.document import Frozen
from vibench.machine.device import synchronise
from vibench.machine.memory import peak_memory
from vibench.machine.stopwatch import Reading, is_disturbed, load_average, read_clocks, read_load
from vibench.method import Method, StreamingMethod

WARM_UP_FRAMES = 2
AGAIN_SECONDS = 5.0


def timed_fill(method: Method, holed: Holed, device: str, to_uint8: Callable[..., Frames]) -> tuple[Frames, Timing]:
    """Fill ``holed`` and say how long it took.

    A streaming method is timed through its stream, frame by frame, so that first-frame latency and percentiles are
    measured; any other through one call. ``to_uint8`` quantises a method's float frames and is inside the timed region.
    The warm-up fills the first frames of the same clip and is thrown away.
    """
    few = slice(WARM_UP_FRAMES)
    warm_up = Holed(holed.name, holed.frames[few].copy(), holed.masks[few].copy())
    started = perf_counter()
    method(warm_up)
    synchronise(device)
    warm_up_seconds = perf_counter() - started
    gc.collect()
    load, clocks = read_load(), read_clocks()
    with peak_memory(device) as peak:
        if isinstance(method, StreamingMethod):
            frames, frame_seconds, seconds = _streamed(method, holed, device, to_uint8)
        else:
            frames, frame_seconds, seconds = _called(method, holed, device, to_uint8)
    passed = read_clocks().since(clocks)
    return frames, Timing(
        device=device,
        seconds=seconds,
        frames=len(holed.frames),
        frame_seconds=tuple(frame_seconds),
        first_frame_seconds=frame_seconds[0] if frame_seconds else seconds,
        warm_up_seconds=warm_up_seconds,
        peak_host_bytes=peak.host_bytes,
        peak_device_bytes=peak.device_bytes,
        threads=thread_count(),
        cpu_seconds=passed.cpu,
        involuntary_switches=passed.involuntary,
        stolen_share=read_load().stolen_share(load),
        load_average=load_average(),
        clock_megahertz=clock_megahertz(),
    )


def clock_megahertz() -> float | None:
    """The processor's clock now in MHz, mean over its cores; None where the system does not say."""
    import psutil

    clock = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return None if clock is None else float(clock.current)


def thread_count() -> int:
    """How many threads torch gives to one operation on the host."""
    import torch

    return torch.get_num_threads()


def _called(
    method: Method, holed: Holed, device: str, to_uint8: Callable[..., Frames]
) -> tuple[Frames, list[float], float]:
    started = perf_counter()
    frames = to_uint8(method(holed))
    synchronise(device)
    return frames, [], perf_counter() - started


def _streamed(
    method: StreamingMethod, holed: Holed, device: str, to_uint8: Callable[..., Frames]
) -> tuple[Frames, list[float], float]:
    frames, frame_seconds = [], []
    started = before = perf_counter()
    for frame in method.stream(iter(holed.frames), iter(holed.masks)):
        frames.append(to_uint8(frame))
        synchronise(device)
        now = perf_counter()
        frame_seconds.append(now - before)
        before = now
    return np.stack(frames), frame_seconds, perf_counter() - started


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
    machine was doing at the time (None: written before they were recorded, or the system does not say). Precision
    and compilation are options or facts of the method, on the run's page.
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
