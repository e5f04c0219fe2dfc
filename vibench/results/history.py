"""History: what methods scored, and how fast they were, over the commits of the code, from what runs left behind.

A number goes into a series only with numbers that it may be compared with: of one method with its options, one metric
in its version and region, one machine and device, one protocol, and cases whose input, truth and holes are equal to the
byte. Whatever else a number depends on (versions of libraries, code of the method and the metric, weights) is written
beside it, and beside each step what changed together with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vibench.errors import InputError, one_line, shown_name
from vibench.plugins import split_outside_brackets
from vibench.results.commits import CHANGED, Commits, instant
from vibench.results.findings import KeptComparison, read_findings, split_sources
from vibench.results.record import TRUTH, MethodFacts
from vibench.results.results import Results
from vibench.results.steps import Step, steps_in
from vibench.results.store import Store, run_folders
from vibench.results.table import Column, Table, tabulate

SPEED = "frames/s"
"""The measure of how fast a method was in a run, as ``vibench table`` calls it."""
LOAD = "load average"
"""Of the machine, where it is known: a busy one makes a step that no commit has made."""
SMALLEST_STEP = {"speed": 0.05, "quality": 0.001}
"""A step changes its level by this share at least. Machines drift by some per cent between sessions; quality, by other
versions of a library, in its last digits."""


@dataclass(frozen=True)
class Point:
    """One measurement: what was measured, when, and of which code.

    ``commit`` is None where the code was no checkout, and ends with ``+changes`` where files were changed in it.
    ``when`` is the time of the commit where ``is_known`` (the checkout knows it), else the start of the measurement;
    ``place`` puts commits of the same second in order. ``low`` and ``high`` are the interval over clips, or None.
    ``circumstances`` are what may change inside a series. ``verdict`` is that of `vibench regress`, and ``note`` says
    against what.
    """

    commit: str | None
    is_known: bool
    when: datetime
    place: int
    started: datetime
    source: str
    value: float
    low: float | None = None
    high: float | None = None
    circumstances: Mapping[str, str] = field(default_factory=dict)
    verdict: str = ""
    note: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether files were changed in the checkout, so that the commit alone does not say what was measured."""
        return (self.commit or "").endswith(CHANGED)

    @property
    def code(self) -> str:
        """The commit in short, with ``+changes`` where files were changed, else the version of vibench."""
        if not self.commit:
            return f"vibench {self.circumstances.get('vibench', 'unknown')}"
        name = self.commit.removesuffix(CHANGED)[:9]
        return shown_name(name) + (CHANGED if self.is_changed else "")

    @property
    def order(self) -> tuple[datetime, int, bool, datetime]:
        """Sorts by commit; what was changed in a checkout comes after its commit, and runs of one commit by start."""
        return self.when, self.place, self.is_changed, self.started


@dataclass(frozen=True)
class About:
    """What all numbers of a series share. ``setting`` says in words what decides them besides method and machine."""

    method: str
    measure: str
    unit: str
    better: Literal["higher", "lower"]
    kind: Literal["speed", "quality"]
    machine: str
    device: str
    setting: str
    identity: str


@dataclass(frozen=True)
class Series:
    """Numbers that may be compared, in the order of their commits, and the steps in them."""

    about: About
    points: tuple[Point, ...]
    steps: tuple[Step, ...] = ()

    def is_better(self, step: Step) -> bool:
        """Whether a step is for the better."""
        return (step.after > step.before) == (self.about.better == "higher")

    def changed(self, step: Step) -> list[str]:
        """Say what else is different at a step, between the last measurement before it and the first after it."""
        before, after = self.points[step.index - 1], self.points[step.index]
        names = dict.fromkeys((*before.circumstances, *after.circumstances))
        found = [
            f"{name} {before.circumstances.get(name, 'unknown')} → {after.circumstances.get(name, 'unknown')}"
            for name in names
            if before.circumstances.get(name) != after.circumstances.get(name)
        ]
        if before.commit is not None and before.commit == after.commit and not after.is_changed:
            found.append("the commit is the same, so that it was not the code of vibench")
        return found


@dataclass(frozen=True)
class History:
    """All series, by method, measure and machine; ``notes`` say what was left out and why."""

    series: tuple[Series, ...]
    notes: tuple[str, ...]
    since: str = ""


