"""The command `vinet`: convert weights, look inside the network, train."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from vinet.errors import UserError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="VINet: deep video inpainting.")


@app.callback()
def _vinet() -> None:
    """Keep sub-commands sub-commands while there is only one."""


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="A released checkpoint such as save_agg_rec.pth.")],
    output: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    double: Annotated[bool, typer.Option(help="The checkpoint is for 512 px: the encoder halves the image.")] = False,
) -> None:
    """Check a released checkpoint, key by key, and write it as safetensors with its configuration."""
    from vinet import weights
    from vinet.config import VINetConfig

    if output.suffix != ".safetensors":
        raise UserError(f"the output must end in .safetensors, not {output.name!r}")
    network, file = weights.load(checkpoint, VINetConfig.published(double=double))
    weights.save(network, output, {"converted_from_sha256": file.sha256})
    typer.echo(f"{output}: {len(file.tensors)} tensors, all keys and shapes as expected")


def main() -> None:
    """Run the command; what a user can fix is one sentence and exit status 2."""
    try:
        app()
    except UserError as error:
        typer.echo(f"vinet: {error}", err=True)
        sys.exit(2)
