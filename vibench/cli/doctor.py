"""The command ``vibench doctor``: what this installation can do, for a bug report or before a long run."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, for programs.")] = False,
) -> None:
    """Say what this installation can do: machine, versions, cache, encoders, and what each metric still needs.

    A cross stands before what is missing. Nothing is written and nothing is downloaded. Put the output into every
    report of a fault.
    """
    import vibench

    found = vibench.examine()
    typer.echo(json.dumps([one._asdict() for one in found], indent=1) if as_json else vibench.doctor_text(found))
