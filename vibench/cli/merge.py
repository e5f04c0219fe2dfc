"""The command ``vibench merge``: the shards of a run, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import ends_after_interrupt

INCOMPLETE = 4
"""Exit status of a merge that lacks records."""


def merge(
    runs: Annotated[list[Path], typer.Argument(help="Runs made with --shard, or folders that hold such runs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder or URL for the whole run.")] = Path("merged"),
) -> None:
    """Put the shards of a run together, as if one machine had made it.

    Shards of other data, methods, metrics or protocols are refused, and so are two different records of one case. What
    is missing is named, and the exit status is then 4; the same command continues when more is there. Files are linked
    where the disk allows it, so that nothing takes space twice.
    """
    import vibench

    with ends_after_interrupt():
        merged = vibench.merge(runs, output, say=lambda sentence: typer.echo(sentence, err=True))
    for sentence in merged.sentences():
        typer.secho(f"note: {sentence}", err=True)
    typer.echo(f"run: {merged.run.place} ({merged.records} records)")
    if merged.missing:
        raise typer.Exit(INCOMPLETE)
