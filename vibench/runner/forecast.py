"""How long metrics will take that look through large networks, said before a run starts.

It is the most that it can be: whether a case has a truth, whose row is measured too, is known once its clip is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vibench.errors import UserError
from vibench.metric import Metric
from vibench.results.record import TRUTH
from vibench.runner.bench import Workbench
from vibench.runner.order import Task

WORTH_SAYING_SECONDS = 60.0


def forecasts(bench: Workbench, tasks: Sequence[Task]) -> Iterator[str]:
    """Yield a sentence for each metric that will take a minute or more on the records of ``tasks``.

    A metric that says how long a frame takes is asked once, which may time its network. Frames count that the data
    set's card tells of; where it does not, the sentence tells the time of one frame.
    """
    for name, metric in bench.scorer.metrics.items():
        seconds = _seconds_per_frame(metric)
        if not seconds or bench.order.predict_only:
            continue
        records, frames = _work(bench, tasks, name)
        if frames is None:
            yield f"{name} takes about {duration(seconds)} a frame here, and {records} records lack it"
        elif frames * seconds >= WORTH_SAYING_SECONDS:
            yield (
                f"{name} takes about {duration(seconds)} a frame here: {frames} frames of {records} records are "
                f"{duration(frames * seconds)} at most, less what the cache knows"
            )


def _seconds_per_frame(metric: Metric) -> float | None:
    ask = getattr(metric, "seconds_per_frame", None)
    try:
        return None if ask is None else ask()
    except UserError:  # whatever it lacks, each record will say
        return None


def _work(bench: Workbench, tasks: Sequence[Task], name: str) -> tuple[int, int | None]:
    """How many records lack a metric, and how many frames they have together, or None where the card does not tell."""
    metric, most = bench.scorer.metrics[name], bench.order.protocol.data.frames
    records, frames = 0, 0
    for task in tasks:
        rows = sum(row != TRUTH or metric.info.has_floor for row in task.fill)
        rows += sum(name in bench.scorer.lacking(record) for record in task.score)
        counted = bench.clips.frame_counts.get(task.planned.clip)
        if counted is None and rows:
            return sum(task.count for task in tasks), None
        records += rows
        frames += rows * min(counted or 0, most or counted or 0)
    return records, frames


def duration(seconds: float) -> str:
    """Write a duration in its two largest units: ``2 h 05 min``, ``3 min 20 s``, ``41 s``, ``0.4 s``."""
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.2g} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
