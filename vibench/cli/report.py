"""The commands ``vibench report``, ``figure``, ``video`` and ``frames``: runs shown as a page, a picture or a film."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

OneRun = Annotated[Path, typer.Argument(metavar="RUN", help="One run folder, as vibench list runs prints it.")]
CaseName = Annotated[str, typer.Argument(help="Name of a case, as the report shows it.")]
Shown = Annotated[str, typer.Option("--methods", "-m", help="Methods of the run by comma; all when left out.")]


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold runs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page and tables.")] = Path("report"),
    jobs: Annotated[
        int, typer.Option(min=1, help="Cases whose pictures are made side by side; each takes some 250 MB.")
    ] = min(4, os.cpu_count() or 1),
    holm: Annotated[bool, typer.Option("--holm", help="Correct each table's tests for their number (Holm).")] = False,
    cases: Annotated[
        str, typer.Option(help="Of more than 100 cases, show those too whose name holds one of these texts; or all.")
    ] = "",
) -> None:
    """Write a self-contained page (index.html) and tables as Markdown, CSV, LaTeX and JSON.

    Of more than 100 cases, pages and pictures are made of the best, worst and middle ones; give the same command with
    --cases for others, and only their pictures are made.
    """
    import vibench

    typer.echo(f"report: {vibench.write_report(runs, output, jobs, holm=holm, cases=cases)}")


def figure(
    run: OneRun,
    case: CaseName,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: .png, .pdf or .svg.")],
    kind: Annotated[
        str, typer.Option(help="strip, slice (one row through time) or difference (to the truth).")
    ] = "strip",
    methods: Shown = "",
    frames: Annotated[int, typer.Option(min=1, max=16, help="How many frames a strip or difference shows.")] = 4,
    row: Annotated[
        int | None,
        typer.Option(min=0, help="Row of the slice; when left out, the row that crosses most of the hole."),
    ] = None,
) -> None:
    """Draw one case at print size: a film strip, one row through time, or the difference to the truth."""
    import vibench

    vibench.write_figure(run, case, output, kind, methods, frames, row)
    typer.echo(f"figure: {output}")


def frames(
    run: OneRun,
    method: Annotated[str, typer.Argument(help="A method of the run; or input, truth or holes.")],
    case: CaseName,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder for PNG images, or a video: .mp4, .mov, .m4v, or .mkv, lossless."),
    ],
) -> None:
    """Take the frames of one method on one case out of a run, as images or as a video."""
    import vibench

    typer.echo(f"{vibench.write_frames(run, method, case, output)} frames: {output}")


def video(
    run: OneRun,
    case: CaseName,
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write: .mp4, .mov or .m4v.")],
    methods: Shown = "",
) -> None:
    """Write one video of a case: input, methods and truth side by side, in step, each under its name."""
    import vibench

    typer.echo(f"{vibench.write_video(run, case, output, methods)} frames: {output}")
