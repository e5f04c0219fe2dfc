"""The results of one protocol: its records, from one run or from several, ready to stand in one table."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from vibench.errors import InputError
from vibench.machine.facts import differing_facts
from vibench.results.record import TRUTH, MethodFacts, MetricFacts, Record, RunInfo
from vibench.results.records import Numbers, Records
from vibench.results.store import Store, run_folders

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
    records: Records
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, info: RunInfo, records: Iterable[Record]) -> Results:
        """Make the results of one run from its page and its records."""
        return _aggregated(cls((info,), info.methods, info.metrics, info.cases, Records.of(records)))

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
        blocks = self.records.blocks.items()
        return tuple(sorted(region for (name, region), block in blocks if name == metric.name and block.weights.any()))

    def vectors(self, metric: str, region: str) -> dict[str, dict[str, Numbers]]:
        """Return the feature vector of every clip, for each method and the truth: method -> case -> values (n,).

        A clip that lacks one of the values is left out.
        """
        found: dict[str, dict[str, Numbers]] = {}
        block = self.records.blocks.get((metric, region))
        if block is not None:
            method, case = self.records.texts["method"], self.records.texts["case"]
            for place in np.flatnonzero(block.is_complete).tolist():
                row = int(block.rows[place])
                values = block.values[block.starts[place] : block.ends[place]]
                found.setdefault(method.at(row), {})[case.at(row)] = values
        return found

    @cached_property
    def values(self) -> pd.DataFrame:
        """One row for every method, case, metric and region that has a value.

        The column ``value`` is the mean over the clip's frames or pairs that have a value, ``weight`` their number.
        Metrics that compare sets of clips have no rows, since the mean of a feature vector says nothing.
        """
        parts = [
            (block.rows[known], key, block.means[known], block.weights[known])
            for key in self.records.blocks
            if key[0] in self._with_means and (known := (block := self.records.blocks[key]).weights > 0).any()
        ]
        rows, numbers = (np.concatenate([part[k] for part in parts] or [np.empty(0)]) for k in (0, 2))
        weights = np.concatenate([part[3] for part in parts] or [np.empty(0, np.int64)])
        keys = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
        order = np.lexsort((keys, rows))
        columns = {name: self.records.texts[name].of_rows(rows[order].astype(np.int64)) for name in ("method", "case")}
        for place, name in enumerate(("metric", "region")):
            columns[name] = np.array([part[1][place] for part in parts], object)[keys[order]]
        return pd.DataFrame({**columns, "value": numbers[order], "weight": weights[order]})

    @cached_property
    def _with_means(self) -> set[str]:
        return {metric.name for metric in self.metrics if metric.aggregate == "mean"}

    @cached_property
    def torn(self) -> frozenset[str]:
        """Cases of which the records hold different inputs, truths or holes, so that nothing on them can be compared.

        What a failed record was made of decides no number.
        """
        status = self.records.texts["status"]
        made = self.records.chosen(np.flatnonzero(status.codes != status.place("failed")))
        return frozenset(case for case, _ in other_contents(made))

    def matrix(self, metric: str, region: str, what: Literal["value", "weight"] = "value") -> pd.DataFrame:
        """Return a table of one metric in one region, with a row for every case and a column for every method.

        ``what`` is ``value``, the mean over the clip, or ``weight``, the number of values in it. A cell is NaN where
        the metric was not measured; cases and methods that have no value at all are left out.
        """
        labels = [facts.label for facts in self.methods] + [TRUTH]
        grid = np.full((len(self.cases), len(labels)), np.nan)
        block = self.records.blocks.get((metric, region)) if metric in self._with_means else None
        if block is not None:
            known = block.weights > 0
            rows, numbers = block.rows[known], (block.means if what == "value" else block.weights)[known]
            line = self.records.texts["case"].places_in(self.cases, rows)
            column = self.records.texts["method"].places_in(labels, rows)
            planned = (line >= 0) & (column >= 0)
            grid[line[planned], column[planned]] = numbers[planned]
        there = ~np.isnan(grid)
        # Names as plain objects: where pyarrow is installed, pandas' own texts are slow to walk through.
        lines, columns = (
            pd.Index(names, dtype=object, name=name) for names, name in ((self.cases, "case"), (labels, "method"))
        )
        table = pd.DataFrame(grid, lines, columns)
        told: pd.DataFrame = table.loc[there.any(axis=1), there.any(axis=0)]
        return told

    @cached_property
    def clips(self) -> dict[str, str]:
        """Case -> the clip that it is made of. Several cases of one clip are one clip where anything is tested."""
        clip, case = self.records.texts["clip"], self.records.texts["case"]
        attributes = self.records.texts["attributes"]
        told = attributes.codes != attributes.place("{}")
        pairs = zip(case.codes[told].tolist(), clip.codes[told].tolist(), strict=True)
        named = {case.texts[one]: clip.texts[other] for one, other in dict(pairs).items()}
        return {case: named.get(case, case.partition("/")[0]) for case in self.cases}

    def record(self, method: str, case: str) -> Record | None:
        """Return the record of a method on a case, or None where it was never made."""
        return self.records.find(method, case)


def distinct(runs: Iterable[Store]) -> list[Store]:
    """The runs, one that is named twice only once; copies of one run in several folders count as one.

    Raises InputError where two folders hold the same methods on different data: nothing could tell their numbers apart.
    """
    found: dict[str, Store] = {}
    for run in runs:
        earlier = found.setdefault(run.info.digest, run)
        if os.path.realpath(earlier.folder) != os.path.realpath(run.folder):
            records = Records.concatenated([earlier.records(), run.records()])
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


def gathered(runs: Sequence[Path | str]) -> tuple[list[Store], list[Results]]:
    """Open runs, each once, and group their results by protocol; InputError where there is none or one is no run."""
    stores = [Store.open(folder) for folder in run_folders([Path(run) for run in runs])]
    if not stores:
        raise InputError("name at least one run; `vibench list runs` prints them")
    different = distinct(stores)
    return different, gather(different)


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
    parts: list[Records] = []
    notes: list[str] = []
    for run in runs:
        found = run.records()
        same = set[str]() if apart else _same_methods(run.info, found, methods, homes, parts)
        labels = _new_labels(run.info, methods, homes, same, notes)
        names = _new_metric_names(run.info, metrics, notes)
        cases.update(dict.fromkeys(run.info.cases))
        parts.append(found.renamed(labels, names))
    infos, records = tuple(run.info for run in runs), _without_doubles(Records.concatenated(parts))
    return _aggregated(
        Results(infos, tuple(methods.values()), tuple(metrics.values()), tuple(cases), records, tuple(notes))
    )


def _without_doubles(records: Records) -> Records:
    """One record of each method and case, which holds what all of its records hold."""
    doubles = records.doubles()
    if not doubles:
        return records
    merged = (reduce(_with_more, (records[row] for row in rows)) for rows in doubles)
    single = np.setdiff1d(np.arange(len(records)), np.concatenate(doubles))
    return Records.concatenated([records.chosen(single), Records.of(merged)])


def version_notes(records: Records) -> tuple[str, ...]:
    """Say of which packages several versions made the numbers, and which metrics were measured by several codes."""
    notes = []
    versions: dict[str, Counter[str]] = {}
    codes: dict[str, set[str]] = {}
    for text, count in records.texts["versions"].counts().items():
        for package, version in json.loads(text).items():
            versions.setdefault(package, Counter())[version] += count
    for layout, measured_by in records.pairs("layout", "measured_by"):
        identities, measured = json.loads(measured_by), [metric for metric, _ in json.loads(layout)]
        for metric in measured:
            if metric in identities:
                codes.setdefault(metric, set()).add(identities[metric])
    differing: dict[str, list[str]] = {}
    for case, what in other_contents(records):
        differing.setdefault(what, []).append(case)
    for what, cases in differing.items():
        more = f" and of {len(cases) - 1} more cases" if len(cases) > 1 else ""
        notes.append(
            f"The {what} of {cases[0]}{more} {'are' if what == 'holes' else 'is'} not the same in all records: nothing "
            "is compared on it, and no mean is over it. Look at such runs one by one."
        )
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


def other_contents(records: Records) -> list[tuple[str, str]]:
    """(case, input, truth or holes) of which the records of one case hold different contents."""
    case = records.texts["case"]
    found = []
    for what in ("input", "truth", "holes", "given"):
        sha256 = records.texts[f"{what}_sha256"]
        told = sha256.codes != sha256.place("")
        pairs = np.unique(np.stack([case.codes[told], sha256.codes[told]]), axis=1)
        several, counts = np.unique(pairs[0], return_counts=True)
        found += [(int(code), what) for code in several[counts > 1]]
    return [(case.texts[code], what) for code, what in sorted(found, key=lambda pair: pair[0])]


def _aggregated(results: Results) -> Results:
    """Add what only the records tell: which metrics compare sets of clips, and which versions are mixed.

    A page from before the field ``aggregate`` does not name the former; their features in the records do.
    """
    distances = {name for name, region in results.records.blocks if region == FEATURES}
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
    found: Records,
    methods: dict[str, MethodFacts],
    homes: dict[str, RunInfo],
    earlier: Sequence[Records],
) -> set[str]:
    """The methods of a run that an earlier run holds too: of equal identity, machine, and frames where both have any.

    ``homes`` says of which run each of ``methods`` is, and ``earlier`` are the records of the earlier runs.
    """
    same = set()
    for facts in info.methods:
        known = methods.get(facts.label)
        if known is None or known.identity != facts.identity or homes[facts.label].device != info.device:
            continue
        if not differing_facts([homes[facts.label].machine, info.machine]) and _equal_frames(
            _frames(found, facts.label), {k: v for part in earlier for k, v in _frames(part, facts.label).items()}
        ):
            same.add(facts.label)
    return same


def _frames(records: Records, label: str) -> dict[str, str]:
    """Case -> sha256 of what a method made of it, for those that did not fail; empty where an old record lacks it."""
    rows = records.texts["method"].rows_of(label)
    status, case, output = (records.texts[name].of_rows(rows) for name in ("status", "case", "output_sha256"))
    return {name: sha256 for name, sha256, how in zip(case, output, status, strict=True) if how != "failed"}


def _equal_frames(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether two sets of frames are known and equal wherever both have a case."""
    return all(sha256 and other.get(case, sha256) == sha256 for case, sha256 in one.items())


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
