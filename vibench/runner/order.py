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
