"""The table: a pure function of records. One row a method, one column a metric and region, speed beside it.

Means are over the cases that *every* compared method has a value for, so that a method which fails on hard clips gains
nothing by it; what is left out is counted and named in the row. A method without a single value does not shrink the
others' set. Intervals and tests are over clips, whatever number of cases a clip has (see
``vibench.results.statistics``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from vibench.results.distance import distances_of
from vibench.results.record import TRUTH, MetricFacts
from vibench.results.results import Results
from vibench.results.statistics import Difference, Estimate, estimate, holm_corrected, paired_difference
from vibench.results.timings import Speed, speeds_of

Mark = Literal["best", "second"]


@dataclass(frozen=True)
class Column:
    """One metric in one region."""

    metric: MetricFacts
    region: str

    @property
    def key(self) -> str:
        """``psnr/frame``: how files and links name it."""
        return f"{self.metric.name}/{self.region}"

    @property
    def arrow(self) -> str:
        """Which direction is better."""
        return "↑" if self.metric.better == "higher" else "↓"

    @property
    def sign(self) -> int:
        """+1 where higher is better."""
        return 1 if self.metric.better == "higher" else -1

    @property
    def per_clip(self) -> bool:
        """Whether each clip has a number of its own, of which the column's is the mean; else one is of all clips."""
        return self.metric.aggregate == "mean"


@dataclass(frozen=True)
class Cell:
    """A method's mean of a column over the compared cases, or None.

    ``mark`` is set only where the paired differences are significant. ``p`` is of the paired test against the method
    with the best mean; None for that method, for the truth, and where nothing can be tested.
    """

    estimate: Estimate | None
    mark: Mark | None = None
    p: float | None = None


@dataclass(frozen=True)
class Row:
    """A method, or the truth (``is_floor``). ``failed`` maps cases to what happened; ``missing`` are not made yet.

    ``speeds`` has one entry a machine that the method was timed on: times of different machines have no mean.
    """

    method: str
    is_floor: bool
    warning: str | None
    knows: str | None
    cells: dict[str, Cell]
    speeds: tuple[Speed, ...]
    done: int
    failed: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def speed(self) -> Speed | None:
        """How fast the method was, where it was timed on one machine; None where on none, or on several."""
        return self.speeds[0] if len(self.speeds) == 1 else None


@dataclass(frozen=True)
class Table:
    """All that the writers need. ``compared`` maps a column's key to the cases that its means are over.

    ``notes`` maps the key of a column that needs explaining to the sentences that must stand beside it.
    ``comparisons`` counts the pairs of methods in all columns together; every p and mark is corrected for their number
    where ``holm`` is set.
    """

    results: Results
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    compared: dict[str, tuple[str, ...]]
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    comparisons: int = 0
    holm: bool = False

    def row(self, method: str) -> Row:
        """The row of a method; KeyError where there is none."""
        return {row.method: row for row in self.rows}[method]

    def column(self, key: str) -> Column:
        """The column of a key such as ``psnr/frame``; KeyError where there is none."""
        return {column.key: column for column in self.columns}[key]

    @property
    def clip_columns(self) -> tuple[Column, ...]:
        """Those in which each clip has a number of its own."""
        return tuple(column for column in self.columns if column.per_clip)

    def left_out(self) -> dict[str, tuple[str, ...]]:
        """Column key -> planned cases that its means are not over; only columns that leave any out."""
        missing = {
            key: tuple(case for case in self.results.cases if case not in compared)
            for key, compared in ((key, set(cases)) for key, cases in self.compared.items())
        }
        return {key: cases for key, cases in missing.items() if cases}

    def frame(self) -> pd.DataFrame:
        """Tidy: one row a method and column, with mean, interval, counts, mark and p.

        ``sees`` says what methods were shown and ``composite`` whether the input was put back outside the holes, both
        in the protocol's words. ``clips`` is how many clips the interval and the test are over, and ``cases`` how many
        cases these have. ``interval`` says how ``low`` and ``high`` were made or why they are empty (see
        ``Estimate.interval_kind``). ``p`` is against the method with the best mean, and ``p_corrected`` says for how
        many comparisons, or 0.
        """
        rows = []
        for row in self.rows:
            for column in self.columns:
                cell = row.cells[column.key]
                known = cell.estimate
                rows.append(
                    {
                        "protocol": self.results.label,
                        "sees": "everything" if self.results.sees_everything else "holed",
                        "composite": "holes" if self.results.composited else "none",
                        "method": row.method,
                        "knows": row.knows or "",
                        "metric": column.metric.name,
                        "region": column.region,
                        "unit": column.metric.unit,
                        "better": column.metric.better,
                        "mean": known.mean if known else None,
                        "low": known.low if known else None,
                        "high": known.high if known else None,
                        "interval": known.interval_kind if known else "",
                        "clips": known.count if known else 0,
                        "cases": known.cases if known else 0,
                        "aggregate": column.metric.aggregate,
                        "repeats": known.spread.repeats if known and known.spread else 1,
                        "deviation": known.spread.deviation if known and known.spread else None,
                        "standard_error": known.spread.error if known and known.spread else None,
                        "mark": cell.mark or "",
                        "p": cell.p,
                        "p_corrected": self.comparisons if self.holm else 0,
                        "cases_done": row.done,
                        "cases_failed": len(row.failed),
                        "cases_missing": len(row.missing),
                    }
                )
        return pd.DataFrame(rows)