def history(
    sources: str | Path | Sequence[str | Path] = "results",
    methods: str | Iterable[str] = (),
    *,
    since: str = "",
    metrics: str | Iterable[str] = (),
    repository: str | Path = ".",
) -> History:
    """Return how quality and speed of methods developed over commits, with the steps in each series marked.

    Args:
        sources: run folders, folders that hold runs or such folders, packs, and ``.jsonl`` files to which
            `vibench regress --append` added what it found.
        methods: names with their options; all where none is named.
        since: a tag, branch or commit of ``repository``: only that commit and those that it does not contain; or a date
            (2026-01-31): only what is of that day or later.
        metrics: ``psnr/hole``, ``frames/s``, or a measure of regress such as ``seconds per frame``; all where none is
            named.
        repository: the checkout whose commits put the measurements in order. Those of other code, and all where it is
            no checkout, are ordered by their start.

    Raises:
        InputError: where a source holds no run and is no such file, or nothing is of a name that was given.
        MissingResource: where ruptures is not installed.
    """
    paths = [Path(sources)] if isinstance(sources, str | Path) else [Path(source) for source in sources]
    runs, files = split_sources(paths)
    commits = Commits.of(Path(repository))
    notes: list[str] = []
    found: list[tuple[About, Point]] = []
    for store in _distinct([Store.open(folder) for folder in _folders(runs)]):
        found += _of_run(store, commits, notes)
    for path in files:
        comparisons, faults = read_findings(path)
        notes += faults
        for comparison in comparisons:
            found += _of_comparison(comparison, path.name, commits)
    found = _named(found, methods, "method", lambda about: about.method)
    found = _named(found, metrics, "metric", lambda about: about.measure)
    if since:
        found = _since(found, since, commits)
    return History(_in_series(found), tuple(dict.fromkeys((*notes, *_unknown(found, commits)))), since)


def _folders(paths: Sequence[Path]) -> list[Path]:
    """The runs that are named, or lie right inside what is named, or one folder deeper, where a commit's may lie."""
    found = []
    for path in paths:
        deeper = sorted({run.parent.parent for run in path.glob("*/*/run.json")})
        has_own = not deeper or any(path.glob("*/run.json"))
        found += run_folders([*([path] if has_own else []), *deeper])
    return found


def _distinct(stores: Iterable[Store]) -> list[Store]:
    """Each run once: neither a folder twice nor a copy. Runs of equal methods at another time are others."""
    seen: dict[object, Store] = {}
    for store in stores:
        info = store.info
        seen.setdefault((info.digest, info.started, info.commit, json.dumps(info.machine, sort_keys=True)), store)
    return list({os.path.realpath(store.folder): store for store in seen.values()}.values())


def _named(
    found: list[tuple[About, Point]], names: str | Iterable[str], what: str, name_of: Any
) -> list[tuple[About, Point]]:
    wanted = list(split_outside_brackets(names) if isinstance(names, str) else names)
    if not wanted:
        return found
    known = dict.fromkeys(name_of(about) for about, _ in found)
    for name in wanted:
        if name not in known:
            there = ", ".join(one_line(other, 60) for other in list(known)[:20]) or "none"
            raise InputError(f"nothing was measured of the {what} {one_line(name)!r}; there is: {there}")
    return [(about, point) for about, point in found if name_of(about) in wanted]


def _since(found: list[tuple[About, Point]], since: str, commits: Commits) -> list[tuple[About, Point]]:
    later = commits.since(since)
    if later is not None:
        return [pair for pair in found if (pair[1].commit or "").removesuffix(CHANGED) in later]
    try:
        first = instant(since)
    except InputError as error:
        raise InputError(
            f"--since {one_line(since)!r} is neither a tag, branch or commit of the checkout {str(commits.folder)!r} "
            "nor a date such as 2026-01-31"
        ) from error
    return [pair for pair in found if pair[1].when >= first]


def _unknown(found: list[tuple[About, Point]], commits: Commits) -> Iterator[str]:
    points = {(point.source, point.commit): point for _, point in found if not point.is_known}
    if points:
        told = "run is" if len(points) == 1 else "runs are"
        yield (
            f"{len(points)} {told} of code whose commit the checkout {str(commits.folder.resolve())!r} does not know, "
            "or of an installed package: they stand at the time when they were started."
        )
    if any(point.is_changed for _, point in found):
        yield f"Code marked {CHANGED} differed from its commit by changes that nobody recorded."


