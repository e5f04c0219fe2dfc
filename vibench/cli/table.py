"""The command ``vibench table``: chosen metrics and methods of runs as the table of a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import write_or_print
from vibench.errors import InputError


def table(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold runs.")],
    metrics: Annotated[
        str,
        typer.Option(
            help="Columns by comma, as psnr/hole,lpips-alex/hole; also frames/s, cases, knows. All metrics if empty."
        ),
    ] = "",
    rows: Annotated[
        str, typer.Option(help="Methods by comma, in the order of the rows; truth for its floor. All if empty.")
    ] = "",
    format: Annotated[str, typer.Option(help="latex, markdown, csv or typst.")] = "latex",
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="METHOD:NAME", help="Show a method under another name: 'vinet:VINet (ours)'; repeatable."),
    ] = None,
    intervals: Annotated[bool, typer.Option("--intervals", help="Put its 95 % interval beside each mean.")] = False,
    holm: Annotated[bool, typer.Option("--holm", help="Correct the table's tests for their number (Holm).")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead of printing.")] = None,
) -> None:
    """Write a table for a paper: the field's names, significant differences marked, a caption that says the rule.

    vibench table RUN --metrics psnr/hole,lpips-alex/hole,frames/s --rows telea,vinet > table.tex

    Means are over the cases that all of the table's methods have, and marks compare these methods alone. LaTeX needs
    booktabs and fits a two-column page; Typst needs nothing.
    """
    import vibench

    names = dict(_renamed(entry) for entry in name or ())
    text = vibench.table_text(runs, metrics, rows, format, names=names, intervals=intervals, holm=holm)
    write_or_print(text, output)


def _renamed(entry: str) -> tuple[str, str]:
    method, colon, shown = entry.rpartition(":")
    if not colon or not method.strip() or not shown.strip():
        raise InputError(f"--name {entry!r} is no METHOD:NAME, such as 'vinet:VINet (ours)'")
    return method.strip(), shown.strip()
