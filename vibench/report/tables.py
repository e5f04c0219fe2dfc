"""The files ``tables.*`` of a report: Markdown to read, CSV and JSON for programs, LaTeX for papers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vibench.files import write_atomically
from vibench.report.grid import Entry, Grid, grid_of
from vibench.report.latex import latex
from vibench.report.numbers import APART, SPEED_HEADS, footnotes
from vibench.results.markdown import markdown_table, markdown_text
from vibench.results.results import Results
from vibench.results.table import Row, Table


def write_tables(tables: Sequence[Table], folder: Path) -> None:
    """Write ``tables.md``, ``tables.csv``, ``tables.tex`` and ``tables.json`` into ``folder``, with equal numbers.

    ``tables`` has one table a protocol. Each file is written whole or not at all.
    """
    writers: dict[str, Callable[[Sequence[Table]], str]] = {
        "md": markdown,
        "csv": csv,
        "tex": latex,
        "json": as_json,
    }
    for ending, writer in writers.items():
        write_atomically(folder / f"tables.{ending}", writer(tables).encode())


def write_values(groups: Sequence[Results], folder: Path) -> None:
    """Write ``values.csv`` into ``folder``: a line for every protocol, method, case, metric and region."""
    import pandas as pd

    frames = []
    for results in groups:
        frame = results.values.copy()
        for name in ("method", "case", "metric", "region"):
            texts = {text: _no_formula(text) for text in frame[name].unique()}
            frame[name] = frame[name].map(texts)
        frame.insert(0, "protocol", results.label)
        frames.append(frame)
    written = pd.concat(frames, ignore_index=True).to_csv(index=False)
    write_atomically(folder / "values.csv", written.encode())


def markdown(tables: Iterable[Table]) -> str:
    """Write one section a protocol: the table and its notes. Several begin by saying that they are not comparable."""
    sections = [_section(table) for table in tables]
    if len(sections) > 1:
        sections.insert(0, f"{APART}\n")
    return "\n".join(sections)


def _section(table: Table) -> str:
    return markdown_grid(grid_of(table, ("knows", "cases", *SPEED_HEADS)))


def markdown_grid(grid: Grid) -> str:
    """Write a section of a grid: its title, the table, and its caption and remarks as a list."""
    heads = [markdown_text(f"{head.text} {head.below}".strip()) for head in grid.heads]
    rows = [[markdown_text(first.text), *(markdown_entry(entry) for entry in rest)] for first, *rest in grid.rows]
    written = markdown_table(heads, rows, "l" + "r" * (len(heads) - 1))
    notes = "\n".join(f"- {markdown_text(note)}" for note in (*grid.caption, *grid.remarks))
    return f"## {markdown_text(grid.title)}\n\n{written}\n\n{notes}\n"


def markdown_entry(entry: Entry) -> str:
    """Write a text with what stands beside it: bold where it is the best, underlined where it is the second."""
    text = markdown_text(entry.text)
    marked = {"best": f"**{text}**", "second": f"<u>{text}</u>", None: text}[entry.mark]
    return f"{marked} {entry.beside}".rstrip()


def csv(tables: Iterable[Table]) -> str:
    """Write tidy CSV in full precision: one line a protocol, method, metric and region."""
    import pandas as pd

    frame = pd.concat([table.frame() for table in tables], ignore_index=True)
    return str(frame.map(_no_formula).to_csv(index=False))


def _no_formula(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe, which makes it a text there as well."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_json(tables: Iterable[Table]) -> str:
    """Write everything for programs: means, intervals, cases, speed, warnings and notes, in full precision."""
    return json.dumps([_plain(table) for table in tables], indent=1, ensure_ascii=False) + "\n"


def _plain(table: Table) -> dict[str, Any]:
    return {
        "protocol": table.results.label,
        "sees": "everything" if table.results.sees_everything else "holed",
        "composite": "holes" if table.results.composited else "none",
        "protocol_digest": table.results.runs[0].protocol_digest,
        "runs": [run.digest for run in table.results.runs],
        "cases": list(table.results.cases),
        "compared_cases": {key: list(cases) for key, cases in table.compared.items()},
        "columns": [
            {"key": column.key, "region": column.region, **column.metric.model_dump()} for column in table.columns
        ],
        "comparisons": table.comparisons,
        "holm": table.holm,
        "rows": [_plain_row(row) for row in table.rows],
        "notes": footnotes(table),
    }


def _plain_row(row: Row) -> dict[str, Any]:
    """Give a row as it is, and in each cell how the interval was made or why there is none."""
    plain = asdict(row) | {"speed": asdict(row.speed) if row.speed else None}
    for key, cell in row.cells.items():
        plain["cells"][key]["interval"] = cell.estimate.interval_kind if cell.estimate else ""
    return plain
