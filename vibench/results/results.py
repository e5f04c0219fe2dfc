"""The results of one protocol: its records, from one run or from several, ready to stand in one table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from vibench.errors import InputError
from vibench.machine.facts import differing_facts
from vibench.results.record import TRUTH, MethodFacts, MetricFacts, Record, RunInfo
from vibench.results.store import Store

FEATURES = "features"
"""The region of feature vectors, by which a metric that compares sets of clips is known even where an old page lacks
the field that says so."""


@dataclass(frozen=True)
class Results:
    """Records that may be compared, because all follow the same protocol.

    ``methods``, ``metrics`` and ``cases`` are what the runs promised, in their order; ``records`` are what they kept.
    ``runs`` are their pages; ``notes`` say in sentences what was done to put them side by side.
    """

    runs: tuple[RunInfo, ...]
    methods: tuple[MethodFacts, ...]
    metrics: tuple[MetricFacts, ...]
    cases: tuple[str, ...]
    records: tuple[Record, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, info: RunInfo, records: Iterable[Record]) -> Results:
        """Make the results of one run from its page and its records."""
        return _aggregated(cls((info,), info.methods, info.metrics, info.cases, tuple(records)))

    @property
    def protocol(self) -> dict[str, Any]:
        """The protocol as the first run wrote it down; all runs have the same one."""
        return self.runs[0].protocol

    @property
    def label(self) -> str:
        """The name and version of the protocol, as ``name@version``."""
        return self.runs[0].protocol_label

    @property
    def averages_frames(self) -> bool:
        """Whether every frame counts equally in a mean over clips, so that a long clip counts more than a short one."""
        return bool(self.protocol.get("scoring", {}).get("averaging") == "frames")

    @property
    def sees_everything(self) -> bool:
        """Whether methods saw what is inside the holes; a run from before the field existed cut it out."""
        return bool(self.protocol.get("sees", "holed") == "everything")

    @property
    def composited(self) -> bool:
        """Whether only the pixels inside the holes are the methods' own, and the input's were put back outside."""
        return bool(self.protocol.get("scoring", {}).get("composite", "holes") == "holes")

    def regions(self, metric: MetricFacts) -> tuple[str, ...]:
        """Name the regions in which a metric has a value, in alphabetical order."""
        return tuple(
            sorted(
                {
                    region
                    for record in self.records
                    for region, series in record.metrics.get(metric.name, {}).items()
                    if any(value is not None for value in series)
                }
            )
        )

    def vectors(self, metric: str, region: str) -> dict[str, dict[str, tuple[float, ...]]]:
        """Return the feature vector of every clip, for each method and the truth: method -> case -> values.

        A clip that lacks one of the values is left out.
        """
        found: dict[str, dict[str, tuple[float, ...]]] = {}
        for record in self.records:
            series = record.metrics.get(metric, {}).get(region, ())
            known = tuple(value for value in series if value is not None)
            if known and len(known) == len(series):
                found.setdefault(record.method, {})[record.case] = known
        return found

    @cached_property
    def values(self) -> pd.DataFrame:
        """One row for every method, case, metric and region that has a value.

        The column ``value`` is the mean over the clip's frames or pairs that have a value, ``weight`` their number.
        Metrics that compare sets of clips have no rows, since the mean of a feature vector says nothing.
        """
        rows = []
        means = {metric.name for metric in self.metrics if metric.aggregate == "mean"}
        for record in self.records:
            for metric, regions in record.metrics.items():
                for region, series in regions.items() if metric in means else ():
                    value = record.value(metric, region)
                    if value is not None:
                        weight = sum(known is not None for known in series)
                        rows.append((record.method, record.case, metric, region, value, weight))
        return pd.DataFrame(rows, columns=["method", "case", "metric", "region", "value", "weight"])

    def matrix(self, metric: str, region: str, what: str = "value") -> pd.DataFrame:
        """Return a table of one metric in one region, with a row for every case and a column for every method.

        ``what`` is ``value``, the mean over the clip, or ``weight``, the number of values in it. A cell is NaN where
        the metric was not measured.
        """
        chosen = self.values[(self.values.metric == metric) & (self.values.region == region)]
        table = chosen.pivot(index="case", columns="method", values=what)
        labels = [facts.label for facts in self.methods] + [TRUTH]
        return table.reindex(
            index=[case for case in self.cases if case in table.index],
            columns=[label for label in labels if label in table.columns],
        )

    @cached_property
    def clips(self) -> dict[str, str]:
        """Case -> the clip that it is made of. Several cases of one clip are one clip where anything is tested."""
        named = {record.case: record.clip for record in self.records if record.attributes}
        return {case: named.get(case, case.partition("/")[0]) for case in self.cases}

    def record(self, method: str, case: str) -> Record | None:
        """Return the record of a method on a case, or None where it was never made."""
        return self._by_name.get((method, case))

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Record]:
        return {(record.method, record.case): record for record in self.records}


def distinct(runs: Iterable[Store]) -> list[Store]:
    """The runs, one that is named twice only once; copies of one run in several folders count as one.

    Raises InputError where two folders hold the same methods on different data: nothing could tell their numbers apart.
    """
    found: dict[str, Store] = {}
    for run in runs:
        earlier = found.setdefault(run.info.digest, run)
        if os.path.realpath(earlier.folder) != os.path.realpath(run.folder):
            records = [*earlier.records(), *run.records()]
            for case, what in other_contents(records):
                raise InputError(
                    f"{str(earlier.folder)!r} and {str(run.folder)!r} are runs of the same methods on different data: "
                    f"the {what} of {case} differs; look at them one by one"
                )
    return list(found.values())


def gather(runs: Sequence[Store], apart: bool = False) -> list[Results]:
    """Put runs of the same protocol together, one ``Results`` for each protocol, in the order given.

    A method that several runs hold, with the same code and options, on the same machine, and with equal frames wherever
    both have a case, is one method. With ``apart`` each run's is one of its own, for a comparison of the runs.
    """
    groups: dict[str, list[Store]] = {}
    for run in runs:
        groups.setdefault(run.info.protocol_digest, []).append(run)
    return [_merged(group, apart) for group in groups.values()]


def name_in_run(label: str, digest: str) -> str:
    """Return the name that a method has in its run, from the label that ``gather`` gave it."""
    return label.removesuffix(_suffix(digest))


def label_beside(label: str, run: RunInfo, earlier: RunInfo) -> str:
    """Return the label that ``gather`` gives a method of ``run`` beside the run ``earlier``.

    It is another one than the method's own where ``earlier`` has a method of the same name.
    """
    taken = run.digest != earlier.digest and label in {facts.label for facts in earlier.methods}
    return label + _suffix(run.digest) if taken else label


def _suffix(digest: str) -> str:
    return f" (run {digest[:6]})"


def _merged(runs: list[Store], apart: bool) -> Results:
    if len(runs) == 1:
        return Results.of(runs[0].info, runs[0].records())
    methods: dict[str, MethodFacts] = {}
    homes: dict[str, RunInfo] = {}
    metrics: dict[str, MetricFacts] = {}
    cases: dict[str, None] = {}
    records: dict[tuple[str, str], Record] = {}
    notes: list[str] = []
    for run in runs:
        found = run.records()
        same = set[str]() if apart else _same_methods(run.info, found, methods, homes, records)
        labels = _new_labels(run.info, methods, homes, same, notes)
        names = _new_metric_names(run.info, metrics, notes)
        cases.update(dict.fromkeys(run.info.cases))
        for record in found:
            label = labels.get(record.method, record.method)
            renamed = record.model_copy(
                update={
                    "method": label,
                    "metrics": {names.get(name, name): regions for name, regions in record.metrics.items()},
                    "measured_by": {names.get(name, name): code for name, code in record.measured_by.items()},
                }
            )
            earlier = records.get((label, record.case))
            records[label, record.case] = renamed if earlier is None else _with_more(earlier, renamed)
    infos = tuple(run.info for run in runs)
    return _aggregated(
        Results(
            infos, tuple(methods.values()), tuple(metrics.values()), tuple(cases), tuple(records.values()), tuple(notes)
        )
    )


def version_notes(records: Sequence[Record]) -> tuple[str, ...]:
    """Say of which packages several versions made the numbers, and which metrics were measured by several codes."""
    notes = []
    versions: dict[str, Counter[str]] = {}
    codes: dict[str, set[str]] = {}
    for record in records:
        for package, version in record.versions.items():
            versions.setdefault(package, Counter())[version] += 1
        for metric in record.metrics.keys() & record.measured_by.keys():
            codes.setdefault(metric, set()).add(record.measured_by[metric])
    for case, what in other_contents(records):
        notes.append(f"The {what} of {case} is not the same in all records: numbers of this case must not be compared.")
    for package, found in versions.items():
        if len(found) > 1:
            shares = ", ".join(f"{version} ({count} records)" for version, count in sorted(found.items()))
            notes.append(f"These numbers were made under more than one version of {package}: {shares}.")
    notes += [
        f"Values of {metric} were measured by {len(found)} states of its code; `vibench score RUN --metrics {metric}` "
        "measures all of them by the present one."
        for metric, found in codes.items()
        if len(found) > 1
    ]
    return tuple(notes)


def other_contents(records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """(case, input, truth or holes) of which the records of one case hold different contents."""
    seen: dict[tuple[str, str], set[str]] = {}
    for record in records:
        for what in ("input", "truth", "holes", "given"):
            if sha256 := getattr(record, f"{what}_sha256"):
                seen.setdefault((record.case, what), set()).add(sha256)
    return (key for key, found in seen.items() if len(found) > 1)


def _aggregated(results: Results) -> Results:
    """Add what only the records tell: which metrics compare sets of clips, and which versions are mixed.

    A page from before the field ``aggregate`` does not name the former; their features in the records do.
    """
    distances = {name for record in results.records for name, regions in record.metrics.items() if FEATURES in regions}
    metrics = (
        metric.model_copy(update={"aggregate": "frechet-distance"})
        if metric.name in distances and metric.aggregate == "mean"
        else metric
        for metric in results.metrics
    )
    notes = (*results.notes, *version_notes(results.records))
    return replace(results, metrics=tuple(metrics), notes=notes)


def _with_more(earlier: Record, later: Record) -> Record:
    """The earlier of two records of the same frames, with what only the later has: one may hold more values.

    Where the earlier is a failure, it is the later.
    """
    if earlier.status == "failed":
        return later
    metrics = later.metrics | earlier.metrics
    unavailable = later.unavailable | earlier.unavailable
    changes = {
        "status": "scored" if "scored" in (earlier.status, later.status) else earlier.status,
        "metrics": metrics,
        "unavailable": {name: reason for name, reason in unavailable.items() if name not in metrics},
        "measured_by": later.measured_by | earlier.measured_by,
        "timing": earlier.timing or later.timing,
    }
    return earlier.model_copy(update=changes)


def _same_methods(
    info: RunInfo,
    found: Sequence[Record],
    methods: dict[str, MethodFacts],
    homes: dict[str, RunInfo],
    records: dict[tuple[str, str], Record],
) -> set[str]:
    """The methods of a run that an earlier run holds too: of equal identity, machine, and frames where both have any.

    ``homes`` says of which run each of ``methods`` is, and ``records`` are those of the earlier runs.
    """
    same = set()
    for facts in info.methods:
        known = methods.get(facts.label)
        if known is None or known.identity != facts.identity or homes[facts.label].device != info.device:
            continue
        if not differing_facts([homes[facts.label].machine, info.machine]):
            same.add(facts.label)
    for record in found:
        earlier = records.get((record.method, record.case))
        frames = {each.output_sha256 for each in (earlier, record) if each is not None and each.status != "failed"}
        if len(frames) > 1 or "" in frames:
            same.discard(record.method)
    return same


def _new_labels(
    info: RunInfo, methods: dict[str, MethodFacts], homes: dict[str, RunInfo], same: set[str], notes: list[str]
) -> dict[str, str]:
    """Add a run's methods to ``methods``.

    One whose name is taken gets the run's digest behind its name, unless it is one of ``same``.
    """
    labels = {}
    for facts in info.methods:
        label = facts.label
        if label in same:
            labels[label] = label
            continue
        if label in methods:
            label = facts.label + _suffix(info.digest)
            notes.append(f"{facts.label} is in more than one run; that of run {info.digest[:6]} is shown as {label}.")
        labels[facts.label] = label
        methods[label] = facts.model_copy(update={"label": label})
        homes[label] = info
    return labels


def _new_metric_names(info: RunInfo, metrics: dict[str, MetricFacts], notes: list[str]) -> dict[str, str]:
    """Add a run's metrics to ``metrics``; another version of one that is there is a metric of its own."""
    names = {}
    for facts in info.metrics:
        name = facts.name
        if name in metrics and metrics[name].version != facts.version:
            name = f"{facts.name} (version {facts.version})"
            notes.append(f"{facts.name} was measured in two versions, which are not compared: see {name}.")
        names[facts.name] = name
        metrics.setdefault(name, facts.model_copy(update={"name": name}))
    return names
