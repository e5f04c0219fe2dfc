"""Runs an order: plans it, finds what is missing, has it made here or in worker processes, and continues after anything."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol as Interface

from vibench import plugins
from vibench.data.cases import planned_cases
from vibench.method import DescribedMethod, Method
from vibench.metric import Metric
from vibench.plugins import Spec
from vibench.protocol import PlannedCase
from vibench.results.record import TRUTH, MethodFacts, MetricFacts, Record, RunInfo
from vibench.results.store import Store
from vibench.runner.bench import Bench
from vibench.runner.order import Order, Task


class Listener(Interface):
    """Told how a run goes; the command line draws a progress bar from it."""

    def started(self, total: int, remaining: int) -> None:
        """``total`` records belong to the run, ``remaining`` of them are still to be made."""
        ...

    def finished(self, record: Record) -> None:
        """One record was made."""
        ...

    def say(self, sentence: str) -> None:
        """Something a person should know."""
        ...


def run(order: Order, listener: Listener) -> Store:
    """Make every record of ``order`` that does not exist yet, and return the run's store."""
    bench = Bench.build(order)
    planned = planned_cases(
        order.protocol, bench.clips.clip_names(), cases=order.cases, seeds=order.seeds, limit=order.limit
    )
    store = Store.create(order.output, run_info(order, bench, planned))
    with store.lock(listener.say):
        tasks = list(_unfinished(order, store, planned, listener))
        total = len(planned) * len(bench.labels)
        listener.started(total, sum(len(task.labels) for task in tasks))
        for record in _work(order, bench, store, tasks):
            listener.finished(record)
    return store


def run_info(order: Order, bench: Bench, planned: list[PlannedCase]) -> RunInfo:
    """The page about a run. Its digest covers what decides frames and numbers, and nothing else."""
    from vibench.machine.facts import commit, machine_facts, package_versions

    methods = tuple(method_facts(spec, bench.methods[spec.label]) for spec in order.methods)
    versions = package_versions()
    deciding = {
        "protocol": order.protocol.digest,
        "methods": sorted([facts.label, facts.source_sha256, facts.facts.get("weights_sha256")] for facts in methods),
        "cases": [case.name for case in planned],
        "device": order.device,
        "vibench": versions["vibench"],
    }
    return RunInfo(
        digest=hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest(),
        protocol=order.protocol.model_dump(mode="json"),
        protocol_label=order.protocol.label,
        protocol_digest=order.protocol.digest,
        methods=methods,
        metrics=metric_facts(bench.metrics.values()),
        cases=tuple(case.name for case in planned),
        machine=machine_facts(),
        versions=versions,
        commit=commit(),
        data=None if order.data is None else str(order.data),
        device=order.device,
        command=shlex.join(["vibench", *sys.argv[1:]]),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def method_facts(spec: Spec, method: Method) -> MethodFacts:
    """What the run's page says of one method."""
    build = plugins.factory("methods", spec.name)
    return MethodFacts(
        label=spec.label,
        factory=f"{build.__module__}:{build.__qualname__}",
        source_sha256=plugins.source_digest(build),
        options=dict(spec.options),
        facts=dict(method.describe()) if isinstance(method, DescribedMethod) else {},
    )


def metric_facts(metrics: Iterable[Metric]) -> tuple[MetricFacts, ...]:
    """What the run's page says of its metrics."""
    return tuple(
        MetricFacts(
            name=metric.info.name,
            title=metric.info.title,
            unit=metric.info.unit,
            better=metric.info.better,
            has_floor=metric.info.has_floor,
            source=metric.info.source,
            version=metric.info.version,
            aggregate=metric.info.aggregate,
        )
        for metric in metrics
    )


def _unfinished(order: Order, store: Store, planned: list[PlannedCase], listener: Listener) -> Iterator[Task]:
    labels = [facts.label for facts in store.info.methods]
    if not order.predict_only and any(facts.has_floor for facts in store.info.metrics):
        labels.append(TRUTH)
    for case in planned:
        missing = []
        for label in labels:
            record, problem = store.record(label, case.name)
            if problem:
                listener.say(f"{problem}; making it again")
            if record is None or not _settled(record, order):
                missing.append(label)
        if missing:
            yield Task(case, tuple(missing))


def _settled(record: Record, order: Order) -> bool:
    if record.status == "failed":
        return not order.retry_failed
    return record.status == "scored" or order.predict_only


def _work(order: Order, bench: Bench, store: Store, tasks: list[Task]) -> Iterator[Record]:
    if order.jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield from bench.work(task, store)
        return
    yield from _side_by_side(order, store, tasks)


def _side_by_side(order: Order, store: Store, tasks: list[Task]) -> Iterator[Record]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Spawned, not forked: a forked child of a process whose torch has threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(order.jobs, context, _settle_worker, (order, store.folder)) as pool:
        futures = [pool.submit(_work_in_worker, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield from future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_worker: tuple[Bench, Store] | None = None


def _settle_worker(order: Order, folder: Path) -> None:
    import os
    import signal

    import cv2
    import torch

    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; only the parent answers it
    threads = max(1, (os.cpu_count() or 1) // order.jobs)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    _worker = Bench.build(order), Store.open(folder)


def _work_in_worker(task: Task) -> list[Record]:
    if _worker is None:
        raise ValueError("the worker process was not set up")
    bench, store = _worker
    return list(bench.work(task, store))
