"""The commands ``vibench export`` and ``vibench manifest``: a protocol's cases as files, and as a list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Data, FirstCases, ProtocolName


def export(
    protocol: ProtocolName,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the frames and masks.")],
    data: Data = None,
    limit: FirstCases = None,
) -> None:
    """Write every case's holed frames and masks as PNG, for a program that vibench cannot call.

    Give what that program makes back with the method from_disk.
    """
    import vibench

    for name, frames in vibench.export_cases(vibench.load_protocol(protocol), output, data, limit):
        typer.echo(f"{name}: {frames} frames")


def manifest(
    protocol: ProtocolName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; NAME@VERSION.json here.")
    ] = None,
    data: Data = None,
) -> None:
    """Write clip, frames, mask generator, seed and sha256 of the holes of every case, as JSON."""
    import vibench

    chosen = vibench.load_protocol(protocol)
    path = output or Path(f"{chosen.label}.json")
    typer.echo(f"{vibench.write_manifest(chosen, data, path)} cases: {path}")
