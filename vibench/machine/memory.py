"""The most memory that is held at one time inside a block, from the kernel's own high-water mark.

Nothing but Python's own library is imported at the top, and torch for a CUDA device only, so that the small process
that measures a foreign version can load this file by its path.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass
class Peak:
    """The most memory held at one time inside a ``peak_memory`` block, in bytes, beyond what was held when it began."""

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


def resident_bytes() -> int:
    """The resident memory of this process now, in bytes."""
    if _STATUS.exists():
        return _status_bytes("VmRSS")
    import psutil

    return int(psutil.Process().memory_info().rss)


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
