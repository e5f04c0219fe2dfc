"""The command ``vibench reproduce``: runs what a paper's table needs and writes it with the published figures."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Data, Device, FirstCases
from vibench.cli.run import SOME_FAILED

STOPPED = 130
"""Exit status after Ctrl-C, as of any command in a shell."""


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
    How long filling takes is said first. After Ctrl-C the table of what is there is written, and the exit status is
    130; it is 4 where a method failed on a case.
    """
    import vibench
    from vibench.cli.progress import progress

    if table == "list":
        for name, title in vibench.paper_tables().items():
            typer.echo(f"{name:<18}  {title}")
        return
    paper = vibench.load_paper_table(table)
    chosen = vibench.load_protocol(protocol or paper.protocol)
    methods = [row.name for row in paper.methods]
    typer.echo(vibench.fill_forecast(chosen, methods, data=data, device=device, limit=limit, seeds=seeds), err=True)
    folder = None
    with progress() as listener:
        try:
            done = vibench.run(
                chosen,
                methods,
                output=output,
                metrics=paper.metrics,
                data=data,
                device=device,
                limit=limit,
                seeds=seeds,
                listener=listener,
                command=shlex.join(["vibench", *sys.argv[1:]]),
            )
            folder = done.folder
        except KeyboardInterrupt:
            pass
    departures = ["the first case only" if limit == 1 else f"the first {limit} cases only"] if limit else []
    departures += [f"repeats {seeds} of {chosen.repeats} only"] if seeds else []
    if folder is None:
        begun = vibench.begun_run(table, output, chosen.label)
        if begun is not None:
            written = vibench.write_paper_table(table, begun, [*departures, "stopped before its end"])
            typer.echo(f"{written.text}\n\npartial table: {written.path}")
        typer.echo("stopped; everything finished is kept, and the same command continues", err=True)
        raise typer.Exit(STOPPED)
    written = vibench.write_paper_table(table, folder, departures)
    typer.echo(f"{written.text}\n\ntable: {written.path}")
    if failures := done.failures:
        typer.echo(f"{len(failures)} records failed, which the table says", err=True)
        raise typer.Exit(SOME_FAILED)