def _in_series(found: Iterable[tuple[About, Point]]) -> tuple[Series, ...]:
    groups: dict[About, list[Point]] = {}
    for about, point in found:
        groups.setdefault(about, []).append(point)
    made = []
    for about, points in groups.items():
        points.sort(key=lambda point: point.order)
        values = [point.value for point in points]
        steps = steps_in(values, SMALLEST_STEP[about.kind], logarithmic=about.kind == "speed")
        made.append(Series(about, tuple(points), tuple(steps)))
    return tuple(sorted(made, key=lambda one: (one.about.method, one.about.kind != "speed", _key(one.about))))


def _key(about: About) -> tuple[str, ...]:
    return about.measure, about.machine, about.device, about.setting, about.identity


def _of_run(store: Store, commits: Commits, notes: list[str]) -> Iterator[tuple[About, Point]]:
    """The numbers of each method of a run that has all of its cases; ``notes`` is told of the others."""
    info = store.info
    name = one_line(store.folder.name, 80)
    try:
        started = instant(info.started)
    except InputError:
        notes.append(f"The run {name} is left out: it does not say when it was started.")
        return
    results = Results.of(info, store.records())
    for facts in info.methods:
        own = results.records.of_methods([facts.label, TRUTH])
        table = tabulate(replace(results, methods=(facts,), records=own))
        if reason := _reason(table, facts.label):
            notes.append(f"{shown_name(facts.label)} in the run {name} is left out: {reason}.")
            continue
        yield from _of_method(table, facts, _point(info.commit, started, name, commits))


def _point(commit: str | None, started: datetime, source: str, commits: Commits) -> Point:
    when, place = commits.when(commit) or (started, 0)
    return Point(commit, commits.when(commit) is not None, when, place, started, source, 0.0)


def _reason(table: Table, label: str) -> str:
    """Say why nothing of a method can stand in a series; empty where it can."""
    row, records = table.row(label), table.results.records.of_methods([label])
    if row.failed or row.missing:
        lacking = len(row.failed) + len(row.missing)
        return (
            f"{lacking} of {len(table.results.cases)} cases failed or were not run, and a mean over others is another"
        )
    if len(records.texts["machine"].counts()) > 1:
        return "its cases were filled on several machines"
    if any(record.made_by for record in records):
        return "cases were taken over from an earlier run, and so were not measured at its commit"
    return "the contents of some cases differ between records" if table.results.torn else ""


def _of_method(table: Table, facts: MethodFacts, at: Point) -> Iterator[tuple[About, Point]]:
    info, row = table.results.runs[0], table.row(facts.label)
    records = table.results.records.of_methods([facts.label])
    machine = _machine(info.machine, next(iter(records.texts["machine"].counts()), ""))
    device = ", ".join(sorted(filter(None, records.texts["device"].counts()))) or info.device
    at = replace(at, circumstances=_circumstances(table, facts))
    every = records.texts["case"].of_rows(np.arange(len(records))).tolist()

    def about(measure: str, unit: str, better: Any, kind: Any, cases: Sequence[str], more: str) -> About:
        data = _contents(table, facts.label, cases)
        setting = f"{info.protocol_label}, {len(cases)} case{'' if len(cases) == 1 else 's'}{more}"
        identity = f"protocol {info.protocol_digest[:12]}, data {data[:12]}"
        return About(facts.label, measure, unit, better, kind, machine, device, setting, identity)

    if row.speed is not None and row.speed.frames_per_second.mean > 0:
        how = _how_timed(table, facts.label)
        rate = row.speed.frames_per_second
        value = replace(at, value=rate.mean, low=rate.low, high=rate.high)
        loads = records.numbers["timing.load_average"]
        if np.isfinite(loads).any():
            value = replace(value, circumstances={**at.circumstances, LOAD: f"{np.nanmedian(loads):.0f}"})
        yield about(SPEED, SPEED, "higher", "speed", every, how), value
    for column in table.columns:
        known = row.cells[column.key].estimate
        if known is None or not isfinite(known.mean):
            continue
        more = f", version {column.metric.version} of the metric"
        value = replace(at, value=known.mean, low=known.low, high=known.high)
        value = replace(value, circumstances={**at.circumstances, **_metric_code(table, facts.label, column)})
        cases = table.compared[column.key]
        yield about(column.key, column.metric.unit, column.metric.better, "quality", cases, more), value


