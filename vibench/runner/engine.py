"""Engines: where a run is carried out when not by one command on one machine, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vibench.errors import InputError, one_line
from vibench.plugins import Spec
from vibench.plugins.options import check_filled, option_values


@dataclass(frozen=True)
class Slurm:
    """What is asked of Slurm: the options of ``--on "slurm[shards=32,gpus=1,minutes=240]"``.

    The cases are dealt to so many ``shards``, each a task of one job array; ``at_once`` of them run at a time (0: as
    many as there is room for). Each task gets so many ``gpus``, ``cpus``, gigabytes of memory (0: the cluster's own
    default) and ``minutes``; one that is preempted or runs out of time goes back into the queue, ``requeues`` times.
    ``partition`` and ``account`` are the cluster's. ``where`` may be ``local``, for processes of this machine without
    Slurm, or ``debug``, for this process.
    """

    shards: int
    gpus: int = 0
    cpus: int = 1
    memory_gb: float = 0.0
    minutes: int = 240
    requeues: int = 20
    at_once: int = 0
    partition: str = ""
    account: str = ""
    where: Literal["slurm", "local", "debug"] = "slurm"


@dataclass(frozen=True)
class Ray:
    """What is asked of Ray: the options of ``--on "ray[address=auto,gpus=1]"``.

    ``address`` is that of the cluster; without one it is what Ray finds (``$RAY_ADDRESS``, or a cluster that runs on
    this machine), or this machine. ``cpus`` and ``gpus`` are what a task takes: a number, or one a method with commas
    between them, ``gpus="vinet=1,telea=0"``; left out, 1 CPU, and 1 GPU where the device is one. A task whose worker or
    node was lost is tried ``attempts`` times in all.
    """

    address: str = ""
    cpus: str = ""
    gpus: str = ""
    attempts: int = 5


def engine_named(text: str) -> Slurm | Ray:
    """Read ``slurm[shards=32]`` or ``ray``; raise InputError for another engine, and for an option that it lacks."""
    spec = Spec.parse(text)
    engines: dict[str, type[Slurm | Ray]] = {"slurm": Slurm, "ray": Ray}
    if spec.name not in engines:
        raise InputError(f"--on {one_line(text)!r} names no engine; there are slurm[shards=N] and ray")
    engine = engines[spec.name]
    options = option_values(engine, spec)
    check_filled(engine, spec, options)
    return engine(**options)
