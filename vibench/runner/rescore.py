"""Measures kept frames again, without the methods that made them."""

from __future__ import annotations

from pathlib import Path

from vibench.clip import digest
from vibench.data.cases import build_case
from vibench.errors import InputError, UserError
from vibench.protocol import PlannedCase, Protocol
from vibench.results.record import TRUTH, Record
from vibench.results.store import Store
from vibench.runner.bench import Bench
from vibench.runner.order import Order, Task
from vibench.runner.run import Listener, metric_facts


def rescore(folder: Path, metrics: tuple[str, ...], data: Path | None, device: str, listener: Listener) -> Store:
    """Score every kept output of the run in ``folder`` and rewrite its records.

    Cases are made again from the data; one whose holes are not those of the record is refused, since its number would not
    belong to these frames. Metrics that a record already holds and that are not asked for stay in it. Where a metric needs the
    row of the truth and the run has none, it is made.
    """
    store = Store.open(folder)
    protocol = Protocol.model_validate(store.info.protocol)
    source = data or (Path(store.info.data) if store.info.data else None)
    order = Order(protocol, (), metrics or protocol.scoring.metrics, folder.parent, source, device, keep_frames=False)
    bench = Bench.build(order)
    by_case: dict[str, list[Record]] = {}
    for record in store.records():
        by_case.setdefault(record.case, []).append(record)
    with store.lock(listener.say):
        store = store.with_metrics(metric_facts(bench.metrics.values()))
        listener.started(sum(map(len, by_case.values())), sum(map(len, by_case.values())))
        for planned in protocol.plan(bench.clips.clip_names()):
            if records := by_case.get(planned.name):
                _rescore_case(bench, store, planned, records, listener)
    return store


def _rescore_case(bench: Bench, store: Store, planned: PlannedCase, records: list[Record], listener: Listener) -> None:
    try:
        case = build_case(bench.order.protocol, planned, bench.clips)
    except UserError as error:
        listener.say(f"{planned.name}: {error}")
        return
    for record in records:
        if record.status == "failed":
            listener.finished(record)
            continue
        if record.holes_sha256 != digest(case.holes):
            raise InputError(
                f"the holes of {planned.name!r} are not those that {record.method} filled: the data or vibench changed; run again"
            )
        frames = case.truth if record.method == TRUTH else store.frames(record.method, planned.name)
        if frames is None:
            listener.say(f"no frames of {record.method} on {planned.name} were kept; its record stays as it is")
        else:
            store.write(bench.scored(record, frames, case, floor_only=record.method == TRUTH))
        listener.finished(record)
    if TRUTH in bench.labels and TRUTH not in {record.method for record in records}:
        for record in bench.work(Task(planned, (TRUTH,)), store):
            listener.finished(record)
