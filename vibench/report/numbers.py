"""Tables written down: Markdown, CSV, LaTeX, JSON, and for the terminal. All show the same numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibench.files import replacing
from vibench.machine.facts import differing_facts
from vibench.results.record import TRUTH
from vibench.results.results import Results
from vibench.results.statistics import TOO_FEW, Estimate
from vibench.results.store import Store
from vibench.results.table import Cell, Column, Row, Table, tabulate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

FLOOR_NAME = "truth (floor)"
NOTHING = "–"
SPEED_HEADS = ("frames/s", "p50 ms", "p90 ms", "p99 ms", "first ms", "memory MB")


def write_tables(tables: list[Table], folder: Path) -> None:
    """``tables.md``, ``.csv``, ``.tex`` and ``.json`` in ``folder``; each protocol keeps its own table."""
    writers: dict[str, Callable[[list[Table]], str]] = {
        "md": markdown,
        "csv": csv,
        "tex": latex,
        "json": as_json,
    }
    for ending, writer in writers.items():
        with replacing(folder / f"tables.{ending}") as partial:
            partial.write_text(writer(tables), encoding="utf-8")


def decimals(table: Table, column: Column) -> int:
    """Digits after the point: two for decibels, else enough for three significant ones of the smallest mean, 4 to 7."""
    if column.metric.unit == "dB":
        return 2
    means = [abs(cell.estimate.mean) for row in table.rows if (cell := row.cells[column.key]).estimate]
    return places(min((mean for mean in means if mean > 0), default=1.0))


def places(value: float) -> int:
    """Digits after the point that show three significant ones of ``value`` > 0: at least 4, at most 7."""
    return min(7, max(4, 2 - math.floor(math.log10(value))))


def number(value: float, digits: int) -> str:
    """A number with a true minus sign and no minus zero."""
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text.replace("-", "−")


def interval(found: Estimate, digits: int) -> str:
    """``[low, high]``; with a dagger where so few clips stand behind it that it is rough; ``one clip`` where there is none.

    A number of a whole set of clips has none: ``± deviation`` over seeded repeats, or nothing where there is one set.
    """
    if found.spread:
        return f"± {number(found.spread.deviation, digits)}"
    if found.low is None or found.high is None:
        return "one clip" if found.count == 1 else ""
    return f"[{number(found.low, digits)}, {number(found.high, digits)}]" + ("†" if found.too_few else "")


def speed_texts(row: Row) -> tuple[str, ...]:
    """Cells under ``SPEED_HEADS``."""
    speed = row.speed
    if speed is None:
        return (NOTHING,) * len(SPEED_HEADS)
    times = (speed.p50_seconds, speed.p90_seconds, speed.p99_seconds, speed.first_frame_seconds)
    memory = f"{speed.host_bytes / 1e6:.0f}"
    if speed.device_bytes is not None:
        memory += f" + {speed.device_bytes / 1e6:.0f} device"
    return (
        significant(speed.frames_per_second.mean),
        *(significant(1000 * seconds) + ("" if speed.per_frame else "*") for seconds in times[:3]),
        significant(1000 * times[3]),
        memory,
    )


def significant(value: float) -> str:
    """Three significant digits without an exponent."""
    if value <= 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def cases_text(row: Row, table: Table) -> str:
    """``18/20, 2 failed``."""
    parts = [f"{row.done}/{len(table.results.cases)}"]
    if row.failed:
        parts.append(f"{len(row.failed)} failed")
    if row.missing and not row.is_floor:
        parts.append(f"{len(row.missing)} not run")
    return ", ".join(parts)


def footnotes(table: Table) -> list[str]:
    """Every sentence a reader of the numbers must have, in one order for all writers."""
    results = table.results
    average = "mean over all frames of all clips" if results.averages_frames else "frame mean, then clip mean"
    notes = [
        f"Protocol {results.label}, {len(results.cases)} {'case' if len(results.cases) == 1 else 'cases'}; {average}, over the cases that every method with a "
        + "value has; brackets: 95 % bootstrap interval over clips.",
        "Best is bold and second underlined only where the paired differences to every method behind exclude zero "
        + "(95 %, not corrected for the number of comparisons).",
    ]
    notes += [f"{row.method}: {row.warning}" for row in table.rows if row.warning]
    notes += [f"{key}: {len(cases)} of {len(results.cases)} cases left out ({_some(cases)})." for key, cases in table.left_out().items()]  # fmt: skip
    for row in table.rows:
        notes += [f"{row.method} failed on {case}: {message}" for case, message in row.failed.items()]
    if any(cell.estimate.too_few and cell.estimate.low is not None for cell in _cells(table) if cell.estimate):
        notes.append(f"† fewer than {TOO_FEW} clips: the interval (Student's t) is rough.")
    if any(row.speed and not row.speed.per_frame for row in table.rows):
        notes.append("* percentiles of clip means: this method fills whole clips, so single frames cannot be timed.")
    notes += [f"{key}: {note}." for key, said in table.notes.items() for note in said]
    notes += _unmeasured(results)
    if differing := differing_facts(run.machine for run in results.runs):
        notes.append(f"Times are from different machines ({', '.join(differing)}) and must not be compared.")
    return [*notes, *results.notes]


APART = "These tables follow different protocols: a number of one must not be compared with a number of another."


def markdown(tables: Iterable[Table]) -> str:
    """One section a protocol; several say that they are not to be compared."""
    sections = []
    for table in tables:
        heads = ["method", *(_head(column) for column in table.columns), "cases", *SPEED_HEADS]
        lines = [markdown_row(heads), markdown_row(["---", *["---:"] * (len(heads) - 1)])]
        for row in table.rows:
            cells = [markdown_cell(row.cells[column.key], decimals(table, column)) for column in table.columns]
            lines.append(markdown_row([markdown_text(_name(row)), *cells, cases_text(row, table), *speed_texts(row)]))
        notes = "\n".join(f"- {markdown_text(note)}" for note in footnotes(table))
        sections.append(f"## {markdown_text(table.results.label)}\n\n" + "\n".join(lines) + f"\n\n{notes}\n")
    if len(sections) > 1:
        sections.insert(0, f"{APART}\n")
    return "\n".join(sections)


def csv(tables: Iterable[Table]) -> str:
    """Tidy: one line a protocol, method, metric and region; full precision."""
    import pandas as pd

    return str(pd.concat([table.frame() for table in tables], ignore_index=True).to_csv(index=False))


def latex(tables: Iterable[Table]) -> str:
    """One ``table`` environment a protocol, for booktabs; nothing else is needed in the preamble."""
    written = [_latex_table(table) for table in tables]
    head = ["% \\usepackage{booktabs}", *([f"% {APART}"] if len(written) > 1 else [])]
    return "\n".join([*head, *written])


def as_json(tables: Iterable[Table]) -> str:
    """Everything, for programs: means, intervals, cases, speed, warnings and notes."""
    return json.dumps([_plain(table) for table in tables], indent=1, ensure_ascii=False) + "\n"


def print_summary(run: Store) -> None:
    """The run's table on standard output, by rich."""
    from rich.console import Console
    from rich.text import Text

    table = tabulate(Results.of(run.info, run.records()))
    console = Console()
    for part in _fitting(table, console):
        console.print(part)
    for note in footnotes(table):
        warned = any(row.warning and note.startswith(f"{row.method}: ") for row in table.rows)
        console.print(Text(note, style="bold red" if warned else "dim"))


