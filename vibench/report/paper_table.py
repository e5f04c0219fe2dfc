"""Papers' tables: which methods stand in one, the figures that were published, and ours written beside them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from vibench.document import Frozen, read_toml
from vibench.errors import InputError
from vibench.files import bundled, disk_errors, slug, write_atomically
from vibench.plugins import Spec
from vibench.report.grid import entry_of
from vibench.report.numbers import FLOOR_NAME, NOTHING, cases_text, decimals, footnotes
from vibench.report.tables import markdown_entry
from vibench.report.training import training_of
from vibench.results.markdown import markdown_table, markdown_text
from vibench.results.results import Results
from vibench.results.store import Store, run_folders
from vibench.results.table import Row, Table, tabulate


class PaperRow(Frozen):
    """One row of ours: a method as ``--methods`` takes it, and the name that the paper gives it.

    ``setting`` says in what this row differs from the paper's, such as other weights.
    """

    name: str
    title: str
    setting: str = ""


class PaperTable(Frozen):
    """What a table is made of, as a file in ``reports/tables`` describes it.

    ``protocol`` and ``methods`` are what we run, ``columns`` what is shown, each as ``metric/region``. ``setting``
    says in what our way of measuring differs from the paper's. ``published`` names files of ``reports/published``;
    their figures for the data set ``published_data`` are shown, measured as ``published_setting`` says.
    """

    title: str
    protocol: str
    columns: tuple[str, ...] = Field(min_length=1)
    setting: str
    methods: tuple[PaperRow, ...] = Field(min_length=1)
    published: tuple[str, ...] = ()
    published_data: str | None = None
    published_setting: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that the columns need."""
        return tuple(dict.fromkeys(column.partition("/")[0] for column in self.columns))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels under which a run keeps the methods, in the order of the rows."""
        return tuple(Spec.parse(row.name).label for row in self.methods)


@dataclass(frozen=True)
class Published:
    """Figures that somebody else measured, and the sentences that say where they were read.

    ``figures`` maps a method and a column to the digits as they were printed.
    """

    figures: dict[str, dict[str, str]]
    sources: tuple[str, ...]


class WrittenTable(NamedTuple):
    """A table in Markdown, and the file that holds it."""

    text: str
    path: Path


def paper_tables() -> dict[str, str]:
    """Return the name and the title of every table that can be reproduced."""
    return {name: load_paper_table(name).title for name in sorted(_bundled_tables())}


def load_paper_table(name_or_file: str) -> PaperTable:
    """Read a bundled table by its name, or one from a TOML file; InputError where there is none or it is wrong."""
    known = _bundled_tables()
    path = Path(name_or_file) if name_or_file.endswith(".toml") else known.get(name_or_file)
    if path is None or not path.is_file():
        raise InputError(
            f"no table is called {name_or_file!r}; there are {', '.join(sorted(known))}, or name a .toml file"
        )
    return read_toml(path, PaperTable, "table")


def published(paper: PaperTable) -> Published:
    """Read the published figures of a table; lines that begin with # in a file are the source of what stands in it."""
    figures: dict[str, dict[str, str]] = {}
    sources = []
    for name in paper.published:
        lines = (bundled("reports") / "published" / Path(name).name).read_text(encoding="utf-8").splitlines()
        sources.append(" ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#")))
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            if row["data"] == paper.published_data:
                figures.setdefault(row["method"], {})[row["column"]] = row["value"]
    return Published(figures, tuple(sources))