def _how_timed(table: Table, label: str) -> str:
    """What a time depends on besides machine and cases: threads, jobs side by side, and what was timed."""
    records = table.results.records.of_methods([label])
    told = []
    for name, word in (("threads", "thread"), ("jobs", "job")):
        counts = records.numbers[f"timing.{name}"]
        numbers = sorted({int(count) for count in counts[np.isfinite(counts)]})
        text = " and ".join(map(str, numbers))
        told.append(f"{text} {word}{'' if numbers == [1] else 's'}")
    scopes = ", ".join(sorted(filter(None, records.texts["scope"].counts())))
    return f", {', '.join(told)}, timed: {scopes}"


def _contents(table: Table, label: str, cases: Sequence[str]) -> str:
    """The sha256 of the contents of ``cases``: of their names where older records say nothing more."""
    records = table.results.records.of_methods([label]).of_cases(cases)
    every = np.arange(len(records))
    names = ("case", "input_sha256", "truth_sha256", "holes_sha256", "given_sha256")
    rows = sorted(zip(*(records.texts[name].of_rows(every).tolist() for name in names), strict=True))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _circumstances(table: Table, facts: MethodFacts) -> dict[str, str]:
    """What may change inside a series: versions, system, and the code and weights of the method."""
    info = table.results.runs[0]
    found: dict[str, dict[str, None]] = {name: {version: None} for name, version in info.versions.items()}
    for text in table.results.records.of_methods([facts.label]).texts["versions"].counts():
        for package, version in json.loads(text).items():
            found.setdefault(package, {})[version] = None
    told = {name: " and ".join(versions) for name, versions in found.items()}
    told |= {"Python": str(info.machine.get("python", "unknown")), "system": str(info.machine.get("system", "unknown"))}
    told["code of the method"] = facts.source_sha256[:9]
    for key in ("weights_sha256", "content_sha256"):
        if key in facts.facts:
            told[key.removesuffix("_sha256")] = str(facts.facts[key])[:9]
    return {name: one_line(text, 60) for name, text in told.items()}


def _metric_code(table: Table, label: str, column: Column) -> dict[str, str]:
    records = table.results.records.of_methods([label])
    codes = {json.loads(text).get(column.metric.name, "")[:9] for text in records.texts["measured_by"].counts()}
    return {"code of the metric": " and ".join(sorted(codes)) or "unknown"}


def _machine(facts: Mapping[str, Any], named: str = "") -> str:
    """Name a machine by what decides speed most, and what has to be equal inside a series: also in months from now.

    ``named`` is what records call it where that is another than the one that wrote the page, such as a cluster's node.
    """
    own = f"{facts.get('processor', 'unknown processor')}, {facts.get('cores', '?')} cores"
    memory = facts.get("memory_bytes")
    parts = [own if named.startswith(own) or not named else named]
    parts += [f"{memory / 2**30:.0f} GiB"] if isinstance(memory, int | float) and not isinstance(memory, bool) else []
    accelerators = facts.get("accelerators")
    parts += [str(name) for name in accelerators if str(name) not in named] if isinstance(accelerators, list) else []
    return one_line(", ".join(parts), 200)


def _of_comparison(kept: KeptComparison, source: str, commits: Commits) -> Iterator[tuple[About, Point]]:
    """The numbers of the new version in a comparison by `vibench regress`, with its verdicts."""
    at = _point(kept.commit, kept.started, source, commits)
    told = {**kept.versions, "Python": str(kept.machine.get("python", "?")), "system": str(kept.machine.get("system"))}
    at = replace(at, circumstances={name: one_line(text, 60) for name, text in told.items()})
    if kept.load_average is not None:
        at = replace(at, circumstances={**at.circumstances, LOAD: f"{kept.load_average:.0f}"})
    for finding in kept.findings:
        kind: Literal["speed", "quality"] = "quality" if finding.unit == "dB" else "speed"
        if finding.new is None or (kind == "speed" and finding.new <= 0):
            continue
        clock = f", {kept.clock} time" if finding.unit == "s" else ""
        threads = f"{kept.threads} thread{'' if kept.threads == 1 else 's'}"
        about = About(
            method=kept.method,
            measure=one_line(finding.measure, 60),
            unit=finding.unit,
            better="higher" if kind == "quality" else "lower",
            kind=kind,
            machine=_machine(kept.machine),
            device=one_line(kept.device, 60),
            setting=f"regress, {threads}{clock}",
            identity=f"probe {one_line(kept.probe, 20)}",
        )
        note = f"{finding.verdict} against {one_line(kept.old, 120)}"
        yield about, replace(at, value=finding.new, verdict=finding.verdict, note=note)
