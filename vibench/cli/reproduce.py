"""The command ``vibench reproduce``: runs what a paper's table needs and writes it with the published figures."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Data, Device, FirstCases, ends_after_interrupt


def reproduce(
    table: Annotated[str, typer.Argument(help="Name of a table, or a .toml file; the word list prints the names.")],
    data: Data = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that holds runs.")] = Path("results"),
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="Another protocol than the table's own.")] = "",
    limit: FirstCases = None,
    seeds: Annotated[str, typer.Option(help="Only these of the protocol's seeded repeats, by comma, from 0.")] = "",
    device: Device = "auto",
) -> None:
    """Run what is missing for a paper's table, then write it: our figures, those published, and how both were made.

    The table goes to the terminal and into the run's folder. The same command again continues and runs nothing twice.
    """
    import vibench
    from vibench.cli.progress import progress

    if table == "list":
        for name, title in vibench.paper_tables().items():
            typer.echo(f"{name:<18}  {title}")
        return
    paper = vibench.load_paper_table(table)
    chosen = vibench.load_protocol(protocol or paper.protocol)
    with progress() as listener, ends_after_interrupt():
        done = vibench.run(
            chosen,
            [row.name for row in paper.methods],
            output=output,
            metrics=paper.metrics,
            data=data,
            device=device,
            limit=limit,
            seeds=seeds,
            listener=listener,
            command=shlex.join(["vibench", *sys.argv[1:]]),
        )
    departures = ["the first case only" if limit == 1 else f"the first {limit} cases only"] if limit else []
    departures += [f"repeats {seeds} of {chosen.repeats} only"] if seeds else []
    written = vibench.write_paper_table(table, done.folder, departures)
    typer.echo(f"{written.text}\n\ntable: {written.path}")
