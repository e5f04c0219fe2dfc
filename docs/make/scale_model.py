"""A run on many machines, simulated: workers that take cases, are preempted, and wait for what they share.

The model is queues and nothing else. A case goes through stages, one after the other: time of its own worker, or time
of something shared (a disk, one writer, the cores of one machine), which serves so many at once, first come first
served. A preempted worker loses the case that it was at, and comes back later.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

HOUR = 3600.0


class Stage(NamedTuple):
    """A part of each case: ``seconds`` of what it needs, by its name; ``own`` is the worker itself."""

    of: str
    seconds: float


OWN = "own"


@dataclass(frozen=True)
class Cluster:
    """What there is: ``workers``, and how many each shared thing serves at once.

    A worker needs ``start`` before its first case and after a preemption, which it meets ``preemptions_an_hour`` times,
    and after which it waits ``requeue_seconds``.
    """

    workers: int
    shared: dict[str, int] = field(default_factory=dict)
    start: tuple[Stage, ...] = ()
    preemptions_an_hour: float = 0.0
    requeue_seconds: float = 0.0


class Outcome(NamedTuple):
    """What a simulated run took, in seconds: the whole, and of all workers together what went where."""

    makespan: float
    useful: float
    lost: float
    started: float
    waited: float
    idle: float
    preemptions: int

    @property
    def waste(self) -> float:
        """Share of the workers' time that made no record: of the time until the last has ended."""
        whole = self.useful + self.lost + self.started + self.waited + self.idle
        return 1 - self.useful / whole


def simulate(
    cluster: Cluster,
    seconds: Sequence[float],
    stages: Sequence[Stage],
    shard_of: Callable[[int], int] | None = None,
    seed: int = 0,
) -> Outcome:
    """Simulate cases that take so many ``seconds`` of a worker each, and then go through ``stages``.

    ``shard_of`` says which worker a case belongs to, as with ``--shard``; without it each free worker takes the next
    one, as with ``--on ray``.
    """
    return _Simulation(cluster, np.asarray(seconds, float), tuple(stages), shard_of, seed).outcome()


class _Worker:
    __slots__ = ("case", "left", "next_end", "since", "waiting")

    def __init__(self, next_end: float) -> None:
        self.case, self.left, self.since, self.next_end, self.waiting = -1, deque[Stage](), 0.0, next_end, 0.0


class _Simulation:
    """One simulated run. Events are (time, order, worker): the worker has ended a stage."""

    def __init__(
        self, cluster: Cluster, seconds: np.ndarray, stages: tuple[Stage, ...],
        shard_of: Callable[[int], int] | None, seed: int,
    ) -> None:  # fmt: skip
        self.cluster, self.seconds, self.stages = cluster, seconds.tolist(), stages
        self.chance = np.random.default_rng(seed)
        self.free = {name: [0.0] * count for name, count in cluster.shared.items()}
        self.queues = [deque[int]() for _ in range(1 if shard_of is None else cluster.workers)]
        for case in range(len(seconds)):
            self.queues[0 if shard_of is None else shard_of(case)].append(case)
        self.workers = [_Worker(self._next_end(0.0)) for _ in range(cluster.workers)]
        self.useful = self.lost = self.started = self.waited = 0.0
        self.preemptions = 0
        self.ends = [0.0] * cluster.workers

    def outcome(self) -> Outcome:
        events: list[tuple[float, int, int]] = []
        for number, worker in enumerate(self.workers):
            worker.left = deque(self.cluster.start)
            events.append((0.0, number, number))
        order = len(events)
        while events:
            now, _, number = heapq.heappop(events)
            if (later := self._step(now, number)) is not None:
                heapq.heappush(events, (later, order, number))
                order += 1
        makespan = max(self.ends)
        # A machine of a job array goes back when its shard has ended; here it counts until the last one has.
        idle = sum(makespan - end for end in self.ends)
        return Outcome(makespan, self.useful, self.lost, self.started, self.waited, idle, self.preemptions)

    def _step(self, now: float, number: int) -> float | None:
        """What a worker does now; returns when it has ended that, and None where there is nothing left."""
        worker = self.workers[number]
        if not worker.left:
            self._account(worker, now)
            queue = self.queues[min(number, len(self.queues) - 1)]
            if not queue:
                self.ends[number] = now
                return None
            worker.case, worker.since, worker.waiting = queue.popleft(), now, 0.0
            worker.left = deque((Stage(OWN, self.seconds[worker.case]), *self.stages))
        stage = worker.left[0]
        begin = now if stage.of == OWN else self._turn(stage, now)
        end = begin + stage.seconds
        if end > worker.next_end:
            return self._preempted(worker, number, max(now, worker.next_end))
        if stage.of != OWN:
            heapq.heapreplace(self.free[stage.of], end)
        worker.waiting += begin - now
        worker.left.popleft()
        return end

    def _turn(self, stage: Stage, now: float) -> float:
        return max(now, self.free[stage.of][0])

    def _account(self, worker: _Worker, now: float) -> None:
        """Write down what the time since the last case began has gone to."""
        took = now - worker.since - worker.waiting
        if worker.case < 0:
            self.started += took
        else:
            self.useful += took
        self.waited += worker.waiting
        worker.case, worker.since, worker.waiting = -1, now, 0.0

    def _preempted(self, worker: _Worker, number: int, now: float) -> float:
        """The worker is gone; its case waits first in its queue, and it comes back later."""
        self.preemptions += 1
        self.lost += now - worker.since
        if worker.case >= 0:
            self.queues[min(number, len(self.queues) - 1)].appendleft(worker.case)
        back = now + self.cluster.requeue_seconds
        self.lost += self.cluster.requeue_seconds
        worker.case, worker.since, worker.waiting = -1, back, 0.0
        worker.left = deque(self.cluster.start)
        worker.next_end = self._next_end(back)
        return back

    def _next_end(self, now: float) -> float:
        rate = self.cluster.preemptions_an_hour / HOUR
        return now + float(self.chance.exponential(1 / rate)) if rate else float("inf")