def tabulate(results: Results, holm: bool = False, columns: Sequence[Column] | None = None) -> Table:
    """The table of ``results``, of ``columns`` alone where they are given.

    A table compares every two methods in every column that has a number a clip. With ``holm``, all of these tests
    together are corrected by Holm's method, and marks follow the corrected p.
    """
    columns = columns_of(results) if columns is None else tuple(columns)
    paired = {column.key: _pairs(results, column) for column in columns if column.per_clip}
    if holm:
        paired = _corrected(paired)
    entries = {
        column.key: _means(results, column, paired[column.key]) if column.per_clip else _distances(results, column)
        for column in columns
    }
    labels = [facts.label for facts in results.methods]
    if TRUTH in results.records.texts["method"].counts():
        labels.append(TRUTH)
    rows = tuple(
        _row(results, label, {key: entry.cells.get(label, Cell(None)) for key, entry in entries.items()})
        for label in labels
    )
    return Table(
        results,
        columns,
        rows,
        compared={key: entry.cases for key, entry in entries.items()},
        notes={key: entry.notes for key, entry in entries.items() if entry.notes},
        comparisons=sum(map(len, paired.values())),
        holm=holm,
    )


def columns_of(results: Results) -> tuple[Column, ...]:
    """Every metric and region that has a value, metrics in the runs' order, ``frame`` before ``hole``."""
    return tuple(Column(metric, region) for metric in results.metrics for region in results.regions(metric))


