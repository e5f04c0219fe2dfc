"""Two clocks and what disturbed them: wall time, processor time, context switches and stolen time.

The processor-time clock stands still while the process waits for a core that somebody else uses, and such waiting is
most of the noise of a shared machine. It also stands still while a method sleeps or waits for a device, so it is a
witness, not a replacement; ``own_clock`` says when it may be trusted. Only Python's own library is imported here, so
that the small process that measures a foreign version can load this file by its path.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter, process_time
from typing import Literal, NamedTuple

Clock = Literal["wall", "cpu"]
STOLEN_TOO_MUCH = 0.05
"""Share of the machine's time that the hypervisor gave to others, above which a measurement counts as disturbed."""
SWITCHES_TOO_MANY = 20.0
"""Involuntary context switches a second above which a measurement counts as disturbed; a quiet core shows 1 to 5."""

_STAT = Path("/proc/stat")


class Reading(NamedTuple):
    """The clocks at one moment, or the difference of two moments: seconds, seconds, and counts of context switches.

    ``voluntary``: the process itself waited (sleep, device, lock). ``involuntary``: it was pushed off its core.
    """

    wall: float
    cpu: float
    voluntary: int
    involuntary: int

    def since(self, before: Reading) -> Reading:
        """What passed between the reading ``before`` and this one."""
        return Reading(
            self.wall - before.wall,
            self.cpu - before.cpu,
            self.voluntary - before.voluntary,
            self.involuntary - before.involuntary,
        )


class Load(NamedTuple):
    """The machine at one moment: its processors' time and the part stolen by the hypervisor, in ticks."""

    total_ticks: int
    stolen_ticks: int

    def stolen_share(self, before: Load) -> float:
        """The part of all processor time since ``before`` that was stolen; 0 where the system does not say."""
        passed = self.total_ticks - before.total_ticks
        return (self.stolen_ticks - before.stolen_ticks) / passed if passed > 0 else 0.0


def read_clocks() -> Reading:
    """Read both clocks and this process's context switches so far (0 where the system has no ``getrusage``)."""
    try:
        import resource
    except ImportError:  # Windows
        return Reading(perf_counter(), process_time(), 0, 0)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Reading(perf_counter(), process_time(), usage.ru_nvcsw, usage.ru_nivcsw)


def read_load() -> Load:
    """Read the first line of ``/proc/stat`` (user nice system idle iowait irq softirq steal); zeros elsewhere."""
    if not _STAT.exists():
        return Load(0, 0)
    with _STAT.open(encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return Load(sum(ticks), ticks[7] if len(ticks) > 7 else 0)


def load_average() -> float | None:
    """How many processes ran or waited to run, as mean of the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def is_disturbed(passed: Reading, stolen_share: float) -> bool:
    """Whether others took so much of the machine that wall time says little about the method."""
    return stolen_share > STOLEN_TOO_MUCH or passed.involuntary > SWITCHES_TOO_MANY * max(passed.wall, 0.1)


def own_clock(readings: list[Reading], threads: int, device: str) -> Clock:
    """Which clock tells a method's own time: ``cpu`` only where the method itself never waits.

    It never waits if it has one thread on the host and if more than half of its calls did not once give up the core of
    their own will. All the difference between the clocks is then other programs' doing.
    """
    never_waits = sorted(reading.voluntary for reading in readings)[len(readings) // 2] == 0
    return "cpu" if threads == 1 and device == "cpu" and never_waits else "wall"
