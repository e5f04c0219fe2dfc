"""The command ``vibench report``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold runs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page and tables.")] = Path("report"),
    jobs: Annotated[
        int, typer.Option(min=1, help="Cases whose pictures are made side by side; each takes some 250 MB.")
    ] = min(4, os.cpu_count() or 1),
    holm: Annotated[bool, typer.Option("--holm", help="Correct each table's tests for their number (Holm).")] = False,
) -> None:
    """Write a self-contained page (index.html) and tables as Markdown, CSV, LaTeX and JSON."""
    import vibench

    typer.echo(f"report: {vibench.write_report(runs, output, jobs, holm=holm)}")