def terminal(table: Table, columns: Sequence[Column] | None = None) -> RichTable:
    """A rich table of ``columns`` (None: all): means with intervals under them; cases and speed end it."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    columns = table.columns if columns is None else columns
    drawn = RichTable(box=box.SIMPLE_HEAD, title=Text(table.results.label), title_justify="left")
    drawn.add_column("method", no_wrap=True)
    for head in (*(_head(column, "\n") for column in columns), "cases", SPEED_HEADS[0]):
        drawn.add_column(head, justify="right", no_wrap=True)
    for row in table.rows:
        style = "dim" if row.is_floor else "red" if row.warning or row.failed else ""
        cells = [_terminal_cell(row.cells[column.key], decimals(table, column)) for column in columns]
        drawn.add_row(Text(_name(row), style=style), *cells, cases_text(row, table), speed_texts(row)[0])
    return drawn


def _fitting(table: Table, console: Console) -> Iterator[RichTable]:
    """As many tables, each with the next columns, as it takes to cut nothing off at the console's width."""
    part: list[Column] = []
    for column in table.columns:
        wider = terminal(table, [*part, column])
        if part and console.measure(wider, options=console.options.update(width=10_000)).maximum > console.width:
            yield terminal(table, part)
            part = []
        part.append(column)
    yield terminal(table, part)


def _name(row: Row) -> str:
    return FLOOR_NAME if row.is_floor else row.method


def _head(column: Column, space: str = " ") -> str:
    unit = f", {column.metric.unit}" if column.metric.unit else ""
    return f"{column.metric.name}{space}{column.region}{unit} {column.arrow}"


