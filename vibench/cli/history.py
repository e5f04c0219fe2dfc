"""The command ``vibench history``: speed and quality over the commits of the code, with the steps in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import write_or_print


def history(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Run folders, folders that hold runs, and .jsonl files that regress --append wrote; results if none."
        ),
    ] = None,
    methods: Annotated[
        str, typer.Option("--methods", "-m", help="Methods, separated by commas, with their options. All if empty.")
    ] = "",
    since: Annotated[
        str, typer.Option(help="Only this tag, branch or commit and what came after it; or a date, 2026-01-31.")
    ] = "",
    metrics: Annotated[
        str, typer.Option(help="psnr/hole, frames/s, or a measure of regress, by comma. All if empty.")
    ] = "",
    repository: Annotated[Path, typer.Option(help="Checkout whose commits put the runs in order.")] = Path("."),
    page: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Also write a page with a plot of each series.")
    ] = None,
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead of printing.")] = None,
) -> None:
    """Show how fast and how good methods were over commits, and mark where that changed.

    vibench history results --methods vinet --since v0.1.0 --page history.html

    Only numbers of one machine and device, one protocol and equal cases stand in one series. Steps need
    pip install 'vibench\\[history]'.
    """
    import vibench

    found = vibench.history(sources or [Path("results")], methods, since=since, metrics=metrics, repository=repository)
    write_or_print(vibench.history_text(found, format), output)
    if page is not None:
        typer.echo(f"written: {vibench.write_history(found, page)}", err=True)
