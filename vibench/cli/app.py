"""The command ``vibench``: it registers every command, in the order in which help lists them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vibench.cli import compare, data, inpaint, regress, report, reproduce, run, speed, study
from vibench.errors import UserError

app = typer.Typer(
    name="vibench",
    help="Measure video inpainting honestly: run methods on standard holes, score them, compare and report.",
    epilog="Start with: vibench run --methods telea,flow_propagation --protocol bundled --output results",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line.

    An error that the user can fix is printed as one sentence on standard error, and the exit status is then 2.
    """
    try:
        app()
    except UserError as error:
        typer.secho(f"Error: {error}", err=True, fg="red")
        sys.exit(2)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    """Print the version where that is asked for; otherwise the command that was named runs."""
    if show:
        from vibench import __version__

        typer.echo(f"vibench {__version__}")
        raise typer.Exit


app.command()(run.run)
app.command()(run.score)
app.command()(report.report)
app.command()(compare.compare)
app.command()(reproduce.reproduce)
app.command()(regress.regress)
app.command()(speed.profile)
app.command()(speed.speed)
app.command()(inpaint.inpaint)
app.command()(inpaint.retarget)
app.command()(data.export)
app.command()(data.manifest)
app.command("list")(data.list_things)
app.command()(report.figure)
app.command()(report.video)
app.add_typer(data.app, name="data")
app.add_typer(study.study)