def write_paper_table(table: Path | str, run: Path | str, departures: Sequence[str] = ()) -> WrittenTable:
    """Write a paper's table with the numbers of ``run`` and the published figures beside them, as Markdown.

    ``table`` is a name of ``paper_tables`` or a TOML file, ``run`` the folder of a run of its methods. ``departures``
    say in what the run differs from the table's own setting, such as "the first 3 cases only"; that it followed
    another protocol is noted by itself. The file lies in the run's folder, under ``reproduced``. InputError where the
    table or the run cannot be read, the run lacks one of the table's methods, or its folder cannot be written.
    """
    paper = load_paper_table(str(table))
    store = Store.open(Path(run))
    known = [facts.label for facts in store.info.methods]
    if lacking := [label for label in paper.labels if label not in known]:
        raise InputError(f"run {str(run)!r} has no method {lacking[0]!r} of this table; it has {', '.join(known)}")
    label = store.info.protocol_label
    other = [f"protocol {label} instead of {paper.protocol}"] if label != paper.protocol else []
    measured = tabulate(Results.of(store.info, store.records()))
    text = as_markdown(paper, measured, published(paper), [*other, *departures])
    path = store.folder / "reproduced" / f"{slug(str(table).removesuffix('.toml'))}.md"
    with disk_errors(store.folder):
        write_atomically(path, f"{text}\n".encode())
    return WrittenTable(text, path)


def begun_run(table: Path | str, output: Path | str, protocol: str) -> Path | None:
    """Return the run of a paper's table that was worked on last in ``output``, finished or not; None where none is.

    ``protocol`` is the label of the protocol that was run.
    """
    labels = set(load_paper_table(str(table)).labels)
    stores = [Store.open(folder) for folder in run_folders([Path(output)])] if Path(output).is_dir() else []
    begun = [
        store.folder
        for store in stores
        if store.info.protocol_label == protocol and labels <= {facts.label for facts in store.info.methods}
    ]
    return max(begun, key=_last_change, default=None)


def _last_change(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder / "run.json", *folder.glob("records/*")))


def as_markdown(paper: PaperTable, table: Table, others: Published, departures: Sequence[str] = ()) -> str:
    """Write ours with intervals, then what was published; the column ``setting`` says how each was measured.

    ``table`` holds the measured numbers of the methods of ``paper``. See ``write_paper_table`` for ``departures``.
    """
    shown = {column.key: column for column in table.columns if column.key in paper.columns}
    heads = [f"{key} {shown[key].arrow}" if key in shown else key for key in paper.columns]
    heads = ["method", *heads, "cases", "setting"]
    rows = [
        [
            markdown_text(row.title),
            *_cells(table.row(label), paper, table),
            cases_text(table.row(label), table),
            _setting("here", table.results.label, row.setting),
        ]
        for row, label in zip(paper.methods, paper.labels, strict=True)
    ]
    rows += [
        [FLOOR_NAME, *_cells(row, paper, table), cases_text(row, table), _setting("here", table.results.label)]
        for row in table.rows
        if row.is_floor and any(row.cells[key].estimate for key in shown)
    ]
    rows += [
        [
            markdown_text(method),
            *(figures.get(key, NOTHING) for key in paper.columns),
            NOTHING,
            _setting("published", paper.published_setting),
        ]
        for method, figures in others.figures.items()
    ]
    notes = [f"Ours: {paper.setting}.", *(f"Published: {source}" for source in others.sources)]
    notes += [f"Not the table's own setting: {', '.join(departures)}."] if departures else []
    notes += [f"{key}: not measured here." for key in paper.columns if key not in shown]
    notes += _trainings(paper, table)
    notes += footnotes(table)
    written = markdown_table(heads, rows, "l" + "r" * (len(heads) - 2) + "l")
    return f"## {markdown_text(paper.title)}\n\n{written}\n\n" + "\n".join(f"- {markdown_text(note)}" for note in notes)


def _trainings(paper: PaperTable, table: Table) -> list[str]:
    """How the weights of each method were trained, where that is known: a file's own header has its last recipe."""
    titles = dict(zip(paper.labels, (row.title for row in paper.methods), strict=True))
    return [
        f"{titles[facts.label]}: {trained}."
        for facts in table.results.methods
        if facts.label in titles and (trained := training_of(facts))
    ]


def _bundled_tables() -> dict[str, Path]:
    folder = bundled("reports") / "tables"
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.toml")}


def _cells(row: Row, paper: PaperTable, table: Table) -> list[str]:
    columns = {column.key: column for column in table.columns}
    return [
        markdown_entry(entry_of(row.cells[key], decimals(table, columns[key]))) if key in columns else NOTHING
        for key in paper.columns
    ]


def _setting(*parts: str) -> str:
    return markdown_text(", ".join(filter(None, parts)))
