"""The commands ``vibench data check`` and ``vibench data fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check a data set against its card, or fetch it.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A data set of [bold]vibench list datasets[/bold].")]


@app.command()
def check(
    name: Name,
    data: Annotated[Path | None, typer.Option(help="Folder of the data set, where it is not bundled.")] = None,
    split: Annotated[str | None, typer.Option(help="Split; the card's default one when left out.")] = None,
) -> None:
    """Read every clip and compare layout, counts, sizes and checksums with the card."""
    from vibench.data.copy import check as sentences

    for sentence in sentences(name, data, split):
        typer.echo(sentence)


@app.command()
def fetch(
    name: Name,
    data: Annotated[Path, typer.Option(help="Folder to unpack into.")],
    sha256: Annotated[str | None, typer.Option(help="Checksum of the archive, where the card knows none.")] = None,
) -> None:
    """Download a data set that has a direct address, check its sha256 and unpack it. Read its licence first."""
    from vibench.data.copy import fetch as fetched
    from vibench.data.dataset import card_of

    card = card_of(name)
    typer.echo(f"licence: {card.licence}")
    typer.echo(f"{len(fetched(card, data, sha256))} files in {data}")
