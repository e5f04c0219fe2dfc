"""How fast a method was over the cases of a run, and how much memory it took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vibench.results.record import Record
from vibench.results.records import CLOCK, Numbers, Records
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


def speeds_of(records: Iterable[Record]) -> tuple[Speed, ...]:
    """Speed over the records of one method, one a machine that it was timed on, by the machine's name.

    There is none where nothing was timed (frames from disk, the truth).
    """
    timed = _timed(Records.of(records))
    machine = timed.texts["machine"]
    return tuple(_speed(name, timed.chosen(machine.rows_of(name))) for name in sorted(machine.counts()))


def seconds_per_frame(records: Iterable[Record]) -> Numbers:
    """Seconds of every single frame where all timed records have them, else the mean of each case."""
    timed = _timed(Records.of(records))
    if not _has_clock(timed):
        return _timing(timed, "seconds") / _timing(timed, "frames")
    clock = timed.blocks[CLOCK]
    return np.concatenate([clock.values[start:end] for start, end in zip(clock.starts, clock.ends, strict=True)])


def seconds_by_case(records: Iterable[Record]) -> Numbers:
    """Seconds a frame of each case that was timed: the mean over its frames."""
    timed = _timed(Records.of(records))
    return _timing(timed, "seconds") / _timing(timed, "frames")


def _timed(records: Records) -> Records:
    with np.errstate(invalid="ignore"):
        return records.chosen(np.flatnonzero(_timing(records, "seconds") > 0))


def _has_clock(timed: Records) -> bool:
    clock = timed.blocks.get(CLOCK)
    return clock is not None and len(clock.rows) == len(timed) > 0 and bool((clock.ends > clock.starts).all())


def _timing(records: Records, name: str) -> Numbers:
    return records.numbers[f"timing.{name}"]


def _speed(machine: str, timed: Records) -> Speed:
    seconds = _timing(timed, "seconds")
    p50, p90, p99 = (float(value) for value in np.percentile(seconds_per_frame(timed), [50, 90, 99]))
    device_bytes = _timing(timed, "peak_device_bytes")
    return Speed(
        machine=machine,
        devices=tuple(sorted(timed.texts["device"].counts())),
        frames_per_second=estimate(
            _timing(timed, "frames") / seconds, seconds, timed.texts["clip"].of_rows(np.arange(len(timed))).tolist()
        ),
        per_frame=_has_clock(timed),
        p50_seconds=p50,
        p90_seconds=p90,
        p99_seconds=p99,
        first_frame_seconds=float(np.median(_timing(timed, "first_frame_seconds"))),
        host_bytes=int(_timing(timed, "peak_host_bytes").max()),
        device_bytes=None if np.isnan(device_bytes).all() else int(np.nanmax(device_bytes)),
        scopes=tuple(sorted(timed.texts["scope"].counts())),
    )
