"""The command ``vibench list``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.errors import InputError

KINDS = ("methods", "metrics", "masks", "protocols", "datasets", "runs")


def list_things(
    kind: Annotated[str, typer.Argument(help="methods, metrics, masks, protocols, datasets or runs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where runs are looked for.")] = Path("results"),
) -> None:
    """Print what there is of one kind: name, and a line about it."""
    import vibench

    if kind not in KINDS:
        raise InputError(f"nothing called {kind!r} can be listed; choose one of {', '.join(KINDS)}")
    found = vibench.list_runs(output) if kind == "runs" else getattr(vibench, f"list_{kind}")()
    for name, about, options in found:
        typer.echo(f"{name:<24}  {about}" + (f"  [{', '.join(options)}]" if options else ""))
