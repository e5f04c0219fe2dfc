"""A run on Ray: one task for each method on each case, wherever the cluster has room; this process alone writes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from vibench.clip import Frames
from vibench.errors import InputError, MissingResource, UserError, one_line, reason_of
from vibench.plugins import Spec
from vibench.results.record import TRUTH, Record
from vibench.runner.bench import KeptFrames, Made, Workbench
from vibench.runner.engine import Ray
from vibench.runner.order import Order, Task

WAITING_A_SLOT = 2
"""So many tasks are handed to Ray for each that can run, so that none waits for this process, and a million of them
take no memory."""
WAIT_SECONDS = 1.0
"""Between two looks at Ctrl-C."""


@dataclass(frozen=True)
class _Unit:
    """One method on one case, and what it takes."""

    row: str
    task: Task
    cpus: float
    gpus: float

    @property
    def name(self) -> str:
        return f"{one_line(self.row)} on {one_line(self.task.planned.name)}"


def made_on_ray(engine: Ray, order: Order, run_digest: str, tasks: Sequence[Task], kept: KeptFrames) -> Iterator[Made]:
    """Carry out the tasks on a cluster, and yield what came of each record, in the order in which they end.

    Raises InputError where no node has what a task asks for, and UserError at the end where workers died at a task as
    often as ``attempts`` allows; all other records have been yielded then. Where it is interrupted, what runs is
    cancelled.
    """
    units = _units(engine, order, tasks)
    if not units:
        return
    with _connected(engine.address) as ray:
        slots = _slots(ray, units)
        order = replace(order, jobs=max(order.jobs, _beside_each_other(ray, units)))
        # Only the driver has the user's objects; each order is sent once and not with every task.
        orders = {unit.row: ray.put((_order_of(order, unit.row), run_digest)) for unit in units}
        work = ray.remote(max_calls=0)(_work)
        waiting, running, lost = iter(units), dict[Any, _Unit](), list[tuple[_Unit, str]]()
        try:
            while True:
                while len(running) < WAITING_A_SLOT * slots and (unit := next(waiting, None)) is not None:
                    asked = work.options(
                        num_cpus=unit.cpus, num_gpus=unit.gpus, max_retries=engine.attempts - 1, name=unit.name
                    )
                    frames = {record.method: kept(record) for record in unit.task.score}
                    running[asked.remote(orders[unit.row], unit.task, frames)] = unit
                if not running:
                    break
                for done in ray.wait(list(running), num_returns=1, timeout=WAIT_SECONDS)[0]:
                    unit = running.pop(done)
                    try:
                        made = ray.get(done)
                    except ray.exceptions.RayTaskError as error:
                        raise UserError(f"{unit.name}: {reason_of(error.cause)}") from error
                    except ray.exceptions.RayError as error:
                        lost.append((unit, type(error).__name__))
                        continue
                    yield from made
        except BaseException:
            for reference in running:
                ray.cancel(reference, force=True)
            raise
    if lost:
        unit, reason = lost[0]
        raise UserError(
            f"{len(lost)} records could not be made, since their workers died {engine.attempts} times, such as "
            f"{unit.name} ({reason}); all others are kept, and the same command tries again"
        )


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster; one that this process was connected to already stays so."""
    try:
        import ray
    except ImportError as error:
        raise MissingResource("--on ray needs Ray: pip install 'vibench[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(address=address or None, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"there is no Ray cluster at {address or 'this machine'!r}: {reason_of(error)}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _units(engine: Ray, order: Order, tasks: Sequence[Task]) -> list[_Unit]:
    """The tasks, one for each record, those of one method after the other: a worker then seldom loads another."""
    labels = [spec.label for spec in order.methods]
    cpus = _shares("cpus", engine.cpus, order.methods, 1.0)
    gpus = _shares("gpus", engine.gpus, order.methods, 0.0 if order.device == "cpu" else 1.0)
    found = [
        _Unit(row, part, cpus[row], gpus[row])
        for task in tasks
        for row, part in (
            *((label, Task(task.planned, (label,))) for label in task.fill),
            *((record.method, Task(task.planned, (), (record,))) for record in task.score),
        )
    ]
    return sorted(found, key=lambda unit: labels.index(unit.row) if unit.row in labels else len(labels))


def _shares(what: str, text: str, methods: Sequence[Spec], usual: float) -> dict[str, float]:
    """Label of each method, and the truth, -> how many CPUs or GPUs a task of it takes."""
    named: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = part.rpartition("=")
        try:
            named[name.strip()] = float(number)
        except ValueError:
            named[name.strip()] = -1.0
        if not 0 <= named[name.strip()] < 10_000 or name.strip() not in ("", *(spec.name for spec in methods)):
            raise InputError(f'ray: {what} is {text!r}; write a number, or METHOD=NUMBER by comma: {what}="vinet=1"')
    rest = named.get("", usual)
    return {TRUTH: rest, **{spec.label: named.get(spec.name, rest) for spec in methods}}


def _order_of(order: Order, row: str) -> Order:
    """The order with one method alone: a worker has one at a time."""
    return replace(order, methods=tuple(spec for spec in order.methods if spec.label == row))


def _nodes(ray: Any) -> list[Mapping[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _room(node: Mapping[str, float], unit: _Unit) -> int:
    """How many tasks like this one a node takes at once."""
    asked = [(node.get("CPU", 0.0), unit.cpus), (node.get("GPU", 0.0), unit.gpus)]
    return min((int(there / share) for there, share in asked if share), default=1)


def _slots(ray: Any, units: Iterable[_Unit]) -> int:
    """How many tasks the cluster takes at once; InputError where none of its nodes has room for one of them."""
    nodes = _nodes(ray)
    most = 0
    for unit in {(unit.cpus, unit.gpus): unit for unit in units}.values():
        rooms = [_room(node, unit) for node in nodes]
        if not any(rooms):
            raise InputError(
                f"{unit.row} asks for {unit.cpus:g} CPUs and {unit.gpus:g} GPUs, which none of the {len(nodes)} nodes "
                'of the cluster has; ask for less: --on "ray[cpus=...,gpus=...]"'
            )
        most = max(most, sum(rooms))
    return most


def _beside_each_other(ray: Any, units: Iterable[_Unit]) -> int:
    """How many cases may be at work on one machine at once, which every time is told with."""
    different = {(unit.cpus, unit.gpus): unit for unit in units}.values()
    return max(_room(node, unit) for node in _nodes(ray) for unit in different)


_bench: tuple[tuple[str, str], Workbench] | None = None
"""In a worker: the workbench of its last task, by run and method, so that a method is loaded once."""


def _work(ordered: tuple[Order, str], task: Task, frames: Mapping[str, Frames | None]) -> list[Made]:
    """In a worker: do one task."""
    global _bench
    order, run_digest = ordered
    key = run_digest, ",".join(spec.label for spec in order.methods)
    if _bench is None or _bench[0] != key:
        if _bench is not None:
            _bench[1].close()
            _bench = None
        _bench = key, Workbench.build(order, run_digest)

    def kept(record: Record) -> Frames | None:
        return frames.get(record.method)

    return list(_bench[1].work(task, kept))
