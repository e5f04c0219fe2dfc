"""Tables in a terminal, drawn by rich: a run's results, and the comparison of two methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vibench.report.numbers import (
    NOTHING,
    SPEED_HEADS,
    cases_text,
    column_head,
    decimals,
    footnotes,
    interval,
    knows_text,
    number,
    row_name,
    speed_texts,
)
from vibench.results.results import Results
from vibench.results.store import Store
from vibench.results.table import Cell, Column, Table, tabulate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

UNBOUNDED = 10_000
"""A width in characters that no table reaches."""


def print_summary(run: Store) -> None:
    """Print the table of a run and its notes on standard output; warnings are red."""
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
    """Return a rich table of ``columns``, of all where it is None: means with their intervals, then cases and speed."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    columns = table.columns if columns is None else columns
    drawn = RichTable(box=box.SIMPLE_HEAD, title=Text(table.results.label), title_justify="left")
    drawn.add_column("method", no_wrap=True)
    for head in (*(column_head(column, "\n") for column in columns), "knows", "cases", SPEED_HEADS[0]):
        drawn.add_column(head, justify="right", no_wrap=True)
    for row in table.rows:
        style = "dim" if row.is_floor else "red" if row.warning or row.failed else ""
        cells = [_cell(row.cells[column.key], decimals(table, column)) for column in columns]
        drawn.add_row(
            Text(row_name(row), style=style), *cells, Text(knows_text(row)), cases_text(row, table), speed_texts(row)[0]
        )
    return drawn


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write columns of equal width as plain text, however wide: for output that a pipe or a file may take."""
    from rich.console import Console
    from rich.table import Table as RichTable

    drawn = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for head in heads:
        drawn.add_column(head, no_wrap=True)
    for row in rows:
        drawn.add_row(*row)
    # Names are text: square brackets in them are no markup.
    console = Console(width=UNBOUNDED, color_system=None, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        console.print(drawn)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _fitting(table: Table, console: Console) -> Iterator[RichTable]:
    """Draw as many tables, each with the next columns, as it takes to cut nothing off at the console's width."""
    part: list[Column] = []
    for column in table.columns:
        wider = terminal(table, [*part, column])
        if part and console.measure(wider, options=console.options.update(width=UNBOUNDED)).maximum > console.width:
            yield terminal(table, part)
            part = []
        part.append(column)
    yield terminal(table, part)


def _cell(cell: Cell, digits: int) -> Any:
    """Draw a mean over its interval; the style of the mean is its mark."""
    from rich.text import Text

    if cell.estimate is None:
        return Text(NOTHING, style="dim")
    style = {"best": "bold", "second": "underline", None: ""}[cell.mark]
    beside = interval(cell.estimate, digits)
    mean = Text(number(cell.estimate.mean, digits), style=style)
    return mean.append(f"\n{beside}", style="not bold not underline dim") if beside else mean
