"""The commands ``vibench figure`` and ``vibench video``: pictures of one case for papers and talks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="One run folder, as `vibench list runs` prints it.")]
CaseName = Annotated[str, typer.Argument(help="Name of a case, as the report shows it.")]
Shown = Annotated[str, typer.Option("--methods", "-m", help="Methods of the run by comma; all when left out.")]


def figure(
    run: Run,
    case: CaseName,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: .png, .pdf or .svg.")],
    kind: Annotated[str, typer.Option(help="strip, slice (one row through time) or difference (to the truth).")] = "strip",
    methods: Shown = "",
    frames: Annotated[int, typer.Option(min=1, max=16, help="How many frames a strip or difference shows.")] = 4,
    row: Annotated[int | None, typer.Option(min=0, help="Row of the slice; that with most hole when left out.")] = None,
) -> None:  # fmt: skip
    """Draw one case at print size: a film strip, one row through time, or the difference to the truth."""
    from vibench.files import disk_errors
    from vibench.plugins import split_outside_brackets
    from vibench.report.figure import write_figure
    from vibench.results.kept_case import load_case

    kept = load_case(run, case, split_outside_brackets(methods))
    with disk_errors(output.parent):
        write_figure(output, kept, kind, frames, row)
    typer.echo(f"figure: {output}")


def video(
    run: Run,
    case: CaseName,
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write: .mp4, .mov or .m4v.")],
    methods: Shown = "",
) -> None:
    """Write one video of a case: input, methods and truth side by side, in step, each under its name."""
    from vibench.files import disk_errors
    from vibench.plugins import split_outside_brackets
    from vibench.report.film import write_side_by_side
    from vibench.results.kept_case import load_case

    kept = load_case(run, case, split_outside_brackets(methods))
    with disk_errors(output.parent):
        count = write_side_by_side(output, kept)
    typer.echo(f"{count} frames: {output}")
