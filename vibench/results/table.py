"""The table: a pure function of records. One row a method, one column a metric and region, speed beside it.

Means are over the cases that *every* compared method has a value for, so that a method which fails on hard clips gains
nothing by it; what is left out is counted and named in the row. A method without a single value does not shrink the
others' set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from vibench.results.distance import frechet_distances
from vibench.results.record import TRUTH, MetricFacts
from vibench.results.results import Results
from vibench.results.statistics import Difference, Estimate, estimate, paired_difference
from vibench.results.timings import Speed, speed_of

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

    ``mark`` is set only where the paired intervals allow it.
    """

    estimate: Estimate | None
    mark: Mark | None = None


@dataclass(frozen=True)
class Row:
    """A method, or the truth (``is_floor``). ``failed`` maps cases to what happened; ``missing`` are not made yet."""

    method: str
    is_floor: bool
    warning: str | None
    cells: dict[str, Cell]
    speed: Speed | None
    done: int
    failed: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """All that the writers need. ``compared`` maps a column's key to the cases that its means are over.

    ``notes`` maps the key of a column that needs explaining to the sentences that must stand beside it.
    """

    results: Results
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    compared: dict[str, tuple[str, ...]]
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

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
            key: tuple(case for case in self.results.cases if case not in cases) for key, cases in self.compared.items()
        }
        return {key: cases for key, cases in missing.items() if cases}

    def frame(self) -> pd.DataFrame:
        """Tidy: one row a method and column, with mean, interval, count and mark."""
        rows = []
        for row in self.rows:
            for column in self.columns:
                cell = row.cells[column.key]
                known = cell.estimate
                rows.append(
                    {
                        "protocol": self.results.label,
                        "method": row.method,
                        "metric": column.metric.name,
                        "region": column.region,
                        "unit": column.metric.unit,
                        "better": column.metric.better,
                        "mean": known.mean if known else None,
                        "low": known.low if known else None,
                        "high": known.high if known else None,
                        "clips": known.count if known else 0,
                        "aggregate": column.metric.aggregate,
                        "repeats": known.spread.repeats if known and known.spread else 1,
                        "deviation": known.spread.deviation if known and known.spread else None,
                        "mark": cell.mark or "",
                        "cases_done": row.done,
                        "cases_failed": len(row.failed),
                        "cases_missing": len(row.missing),
                    }
                )
        return pd.DataFrame(rows)


def tabulate(results: Results) -> Table:
    """The table of ``results``."""
    columns = columns_of(results)
    entries = {column.key: (_means if column.per_clip else _distances)(results, column) for column in columns}
    labels = [facts.label for facts in results.methods]
    if any(record.method == TRUTH for record in results.records):
        labels.append(TRUTH)
    rows = tuple(
        _row(results, label, {key: entry.cells.get(label, Cell(None)) for key, entry in entries.items()})
        for label in labels
    )
    compared = {key: entry.cases for key, entry in entries.items()}
    return Table(results, columns, rows, compared, {key: entry.notes for key, entry in entries.items() if entry.notes})


def columns_of(results: Results) -> tuple[Column, ...]:
    """Every metric and region that has a value, metrics in the runs' order, ``frame`` before ``hole``."""
    return tuple(Column(metric, region) for metric in results.metrics for region in results.regions(metric))


def compared_values(results: Results, column: Column) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clip means and weights (cases x methods and truth) over the cases that every method with any value has."""
    matrix = results.matrix(column.metric.name, column.region)
    methods = [label for label in matrix.columns if label != TRUTH]
    complete = matrix[matrix[methods].notna().all(axis=1)] if methods else matrix
    weights = results.matrix(column.metric.name, column.region, "weight").loc[complete.index]
    return complete, weights if results.averages_frames else weights.notna().astype(float)


def difference(results: Results, column: Column, first: str, second: str) -> Difference | None:
    """``second - first`` over the column's compared cases; None where either has no value or no case is shared.

    None too where the column is not ``per_clip``: two numbers of whole sets have no differences clip by clip.
    """
    values, weights = compared_values(results, column)
    if not {first, second} <= set(values.columns):
        return None
    values = values[[first, second]].dropna()
    if values.empty:
        return None
    return paired_difference(
        values[first].to_numpy(), values[second].to_numpy(), weights.loc[values.index, first].to_numpy()
    )


class _Entry(NamedTuple):
    """What one column contributes: the cases its numbers are over, a cell a method, sentences beside it."""

    cases: tuple[str, ...]
    cells: dict[str, Cell]
    notes: tuple[str, ...] = ()


def _distances(results: Results, column: Column) -> _Entry:
    found = frechet_distances(results, column.metric.name, column.region)
    return _Entry(found.cases, {label: Cell(known) for label, known in found.estimates.items()}, found.notes)


def _means(results: Results, column: Column) -> _Entry:
    values, weights = compared_values(results, column)
    means = {
        str(label): estimate(known.to_numpy(), weights.loc[known.index, label].to_numpy())
        for label in values.columns
        if len(known := values[label].dropna())
    }
    marks = _marks(results, column, {label: found.mean for label, found in means.items() if label != TRUTH})
    return _Entry(tuple(values.index), {label: Cell(found, marks.get(label)) for label, found in means.items()})


def _marks(results: Results, column: Column, means: dict[str, float]) -> dict[str, Mark]:
    """``best`` where a method's paired intervals to all others exclude zero, ``second`` likewise among the rest."""
    ranked = sorted(means, key=lambda label: -column.sign * means[label])
    marks: dict[str, Mark] = {}
    names: tuple[Mark, Mark] = ("best", "second")
    for place, mark in enumerate(names):
        rest = ranked[place + 1 :]
        if rest and all(_is_better(results, column, ranked[place], other) for other in rest):
            marks[ranked[place]] = mark
        else:
            break
    return marks


def _is_better(results: Results, column: Column, label: str, other: str) -> bool:
    found = difference(results, column, other, label)
    return found is not None and found.estimate.excludes_zero and np.sign(found.estimate.mean) == column.sign


def _row(results: Results, label: str, cells: dict[str, Cell]) -> Row:
    facts = {facts.label: facts for facts in results.methods}
    records = [record for record in results.records if record.method == label]
    made = {record.case for record in records}
    return Row(
        method=label,
        is_floor=label == TRUTH,
        warning=facts[label].warning if label in facts else None,
        cells=cells,
        speed=speed_of(records),
        done=sum(record.status != "failed" for record in records),
        failed={
            record.case: f"{record.failure.kind}: {record.failure.message}" if record.failure else "failed"
            for record in records
            if record.status == "failed"
        },
        missing=tuple(case for case in results.cases if case not in made),
    )
