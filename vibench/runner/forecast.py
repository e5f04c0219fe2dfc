"""How long methods will take, and metrics that look through large networks, said before a run starts.

It is the most that it can be: whether a case has a truth, whose row is measured too, is known once its clip is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

from vibench.data.cases import planned_cases
from vibench.data.layouts import open_clips
from vibench.data.probe import Probe
from vibench.errors import UserError
from vibench.metric import Metric
from vibench.protocol import Protocol
from vibench.results.record import TRUTH
from vibench.runner.bench import Workbench
from vibench.runner.fill import fill
from vibench.runner.order import Task, repeats_named

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


PROBE_FRAMES = 6
PROBE_SIZE_PX = (432, 240)
"""The size of the probe where neither protocol nor card says the frames' size."""


def fill_forecast(
    protocol: Protocol,
    methods: Sequence[str],
    *,
    data: Path | None = None,
    device: str = "auto",
    limit: int | None = None,
    seeds: str = "",
) -> str:
    """Say how long methods will take to fill the cases of a protocol, from a probe of ``PROBE_FRAMES`` frames each.

    A probe has the size of the protocol's frames, and its time holds the method's start, so that the sentence says
    rather too much. What is there already and the metrics are not counted. InputError where the data is not there.
    """
    clips = open_clips(protocol, data)
    repeats = repeats_named(seeds, protocol)
    planned = planned_cases(protocol, clips.clip_names(), seeds=repeats, limit=limit)
    most = protocol.data.frames
    counts = [min(known, most or known) for case in planned if (known := clips.frame_counts.get(case.clip))]
    if len(counts) < len(planned):
        return f"{len(planned)} cases for each of {len(methods)} methods; the data set does not say how many frames"
    width, height = (protocol.resize.width_px, protocol.resize.height_px) if protocol.resize else PROBE_SIZE_PX
    probe = Probe.make(width, height, PROBE_FRAMES).cases[0]
    total, unknown = 0.0, []
    for method in methods:
        began = monotonic()
        try:
            fill(method, probe.frames, probe.holes, device=device)
        except UserError:  # whatever it lacks, the run will say
            unknown.append(method)
        total += (monotonic() - began) / PROBE_FRAMES * sum(counts)
    told = f" ({', '.join(unknown)} could not be timed)" if unknown else ""
    return (
        f"filling {len(planned)} cases ({sum(counts)} frames) with {len(methods)} methods takes about "
        f"{duration(total)} by a probe of {PROBE_FRAMES} frames of {width}x{height}{told}, without what is there "
        "already and without the metrics"
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
