"""How fast a method was over the cases of a run, and how much memory it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vibench.results.record import Record
from vibench.results.statistics import Estimate, estimate


@dataclass(frozen=True)
class Speed:
    """Time and memory over all cases that were timed on one machine.

    ``machine`` is its name, empty where older records do not say it.
    ``frames_per_second`` is all frames over all seconds, with an interval over clips. Percentiles are of seconds per
    frame: of single frames where ``per_frame``, else of means of cases (a method that does not stream only has those).
    ``scopes`` is what was timed (``Timing.scope``), more than one thing where a program did not always say its seconds.
    ``first_frame_seconds`` is the median over cases; memory is the largest of any case, ``device_bytes`` None on the
    host.
    """

    machine: str
    devices: tuple[str, ...]
    frames_per_second: Estimate
    per_frame: bool
    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
    first_frame_seconds: float
    host_bytes: int
    device_bytes: int | None
    scopes: tuple[str, ...] = ("call",)


def speeds_of(records: Sequence[Record]) -> tuple[Speed, ...]:
    """Speed over the records of one method, one a machine that it was timed on, by the machine's name.

    There is none where nothing was timed (frames from disk, the truth).
    """
    by_machine: dict[str, list[Record]] = {}
    for record in records:
        if record.timing is not None and record.timing.seconds > 0:
            by_machine.setdefault(record.timing.machine, []).append(record)
    return tuple(_speed(machine, by_machine[machine]) for machine in sorted(by_machine))


def _speed(machine: str, timed: Sequence[Record]) -> Speed:
    timings = [record.timing for record in timed if record.timing is not None]
    per_frame = all(timing.frame_seconds for timing in timings)
    seconds = seconds_per_frame(timed)
    p50, p90, p99 = (float(value) for value in np.percentile(seconds, [50, 90, 99]))
    device_bytes = [timing.peak_device_bytes for timing in timings if timing.peak_device_bytes is not None]
    return Speed(
        machine=machine,
        devices=tuple(sorted({timing.device for timing in timings})),
        frames_per_second=estimate(
            [timing.frames_per_second for timing in timings],
            [timing.seconds for timing in timings],
            [record.clip for record in timed],
        ),
        per_frame=per_frame,
        p50_seconds=p50,
        p90_seconds=p90,
        p99_seconds=p99,
        first_frame_seconds=float(np.median([timing.first_frame_seconds for timing in timings])),
        host_bytes=max(timing.peak_host_bytes for timing in timings),
        device_bytes=max(device_bytes) if device_bytes else None,
        scopes=tuple(sorted({timing.scope for timing in timings})),
    )


def seconds_per_frame(records: Sequence[Record]) -> list[float]:
    """Seconds of every single frame where all records have them, else the mean of each case."""
    timings = [record.timing for record in records if record.timing is not None and record.timing.seconds > 0]
    if all(timing.frame_seconds for timing in timings):
        return [seconds for timing in timings for seconds in timing.frame_seconds]
    return [timing.seconds / timing.frames for timing in timings]
