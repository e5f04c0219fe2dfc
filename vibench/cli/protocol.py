"""The commands ``vibench protocol new`` and ``protocol diff``: protocols of one's own, begun and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import WHICH_PROTOCOL, Include, MasksFolder

protocol = typer.Typer(
    name="protocol", help="Begin a protocol of your own, or see what differs between two.", no_args_is_help=True
)


@protocol.command()
def new(
    name: Annotated[str, typer.Argument(help="Its name: small letters, digits and hyphens.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; NAME@VERSION.toml here.")
    ] = None,
    like: Annotated[str | None, typer.Option(help="Begin with this protocol's decisions. " + WHICH_PROTOCOL)] = None,
    data: Annotated[str | None, typer.Option(help="Your own data: folder:PATH, pairs:PATH or video:PATH.")] = None,
    masks: MasksFolder = None,
    include: Include = None,
) -> None:
    """Write a protocol that works as it stands, with a comment on every field.

    With --like its own name, such as vibench protocol new mine --like mine@1.toml, it becomes the next version.
    """
    import vibench

    path = vibench.new_protocol(name, output, like=like, data=data, masks=masks)
    typer.echo(f"{path}\nrun it with: vibench run --methods telea --protocol {path}")


@protocol.command()
def diff(
    before: Annotated[str, typer.Argument(help=WHICH_PROTOCOL)],
    after: Annotated[str, typer.Argument(help="The other one.")],
    include: Include = None,
) -> None:
    """Print every field in which two protocols differ, and whether their results can be compared."""
    import vibench

    for field, old, new in vibench.protocol_differences(before, after):
        typer.echo(f"{field}: {old or 'not set'} -> {new or 'not set'}")
    typer.echo(vibench.comparable(before, after))
