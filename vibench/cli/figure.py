"""The commands ``vibench figure`` and ``vibench video``: pictures of one case for papers and talks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="One run folder, as vibench list runs prints it.")]
CaseName = Annotated[str, typer.Argument(help="Name of a case, as the report shows it.")]
Shown = Annotated[str, typer.Option("--methods", "-m", help="Methods of the run by comma; all when left out.")]


def figure(
    run: Run,
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
    from vibench.plugins import split_outside_brackets
    from vibench.report.figure import write_figure

    write_figure(run, case, output, kind, split_outside_brackets(methods), frames, row)
    typer.echo(f"figure: {output}")


def video(
    run: Run,
    case: CaseName,
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write: .mp4, .mov or .m4v.")],
    methods: Shown = "",
) -> None:
    """Write one video of a case: input, methods and truth side by side, in step, each under its name."""
    from vibench.plugins import split_outside_brackets
    from vibench.report.film import write_video

    count = write_video(run, case, output, split_outside_brackets(methods))
    typer.echo(f"{count} frames: {output}")
