"""An order: what the user asked for, and the tasks that it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vibench import plugins
from vibench.errors import InputError
from vibench.plugins import Spec
from vibench.plugins.definitions import included
from vibench.protocol import PlannedCase, Protocol
from vibench.results.record import Record
from vibench.runner.engine import Ray
from vibench.runner.shard import Shard


@dataclass(frozen=True)
class Order:
    """What the user asked for. Everything in it can be sent to another process.

    ``limit`` keeps the first cases only, ``cases`` those whose name holds one of these texts, and ``seeds`` those of
    these seeded repeats of the protocol (empty: all). ``jobs`` cases run side by side. ``predict_only`` fills and keeps
    frames and scores nothing. ``retry_failed`` tries cases again that failed before. ``time_limit_seconds`` ends a
    method that takes longer on one case. ``factories`` are methods and metrics that were given as Python objects, by
    (kind, name). ``name`` is that of the run's folder (empty: its digest). ``command`` says how the run was started,
    for its page. ``ray`` says what is asked of a cluster that does the work, None for none. ``shard`` is the part of
    the cases that is made here, None for all. ``include`` are the places with protocols and cards of others that were
    included.
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
    in_process: bool = False
    name: str = ""
    factories: Mapping[tuple[plugins.Kind, str], Callable[..., Any]] = field(default_factory=dict)
    command: str = ""
    shard: Shard | None = None
    ray: Ray | None = None
    include: tuple[Path, ...] = field(default_factory=included)


@dataclass(frozen=True)
class Task:
    """What is to be done with one case.

    ``fill`` names the methods that have to fill it (and the row of the truth, where that is missing); ``score`` holds
    the records whose frames were kept and only need to be measured.
    """

    planned: PlannedCase
    fill: tuple[str, ...] = ()
    score: tuple[Record, ...] = ()

    @property
    def count(self) -> int:
        """How many records the task gives."""
        return len(self.fill) + len(self.score)


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