def compared_values(results: Results, column: Column) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means and weights of cases (cases x methods and truth) over the cases that every method with any value has.

    Cases that are not the same for all methods are not among them.
    """
    matrix = results.matrix(column.metric.name, column.region)
    matrix = matrix[~matrix.index.isin(results.torn)]
    methods = [label for label in matrix.columns if label != TRUTH]
    complete = matrix[matrix[methods].notna().all(axis=1)] if methods else matrix
    weights = results.matrix(column.metric.name, column.region, "weight").loc[complete.index]
    return complete, weights if results.averages_frames else weights.notna().astype(float)


def difference(results: Results, column: Column, first: str, second: str) -> Difference | None:
    """``second - first`` by clip, over the column's compared cases; None where either has no value, or none is shared.

    None too where the column is not ``per_clip``: two numbers of whole sets have no differences clip by clip.
    """
    return _difference(*compared_values(results, column), results.clips, first, second)


def _difference(
    values: pd.DataFrame, weights: pd.DataFrame, clips: dict[str, str], first: str, second: str
) -> Difference | None:
    if not {first, second} <= set(values.columns):
        return None
    values = values[[first, second]].dropna()
    if values.empty:
        return None
    return paired_difference(
        values[first].to_numpy(),
        values[second].to_numpy(),
        weights.loc[values.index, first].to_numpy(),
        [clips[case] for case in values.index],
    )


_Pairs = dict[tuple[str, str], Difference]
"""(first, second) -> second - first, for every two methods of a column, in the order of the table."""


class _Entry(NamedTuple):
    """What one column contributes: the cases its numbers are over, a cell a method, sentences beside it."""

    cases: tuple[str, ...]
    cells: dict[str, Cell]
    notes: tuple[str, ...] = ()


def _distances(results: Results, column: Column) -> _Entry:
    found = distances_of(results, column.metric, column.region)
    return _Entry(found.cases, {label: Cell(known) for label, known in found.estimates.items()}, found.notes)


def _pairs(results: Results, column: Column) -> _Pairs:
    values, weights = compared_values(results, column)
    labels = [label for label in values.columns if label != TRUTH]
    found = {pair: _difference(values, weights, results.clips, *pair) for pair in combinations(labels, 2)}
    return {pair: known for pair, known in found.items() if known is not None}


def _corrected(paired: dict[str, _Pairs]) -> dict[str, _Pairs]:
    """The same differences with p after Holm's correction for all of them; what has no p counts as a test of p = 1."""
    places = [(key, pair) for key, pairs in paired.items() for pair in pairs]
    raw = [paired[key][pair].p for key, pair in places]
    adjusted = holm_corrected([1.0 if p is None else p for p in raw])
    corrected: dict[str, _Pairs] = {key: {} for key in paired}
    for (key, pair), p, known in zip(places, adjusted, raw, strict=True):
        corrected[key][pair] = replace(paired[key][pair], p=None if known is None else p)
    return corrected


def _means(results: Results, column: Column, pairs: _Pairs) -> _Entry:
    values, weights = compared_values(results, column)
    means = {
        str(label): estimate(
            known.to_numpy(), weights.loc[known.index, label].to_numpy(), [results.clips[case] for case in known.index]
        )
        for label in values.columns
        if len(known := values[label].dropna())
    }
    ranked = sorted((label for label in means if label != TRUTH), key=lambda label: -column.sign * means[label].mean)
    marks = _marks(ranked, pairs, column.sign)
    cells = {
        label: Cell(found, marks.get(label), _p(pairs, label, ranked[0]) if label in ranked else None)
        for label, found in means.items()
    }
    return _Entry(tuple(values.index), cells)


def _marks(ranked: list[str], pairs: _Pairs, sign: int) -> dict[str, Mark]:
    """``best`` where the first of ``ranked`` is significantly better than all others, ``second`` likewise of the rest.

    ``sign`` is +1 where higher is better, and else -1.
    """
    marks: dict[str, Mark] = {}
    names: tuple[Mark, Mark] = ("best", "second")
    for place, mark in enumerate(names):
        rest = ranked[place + 1 :]
        if rest and all(_is_better(pairs, sign, ranked[place], other) for other in rest):
            marks[ranked[place]] = mark
        else:
            break
    return marks


def _is_better(pairs: _Pairs, sign: int, one: str, other: str) -> bool:
    found = pairs.get((one, other)) or pairs.get((other, one))
    if found is None or not found.is_significant:
        return False
    gain = -found.estimate.mean if (one, other) in pairs else found.estimate.mean
    return gain * sign > 0


def _p(pairs: _Pairs, one: str, other: str) -> float | None:
    found = pairs.get((one, other)) or pairs.get((other, one))
    return None if found is None else found.p


def _row(results: Results, label: str, cells: dict[str, Cell]) -> Row:
    facts = {facts.label: facts for facts in results.methods}
    records = results.records.of_methods([label])
    every = np.arange(len(records))
    cases, states, failures = (records.texts[name].of_rows(every) for name in ("case", "status", "failure"))
    made = set(cases)
    is_failed = states == "failed"
    return Row(
        method=label,
        is_floor=label == TRUTH,
        warning=facts[label].warning if label in facts else None,
        knows=facts[label].knows if label in facts else None,
        cells=cells,
        speeds=speeds_of(records),
        done=int((~is_failed).sum()),
        failed={case: text or "failed" for case, text in zip(cases[is_failed], failures[is_failed], strict=True)},
        missing=tuple(case for case in results.cases if case not in made),
    )
