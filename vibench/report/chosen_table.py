"""A paper's table: chosen methods and metrics of runs, under the field's names, in LaTeX, Typst, Markdown or CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vibench.errors import InputError
from vibench.plugins import split_outside_brackets
from vibench.report.grid import EXTRAS, Grid, Head, grid_of
from vibench.report.latex import latex_grids
from vibench.report.numbers import APART
from vibench.report.tables import csv, markdown_grid
from vibench.report.typst import typst_grids
from vibench.results.record import TRUTH, MetricFacts
from vibench.results.results import Results, gathered
from vibench.results.table import Column, Table, columns_of, tabulate

FIELD_NAMES = {
    "psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS", "vfid": "VFID", "kvd": "KVD", "warping-error": "E_warp",
}  # fmt: skip
"""What papers call a metric, by the beginning of our name of it, whose rest says the setting."""


@dataclass(frozen=True)
class Selection:
    """What a table shows: ``metrics`` as ``metric/region``, ``frames/s``, ``cases`` or ``knows``; ``rows`` are methods.

    Empty ``rows`` are all methods, and the truth's own numbers where a metric has them. ``names`` are those that
    methods are shown under. ``holm`` corrects the tests of this table for their number.
    """

    metrics: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    names: Mapping[str, str] | None = None
    intervals: bool = False
    holm: bool = False


def table_text(
    runs: Sequence[Path | str],
    metrics: str | Sequence[str] = (),
    rows: str | Sequence[str] = (),
    format: str = "latex",
    *,
    names: Mapping[str, str] | None = None,
    intervals: bool = False,
    holm: bool = False,
) -> str:
    """Write a table of chosen metrics and methods of ``runs``, one a protocol.

    ``metrics`` are ``metric/region`` in the order of the columns, all where empty; ``frames/s``, ``cases`` and other
    keys of ``EXTRAS`` may stand among them. ``rows`` are methods in the order of the rows. Means are over the cases
    that all of these have, and marks compare these alone. ``format`` is ``latex``, ``markdown``, ``csv`` (tidy, in full
    precision) or ``typst``. InputError where a run, metric or method is not there, or the format is another.
    """
    if format not in FORMATS:
        raise InputError(f"--format is {', '.join(FORMATS)}, not {format!r}")
    wanted = Selection(_parts(metrics), _parts(rows), names, intervals, holm)
    return FORMATS[format]([_chosen(results, wanted) for results in gathered(runs)[1]], wanted)


def _parts(text: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(split_outside_brackets(text) if isinstance(text, str) else text)


def _chosen(results: Results, wanted: Selection) -> Table:
    """The table of the methods and metrics that are wanted, as if nothing else had been run."""
    labels = [facts.label for facts in results.methods]
    for label in (*wanted.rows, *(wanted.names or ())):
        if label not in (*labels, TRUTH):
            raise InputError(f"no run has a method {label!r}; there are {', '.join(labels)}")
    if wanted.rows:
        facts = {one.label: one for one in results.methods}
        methods = tuple(facts[label] for label in wanted.rows if label != TRUTH)
        results = replace(results, methods=methods, records=results.records.of_methods(wanted.rows))
    columns = _columns(results, wanted.metrics)
    shown = {column.metric.name for column in columns}
    asked = [metric for metric in results.metrics if metric.name in shown]
    return tabulate(replace(results, metrics=tuple(asked)), wanted.holm, columns)


def _columns(results: Results, keys: Sequence[str]) -> tuple[Column, ...]:
    known = {column.key: column for column in columns_of(results)}
    for key in keys:
        if key not in known and key not in EXTRAS:
            raise InputError(f"no method has a value of {key!r}; there are {', '.join((*known, *EXTRAS))}")
    return tuple(known[key] for key in keys if key in known) if keys else tuple(known.values())


def _grid(table: Table, wanted: Selection) -> Grid:
    heads = _heads([column.metric for column in table.columns])
    extras = [key for key in wanted.metrics if key in EXTRAS]
    grid = grid_of(table, extras, wanted.intervals, lambda column: _head(column, heads), wanted.names)
    told = (f"{heads[name]} is {name} ({metric.title}: {metric.source})" for name, metric in _told(table).items())
    return replace(grid, remarks=(*told, *grid.remarks))


def _told(table: Table) -> dict[str, MetricFacts]:
    return {column.metric.name: column.metric for column in table.columns}


def _heads(metrics: Sequence[MetricFacts]) -> dict[str, str]:
    """The field's name of each metric; its full title where two metrics of the table have the same one."""
    named = {metric.name: _field_name(metric) for metric in metrics}
    titles = {metric.name: metric.title for metric in metrics}
    return {name: titles[name] if list(named.values()).count(shown) > 1 else shown for name, shown in named.items()}


def _field_name(metric: MetricFacts) -> str:
    family = next((key for key in FIELD_NAMES if metric.name == key or metric.name.startswith(f"{key}-")), None)
    return metric.title if family is None else FIELD_NAMES[family]


def _head(column: Column, heads: Mapping[str, str]) -> Head:
    unit = f", {column.metric.unit}" if column.metric.unit else ""
    return Head(heads[column.metric.name], f"{column.region}{unit} {column.arrow}")


def _markdown(tables: Sequence[Table], wanted: Selection) -> str:
    sections = [markdown_grid(_grid(table, wanted)) for table in tables]
    return "\n".join([*([f"{APART}\n"] if len(sections) > 1 else []), *sections])


FORMATS: dict[str, Callable[[Sequence[Table], Selection], str]] = {
    "latex": lambda tables, wanted: latex_grids([_grid(table, wanted) for table in tables]),
    "markdown": _markdown,
    "csv": lambda tables, _: csv(tables),
    "typst": lambda tables, wanted: typst_grids([_grid(table, wanted) for table in tables]),
}
