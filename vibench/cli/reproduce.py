"""The command ``vibench reproduce``: runs what a paper's table needs, and writes it with the published figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vibench.cli.options import Device
from vibench.errors import MissingResource

if TYPE_CHECKING:
    from vibench.results.store import Store
    from vibench.runner.order import Order
    from vibench.runner.run import Listener


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
    from vibench.cli.progress import progress
    from vibench.machine.device import resolve
    from vibench.plugins import Spec
    from vibench.protocol import load_protocol
    from vibench.report.paper_table import load_paper_table, paper_tables, write_paper_table
    from vibench.runner.order import Order, repeats_named

    if table == "list":
        for name, title in paper_tables().items():
            typer.echo(f"{name:<18}  {title}")
        return
    paper = load_paper_table(table)
    specs = tuple(Spec.parse(row.name) for row in paper.methods)
    chosen = load_protocol(protocol or paper.protocol)
    repeats = repeats_named(seeds, chosen)
    order = Order(chosen, specs, paper.metrics, output, data, resolve(device), limit, seeds=repeats)
    with progress() as listener:
        store = _complete(order, listener)
    departures = ["the first case only" if limit == 1 else f"the first {limit} cases only"] if limit else []
    departures += [f"repeats {seeds} of {chosen.repeats} only"] if repeats else []
    written = write_paper_table(table, store.folder, departures)
    typer.echo(f"{written.text}\n\ntable: {written.path}")


def _complete(order: Order, listener: Listener) -> Store:
    """Run what is missing; score what an earlier run of the same methods was not asked to measure."""
    from vibench.runner.rescore import rescore
    from vibench.runner.run import run

    store = run(order, listener)
    known = {facts.name for facts in store.info.metrics}
    lacking = tuple(name for name in order.metrics if name not in known and _can_measure(name, order.device))
    return rescore(store.folder, lacking, order.data, order.device, listener) if lacking else store


def _can_measure(metric: str, device: str) -> bool:
    """Whether its weights are there; where they are not, the records already say so."""
    from vibench import plugins

    try:
        plugins.make("metrics", plugins.Spec.parse(metric), device=device)
    except MissingResource:
        return False
    return True