def _terminal_cell(cell: Cell, digits: int) -> Any:
    from rich.text import Text

    if cell.estimate is None:
        return Text(NOTHING, style="dim")
    style = {"best": "bold", "second": "underline", None: ""}[cell.mark]
    beside = interval(cell.estimate, digits)
    mean = Text(number(cell.estimate.mean, digits), style=style)
    return mean.append(f"\n{beside}", style="not bold not underline dim") if beside else mean


def markdown_row(cells: Iterable[str]) -> str:
    """One row of a Markdown table; cells are already text that Markdown reads as such."""
    return "| " + " | ".join(cells) + " |"


_MARKDOWN = {character: f"\\{character}" for character in "\\`*_[]#~"} | {
    "<": "&lt;",
    ">": "&gt;",
    "|": "&#124;",
    "&": "&amp;",
}


def markdown_text(text: str) -> str:
    """Text that no Markdown renderer reads as anything else, on one line."""
    return "".join(_MARKDOWN.get(character, character) for character in " ".join(text.split()))


def markdown_cell(cell: Cell, digits: int) -> str:
    """Mean, bold or underlined where its mark says so, with its interval."""
    if cell.estimate is None:
        return NOTHING
    mean = number(cell.estimate.mean, digits)
    marked = {"best": f"**{mean}**", "second": f"<u>{mean}</u>", None: mean}[cell.mark]
    return f"{marked} {interval(cell.estimate, digits)}".rstrip()


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "−": "$-$", "–": "--", "†": r"$^\dagger$", "×": r"$\times$", "±": r"$\pm$",
}  # fmt: skip


def latex_text(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def _latex_cell(cell: Cell, digits: int) -> str:
    if cell.estimate is None:
        return "--"
    mean = latex_text(number(cell.estimate.mean, digits))
    marked = {"best": f"\\textbf{{{mean}}}", "second": f"\\underline{{{mean}}}", None: mean}[cell.mark]
    beside = latex_text(interval(cell.estimate, digits))
    # Braces: a row that began with [ would be read as the length argument of the \\ before it.
    return f"{marked} {{\\scriptsize {beside}}}" if beside else marked


def _latex_row(cells: Iterable[str]) -> str:
    return "  " + " & ".join(cells) + r" \\"


def _latex_table(table: Table) -> str:
    heads = ["method", *(_head(column) for column in table.columns), "cases", SPEED_HEADS[0]]
    lines = [r"\begin{table}", r"  \centering", rf"  \begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"  \toprule"]
    lines += [_latex_row(latex_text(head) for head in heads), r"  \midrule"]
    for row in table.rows:
        if row.is_floor:
            lines.append(r"  \midrule")
        cells = [_latex_cell(row.cells[column.key], decimals(table, column)) for column in table.columns]
        rest = (cases_text(row, table), speed_texts(row)[0])
        lines.append(_latex_row([latex_text(_name(row)), *cells, *(latex_text(text) for text in rest)]))
    caption = " ".join(note if note.endswith(".") else f"{note}." for note in footnotes(table))
    lines += [r"  \bottomrule", r"  \end{tabular}", rf"  \caption{{{latex_text(caption)}}}", r"\end{table}", ""]
    return "\n".join(lines)


def _plain(table: Table) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "protocol": table.results.label,
        "protocol_digest": table.results.runs[0].protocol_digest,
        "runs": [run.digest for run in table.results.runs],
        "cases": list(table.results.cases),
        "compared_cases": {key: list(cases) for key, cases in table.compared.items()},
        "columns": [
            {"key": column.key, "region": column.region, **column.metric.model_dump()} for column in table.columns
        ],
        "rows": [asdict(row) for row in table.rows],
        "notes": footnotes(table),
    }


def _cells(table: Table) -> list[Cell]:
    return [cell for row in table.rows for cell in row.cells.values()]


def _unmeasured(results: Results) -> Iterator[str]:
    """Why a metric has no value at all of a method, or of any."""
    measured = {(record.method, name) for record in results.records for name in record.metrics}
    lacking: dict[tuple[str, str], list[str]] = {}
    for record in results.records:
        for name, reason in record.unavailable.items():
            methods = lacking.setdefault((name, reason), [])
            if record.method != TRUTH and record.method not in methods and (record.method, name) not in measured:
                methods.append(record.method)
    names = {name for _, name in measured}
    for (name, reason), methods in lacking.items():
        if methods:
            yield f"{name}{f' of {_some(tuple(methods))}' if name in names else ''} was not measured: {reason}."


def _some(cases: tuple[str, ...], at_most: int = 5) -> str:
    return ", ".join(cases[:at_most]) + (f" and {len(cases) - at_most} more" if len(cases) > at_most else "")
