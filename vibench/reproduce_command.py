"""The command ``vibench reproduce``: runs what a paper's table needs and writes it with the published figures beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def reproduce(
    table: Annotated[str, typer.Argument(help="Name of a table, or a .toml file; `list` prints the names.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the protocol's data set, where it is not bundled.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that holds runs.")] = Path("results"),
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="Another protocol than the table's own.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Run what is missing for a paper's table, then write it: ours, the published figures, and how both were measured.

    The table goes to the terminal and into the run's folder. The same command again continues and runs nothing twice.
    """
    from vibench.atomic import replacing
    from vibench.device import resolve
    from vibench.order import Order
    from vibench.plugins import Spec
    from vibench.progress import progress
    from vibench.protocol import load_protocol
    from vibench.reproduction import load_plan, published, tables, written
    from vibench.results import Results
    from vibench.run import run
    from vibench.store import disk_errors, slug
    from vibench.table import tabulate

    if table == "list":
        for name, title in tables().items():
            typer.echo(f"{name:<16}  {title}")
        return
    plan = load_plan(table)
    specs = tuple(Spec.parse(entry.name) for entry in plan.methods)
    chosen = load_protocol(protocol or plan.protocol)
    metrics = chosen.scoring.metrics if protocol else plan.metrics
    order = Order(chosen, specs, metrics, output, data, resolve(device), limit)
    with progress() as listener:
        store = run(order, listener)
    other = [f"protocol {chosen.label} instead of {plan.protocol}"] if protocol else []
    other += [f"the first {limit} cases only"] if limit else []
    measured = tabulate(Results.of(store.info, store.records()))
    text = written(plan, [spec.label for spec in specs], measured, published(plan), ", ".join(other))
    path = store.folder / "reproduced" / f"{slug(table.removesuffix('.toml'))}.md"
    with disk_errors(store.folder):
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    typer.echo(f"{text}\n\ntable: {path}")
