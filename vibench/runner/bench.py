"""One process's workbench: the clips, methods and metrics of an order, and what is done with one case."""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np

from vibench import plugins
from vibench.clip import Case, Frames, digest
from vibench.data.cases import build_case, check_generators
from vibench.data.dataset import Dataset
from vibench.data.manifest import check_against_published
from vibench.errors import InputError, UserError
from vibench.machine.timing import Timing, time_limit, timed_fill
from vibench.method import DescribedMethod, Method
from vibench.metric import Metric
from vibench.plugins import Spec
from vibench.protocol import quantise
from vibench.results.record import TRUTH, Failure, Record
from vibench.results.store import Store
from vibench.runner.order import Order, Task


class Bench:
    """Everything built once per process: the clips, the methods, the metrics."""

    def __init__(self, order: Order, clips: Dataset, methods: dict[str, Method], metrics: dict[str, Metric]) -> None:
        self.order, self.clips, self.methods, self.metrics = order, clips, methods, metrics
        self.unavailable: dict[str, str] = {}

    @classmethod
    def build(cls, order: Order) -> Bench:
        """Open the data and make every method and metric; a metric that lacks something is kept as a reason."""
        from vibench.data.layouts import open_dataset

        check_generators(order.protocol)
        clips = open_dataset(order.protocol.data.dataset, order.data, order.protocol.data.split)
        methods = {spec.label: plugins.make("methods", spec, device=order.device) for spec in order.methods}
        if len(methods) != len(order.methods):
            raise InputError("a method is named twice with the same options; name each once")
        if TRUTH in methods:
            raise InputError(f"no method may be called {TRUTH!r}: that is the row of the truth itself")
        bench = cls(order, clips, methods, {})
        for name in order.metrics:
            try:
                bench.metrics[name] = plugins.make("metrics", Spec.parse(name), device=order.device)
            except UserError as error:
                if name not in order.protocol.scoring.metrics or isinstance(error, InputError):
                    raise
                bench.unavailable[name] = str(error)
        return bench

    @property
    def labels(self) -> tuple[str, ...]:
        """Row names of the table: the methods, and the truth where a metric has a floor."""
        has_floor = any(metric.info.has_floor for metric in self.metrics.values())
        return (*self.methods, TRUTH) if has_floor and not self.order.predict_only else tuple(self.methods)

    def work(self, task: Task, store: Store) -> Iterator[Record]:
        """Make and write the records of one case; whatever a method does wrong becomes a record too."""
        try:
            case = build_case(self.order.protocol, task.planned, self.clips)
            check_against_published(self.order.protocol, case)
        except UserError as error:
            for label in task.labels:
                failed = Record(
                    run=store.info.digest,
                    method=label,
                    case=task.planned.name,
                    status="failed",
                    failure=Failure(kind="bad-input", message=str(error)),
                )
                store.write(failed)
                yield failed
            return
        if self.order.keep_frames:
            store.write_case(case)
        for label in task.labels:
            record = self._record(label, case, task.planned.seed, store)
            if record is not None:
                store.write(record)
                yield record

    def _record(self, label: str, case: Case, seed: int, store: Store) -> Record | None:
        blank = blank_record(store.info.digest, label, case)
        if label == TRUTH:
            if case.truth is None:
                return None
            return self.scored(blank, case.truth, case, floor_only=True)
        earlier, _ = store.record(label, case.name)
        frames = store.frames(label, case.name) if earlier and earlier.status == "predicted" else None
        if earlier is not None and frames is not None:
            return self.scored(blank.model_copy(update={"timing": earlier.timing}), frames, case)
        filled = self._filled(label, case, seed, store)
        if isinstance(filled, Failure):
            return blank.model_copy(update={"status": "failed", "failure": filled})
        frames, timing = filled
        record = blank.model_copy(update={"timing": timing, "output_sha256": digest(frames), "status": "predicted"})
        if self.order.keep_frames:
            store.write_frames(label, case.name, frames, case.frames_per_second)
        return record if self.order.predict_only else self.scored(record, frames, case)

    def _filled(self, label: str, case: Case, seed: int, store: Store) -> tuple[Frames, Timing | None] | Failure:
        seed_everything(seed)
        scoring = self.order.protocol.scoring
        method = self.methods[label]

        def to_uint8(frames: Frames) -> Frames:
            return quantise(frames, scoring.quantise)

        timing: Timing | None = None
        try:
            with time_limit(self.order.time_limit_seconds):
                if isinstance(method, DescribedMethod) and method.describe().get("not_timed"):
                    raw = to_uint8(method(case.holed()))
                else:
                    raw, timing = timed_fill(method, case.holed(), self.order.device, to_uint8)
            check_output(raw, case)
        except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises is a result, not our end
            store.write_traceback(label, case.name, traceback.format_exc())
            return failure(error)
        frames = composited(raw, case) if scoring.composite == "holes" else raw
        return frames, timing and timing.model_copy(update={"jobs": self.order.jobs})

    def scored(self, record: Record, frames: Frames, case: Case, floor_only: bool = False) -> Record:
        """``record`` with every metric measured on composited ``frames``, or the reason why one was not."""
        metrics = dict(record.metrics)
        # A kept record may say why it lacks a metric that nobody asks for this time.
        unavailable = {name: reason for name, reason in record.unavailable.items() if name not in self.metrics}
        unavailable |= self.unavailable
        for name, metric in self.metrics.items():
            if floor_only and not metric.info.has_floor:
                continue
            if reason := missing_for(metric, case):
                unavailable[name] = reason
                continue
            try:
                measured = metric.measure(frames, case)
            except UserError as error:
                unavailable[name] = str(error)
                continue
            metrics[name] = {region: series.values for region, series in measured.items()}
        return record.model_copy(
            update={
                "metrics": metrics,
                "unavailable": unavailable,
                "status": "scored",
                "output_sha256": digest(frames),
            }
        )


def missing_for(metric: Metric, case: Case) -> str | None:
    """Why ``metric`` cannot be measured on ``case``, or None."""
    if "truth" in metric.info.needs and case.truth is None:
        return "nobody knows the truth of this case"
    if "exact-flow" in metric.info.needs and case.flow is None:
        return "the exact motion of this clip is not known"
    return None


def composited(filled: Frames, case: Case) -> Frames:
    """The method's pixels in the holes, the input's everywhere else."""
    return np.where(case.holes[..., None], filled, case.frames)


def check_output(frames: Any, case: Case) -> None:
    """ValueError unless a method gave back frames of the case's shape."""
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.shape != case.frames.shape:
        found = f"{frames.dtype} {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise ValueError(f"the method returned {found}; it must return uint8 or float {case.frames.shape}")


def blank_record(run_digest: str, label: str, case: Case) -> Record:
    """What is known of a record before the method has run."""
    frames, height, width = case.frames.shape[:3]
    return Record(
        run=run_digest,
        method=label,
        case=case.name,
        status="failed",
        frames=frames,
        height=height,
        width=width,
        hole_fraction=float(case.holes.mean()),
        holes_sha256=digest(case.holes),
        attributes=dict(case.attributes),
    )


def failure(error: Exception) -> Failure:
    """Name what went wrong in a method, in one line."""
    text = f"{type(error).__name__}: {error}".splitlines()[0][:500]
    if isinstance(error, TimeoutError):
        return Failure(kind="time-out", message=str(error))
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return Failure(kind="out-of-memory", message=text)
    if isinstance(error, UserError):
        return Failure(kind="bad-input", message=str(error))
    return Failure(kind="error", message=text)


def seed_everything(seed: int) -> None:
    """Make whatever a method draws the same in every run."""
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
