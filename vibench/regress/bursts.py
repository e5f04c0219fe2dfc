"""What is measured of a version in its own process: bursts of calls, and the memory of one.

``vibench.machine.worker`` runs these functions beside the method, whose Python and ``vibench`` may be others. So
nothing but the standard library is imported, and what lies in this ``vibench`` is named relatively.
"""

from __future__ import annotations

import gc
from typing import Any

from ..machine import call, memory, stopwatch


def settled(held: call.Held) -> dict[str, Any]:
    """Fill the clip's first frames, and let the garbage collector forget what is loaded now."""
    call.warm_up(held.method, held.clip, held.device)
    gc.collect()
    gc.freeze()  # what is loaded stays; later collections are quick
    return {}


def timed(held: call.Held, seconds: float) -> dict[str, Any]:
    """Fill the clip again and again for about ``seconds``.

    Each of ``calls`` is a list: wall and cpu seconds, voluntary and involuntary context switches, and wall and cpu
    seconds to the first frame.
    """
    gc.collect()
    gc.disable()
    try:
        started = stopwatch.read_clocks().wall
        calls: list[list[float]] = []
        while not calls or stopwatch.read_clocks().wall - started < seconds:
            calls.append(_timed(held))
    finally:
        gc.enable()
    return {"calls": calls, "resident_bytes": memory.resident_bytes()}


def peak(held: call.Held) -> dict[str, Any]:
    """Fill the clip once: how far memory grew meanwhile, in bytes."""
    with memory.peak_memory(held.device) as grown:
        _timed(held)
    return {"host_bytes": grown.host_bytes, "device_bytes": grown.device_bytes,
            "resident_bytes": memory.resident_bytes()}  # fmt: skip


def _timed(held: call.Held) -> list[float]:
    first, kept = None, []
    start = stopwatch.read_clocks()
    for frames in call.answers(held.method, held.clip, "round", held.device):
        first = first or stopwatch.read_clocks()
        kept.append(frames)
    end = stopwatch.read_clocks()
    to_first = (first or end).since(start)
    return [*end.since(start), to_first.wall, to_first.cpu]
