"""A paper's table: which methods under which protocol, the published figures, and both written beside each other."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from vibench.document import Frozen, first_fault
from vibench.errors import InputError
from vibench.files import bundled
from vibench.report.numbers import (
    FLOOR_NAME,
    NOTHING,
    cases_text,
    decimals,
    footnotes,
    markdown_cell,
    markdown_row,
    markdown_text,
)
from vibench.results.table import Table


class Entry(Frozen):
    """One row: a method as ``--methods`` takes it, what the paper calls it, and in what this row differs from the paper's."""

    name: str
    title: str
    setting: str = ""


class Plan(Frozen):
    """What a table is made of. ``setting`` says in what ours differs from the paper's.

    ``published`` names files of published figures, of which those for ``published_data`` are shown, measured as
    ``published_setting`` says.
    """

    title: str
    protocol: str
    columns: tuple[str, ...] = Field(min_length=1)
    setting: str
    methods: tuple[Entry, ...] = Field(min_length=1)
    published: tuple[str, ...] = ()
    published_data: str | None = None
    published_setting: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that the columns need."""
        return tuple(dict.fromkeys(column.partition("/")[0] for column in self.columns))


@dataclass(frozen=True)
class Published:
    """Figures that somebody else measured: method -> column -> the digits as printed; ``sources``: where they were read."""

    figures: dict[str, dict[str, str]]
    sources: tuple[str, ...]


def tables() -> dict[str, str]:
    """Name -> title of every table that can be reproduced."""
    folder = bundled("reports") / "tables"
    names = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.toml"))
    return {name: load_plan(name).title for name in names}


def load_plan(name_or_file: str) -> Plan:
    """A bundled table by its name, or one from a TOML file; InputError where there is none or it is wrong."""
    folder = bundled("reports") / "tables"
    known = {str(path.relative_to(folder).with_suffix("")): path for path in folder.rglob("*.toml")}
    path = Path(name_or_file) if name_or_file.endswith(".toml") else known.get(name_or_file)
    if path is None or not path.is_file():
        raise InputError(
            f"no table is called {name_or_file!r}; there are {', '.join(sorted(known))}, or name a .toml file"
        )
    try:
        return Plan.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"table {str(path)!r} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise InputError(f"table {str(path)!r}: {first_fault(error)}") from error


def published(plan: Plan) -> Published:
    """The published figures of a plan; lines that begin with # in a file are the source of what stands in it."""
    figures: dict[str, dict[str, str]] = {}
    sources = []
    for name in plan.published:
        lines = (bundled("reports") / "published" / Path(name).name).read_text(encoding="utf-8").splitlines()
        sources.append(" ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#")))
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            if row["data"] == plan.published_data:
                figures.setdefault(row["method"], {})[row["column"]] = row["value"]
    return Published(figures, tuple(sources))


def written(plan: Plan, labels: Sequence[str], table: Table, others: Published, note: str = "") -> str:
    """The table in Markdown: ours with intervals, then what was published, and a column that says how each was measured.

    ``labels`` are the methods' names in ``table``, in the plan's order.
    """
    shown = {column.key: column for column in table.columns if column.key in plan.columns}
    heads = [
        "method",
        *(f"{key} {shown[key].arrow}" if key in shown else key for key in plan.columns),
        "cases",
        "setting",
    ]
    lines = [markdown_row(heads), markdown_row(["---", *["---:"] * (len(heads) - 2), "---"])]
    rows = [(entry, table.row(label)) for entry, label in zip(plan.methods, labels, strict=True)]
    floors = (row for row in table.rows if row.is_floor and any(row.cells[key].estimate for key in shown))
    rows += [(Entry(name=row.method, title=FLOOR_NAME), row) for row in floors]
    for entry, row in rows:
        cells = [
            markdown_cell(row.cells[key], decimals(table, shown[key])) if key in shown else NOTHING
            for key in plan.columns
        ]
        setting = ", ".join(filter(None, ["here", table.results.label, entry.setting]))
        lines.append(markdown_row([markdown_text(entry.title), *cells, cases_text(row, table), markdown_text(setting)]))
    for method, figures in others.figures.items():
        cells = [figures.get(key, NOTHING) for key in plan.columns]
        setting = ", ".join(filter(None, ["published", plan.published_setting]))
        lines.append(markdown_row([markdown_text(method), *cells, NOTHING, markdown_text(setting)]))
    notes = [f"Ours: {plan.setting}.", *(f"Published: {source}" for source in others.sources)]
    notes += [f"Not the table's own setting: {note}."] if note else []
    notes += [f"{key}: not measured here." for key in plan.columns if key not in shown]
    notes += footnotes(table)
    return (
        f"## {markdown_text(plan.title)}\n\n"
        + "\n".join(lines)
        + "\n\n"
        + "\n".join(f"- {markdown_text(n)}" for n in notes)
    )
