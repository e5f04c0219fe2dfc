"""What the user asked for, and the cases that it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vibench.errors import InputError
from vibench.plugins import Spec
from vibench.protocol import PlannedCase, Protocol


@dataclass(frozen=True)
class Order:
    """What the user asked for. Everything in it can be sent to another process.

    ``limit`` keeps the first cases only; ``cases`` those whose name holds one of these texts; ``seeds`` those of the
    protocol's repeats (none: all). ``jobs`` cases run side by side. ``time_limit_seconds`` ends a method that takes longer on one case.
    """

    protocol: Protocol
    methods: tuple[Spec, ...]
    metrics: tuple[str, ...]
    output: Path
    data: Path | None = None
    device: str = "cpu"
    limit: int | None = None
    cases: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    jobs: int = 1
    predict_only: bool = False
    keep_frames: bool = True
    retry_failed: bool = False
    time_limit_seconds: float | None = None


@dataclass(frozen=True)
class Task:
    """One case and the methods that still lack a record of it."""

    planned: PlannedCase
    labels: tuple[str, ...]


def planned_cases(order: Order, clip_names: list[str]) -> list[PlannedCase]:
    """The protocol's cases, narrowed by ``cases``, ``seeds`` and ``limit``."""
    data = order.protocol.data
    if absent := [name for name in data.clips if name not in clip_names]:
        raise InputError(f"protocol {order.protocol.label} names the clip {absent[0]!r}, which the data set has not")
    planned = list(order.protocol.plan(list(data.clips) or clip_names))
    if order.cases:
        planned = [case for case in planned if any(text in case.name for text in order.cases)]
    if order.seeds:
        planned = [case for case in planned if case.repeat in order.seeds]
    planned = planned[: order.limit]
    if not planned:
        raise InputError(f"no case of {order.protocol.label} is left by --cases {','.join(order.cases)}")
    return planned


def repeats_named(text: str, protocol: Protocol) -> tuple[int, ...]:
    """``"0,2"`` as numbers of the protocol's seeded repeats; InputError for one that it has not."""
    found = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if not word.isdecimal() or int(word) >= protocol.repeats:
            raise InputError(
                f"--seeds {word!r} is none of the repeats of {protocol.label}; they are 0 to {protocol.repeats - 1}"
            )
        found.append(int(word))
    return tuple(found)
