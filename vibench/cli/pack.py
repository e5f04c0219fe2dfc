"""The command ``vibench pack``: a run as one file, for handing on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Overwrite, refuse_to_replace


def pack(
    run: Annotated[Path, typer.Argument(help="Folder of a run, as vibench list runs prints it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .tar.zst, or .parquet for a table.")],
    frames: Annotated[bool, typer.Option(help="Kept frames too, in a .tar.zst.")] = True,
    overwrite: Overwrite = False,
) -> None:
    """Put a run into one file, for handing on; report, compare and the other commands read it like a folder.

    A .tar.zst has all files of the run but tracebacks, which name folders of this machine. A .parquet is a table of its
    records, for whatever reads such tables: a row a record, with the mean of each metric and region. To have the files
    in a folder again: vibench merge FILE --output FOLDER.
    """
    import vibench

    refuse_to_replace(output, overwrite)
    written = vibench.pack(run, output, frames=frames)
    typer.echo(f"written: {written} ({written.stat().st_size / 1e6:.1f} MB)")
