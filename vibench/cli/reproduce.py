"""The command ``vibench reproduce``: runs what a paper's table needs and writes it with the published figures beside ours."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Device


def reproduce(
    table: Annotated[str, typer.Argument(help="Name of a table, or a .toml file; `list` prints the names.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the protocol's data set, where it is not bundled.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that holds runs.")] = Path("results"),
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="Another protocol than the table's own.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")] = None,
    seeds: Annotated[str, typer.Option(help="Only these of the protocol's seeded repeats, by comma, from 0.")] = "",
    device: Device = "auto",
) -> None:
    """Run what is missing for a paper's table, then write it: ours, the published figures, and how both were measured.

    The table goes to the terminal and into the run's folder. The same command again continues and runs nothing twice.
    """
    import vibench
    from vibench.cli.progress import progress
    from vibench.files import disk_errors, slug, write_atomically
    from vibench.plugins import Spec
    from vibench.report.paper_table import load_plan, published, tables, written
    from vibench.results.table import tabulate

    if table == "list":
        for name, title in tables().items():
            typer.echo(f"{name:<18}  {title}")
        return
    plan = load_plan(table)
    specs = tuple(Spec.parse(entry.name) for entry in plan.methods)
    chosen = vibench.load_protocol(protocol or plan.protocol)
    with progress() as listener:
        done = vibench.run(
            chosen,
            [spec.label for spec in specs],
            output=output,
            metrics=plan.metrics,
            data=data,
            device=device,
            limit=limit,
            seeds=seeds,
            listener=listener,
            command=shlex.join(["vibench", *sys.argv[1:]]),
        )
    other = [f"protocol {chosen.label} instead of {plan.protocol}"] if chosen.label != plan.protocol else []
    other += ["the first case only" if limit == 1 else f"the first {limit} cases only"] if limit else []
    other += [f"repeats {seeds} of {chosen.repeats} only"] if seeds else []
    measured = tabulate(done.results)
    text = written(plan, [spec.label for spec in specs], measured, published(plan), ", ".join(other))
    path = done.folder / "reproduced" / f"{slug(table.removesuffix('.toml'))}.md"
    with disk_errors(done.folder):
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, f"{text}\n".encode())
    typer.echo(f"{text}\n\ntable: {path}")
