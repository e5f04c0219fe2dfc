"""Times a method honestly: after warm-up, device synchronised, uint8 in to uint8 out, nothing else inside."""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from vibench.clip import Frames, Holed
from vibench.method import Method, StreamingMethod
from vibench.record import Timing

WARM_UP_FRAMES = 2
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


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
    with peak_memory(device) as peak:
        if isinstance(method, StreamingMethod):
            frames, frame_seconds, seconds = _streamed(method, holed, device, to_uint8)
        else:
            frames, frame_seconds, seconds = _called(method, holed, device, to_uint8)
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
    )


def thread_count() -> int:
    """Threads that torch gives to one operation on the host."""
    import torch

    return torch.get_num_threads()


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given; a no-op on the host."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


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


class time_limit:
    """Raise TimeoutError inside the block after ``seconds``; None means no limit.

    Uses the interval timer, so it works on POSIX in a process's main thread, and ends native code when that returns.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        if self.seconds is not None:
            self.before = signal.signal(signal.SIGALRM, self._expired)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_: object) -> None:
        if self.seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self.before)

    def _expired(self, *_: object) -> None:
        raise TimeoutError(f"took longer than --time-limit {self.seconds:g} seconds")


@dataclass
class Peak:
    """Most memory held at one time inside a ``peak_memory`` block, beyond what was held when it began."""

    host_bytes: int = 0
    device_bytes: int | None = field(default=None)


@contextmanager
def peak_memory(device: str = "cpu") -> Iterator[Peak]:
    """Measure the growth of this process's resident memory, and of device memory on CUDA, inside the block.

    On Linux the kernel keeps the high-water mark itself, so that no peak is missed between samples; elsewhere a
    thread samples every 2 ms. Freed memory is first given back to the system, or reuse of it would not count.
    """
    peak = Peak()
    _give_memory_back()
    on_cuda = device.startswith("cuda")
    if on_cuda:
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
    with _kernel_peak(peak) if _kernel_counts() else _sampled_peak(peak):
        yield peak
    if on_cuda:
        peak.device_bytes = torch.cuda.max_memory_allocated(device) - held


@contextmanager
def _kernel_peak(peak: Peak) -> Iterator[None]:
    _CLEAR_REFS.write_text("5")  # resets the high-water mark, see proc(5)
    before = _status_bytes("VmRSS")
    try:
        yield
    finally:
        peak.host_bytes = max(0, _status_bytes("VmHWM") - before)


@contextmanager
def _sampled_peak(peak: Peak) -> Iterator[None]:
    import psutil

    process, stop = psutil.Process(), threading.Event()
    before = process.memory_info().rss

    def sample() -> None:
        while not stop.wait(0.002):
            peak.host_bytes = max(peak.host_bytes, process.memory_info().rss - before)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _kernel_counts() -> bool:
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return _STATUS.exists()


def _status_bytes(key: str) -> int:
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {key}")


def _give_memory_back() -> None:
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only; musl has none
        if trim is not None:
            trim(0)
