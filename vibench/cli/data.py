"""The commands ``vibench list``, ``data``, ``export`` and ``manifest``: what there is, and what methods are run on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Data, FirstCases, Include, MasksFolder, ProtocolName
from vibench.errors import InputError

KINDS = ("methods", "metrics", "masks", "protocols", "datasets", "runs")

app = typer.Typer(help="Check a data set against its card, or fetch it.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A data set that vibench list datasets names.")]


def list_things(
    kind: Annotated[str, typer.Argument(help="methods, metrics, masks, protocols, datasets or runs.")],
    name: Annotated[str, typer.Argument(help="Only this one, with all that it says of itself.")] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Where runs are looked for.")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, for programs.")] = False,
    include: Include = None,
) -> None:
    """Print what there is of one kind: each name, a line about it, and the options that it takes in brackets.

    Names are printed as the other commands take them; of a run that is its folder. With a name, as in vibench list
    methods from_disk, only that one is printed, with all that it says of itself.
    """
    import vibench

    if kind not in KINDS:
        raise InputError(f"nothing called {kind!r} can be listed; choose one of {', '.join(KINDS)}")
    found = vibench.list_runs(output) if kind == "runs" else getattr(vibench, f"list_{kind}")()
    chosen = [one for one in found if name in ("", one.name)]
    if not chosen and name:
        raise InputError(f"{name!r} is none of the {kind}; they are {', '.join(one.name for one in found)}")
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in chosen], indent=1))
        return
    for one in chosen:
        about = one.help if name and one.help else one.about
        typer.echo(f"{one.name:<24}  {about}" + (f"  [{', '.join(one.options)}]" if one.options else ""))


@app.command()
def check(
    name: Name,
    data: Annotated[Path | None, typer.Option(help="Folder of the data set, where it is not bundled.")] = None,
    split: Annotated[str | None, typer.Option(help="Split; the card's default one when left out.")] = None,
    masks: MasksFolder = None,
    most_difference: Annotated[
        float, typer.Option(min=0, help="Grey levels by which a pair's clips may differ outside the mask.")
    ] = 12.0,
    include: Include = None,
) -> None:
    """Read every clip and compare layout, counts, sizes and checksums with the card.

    The name may also be pairs:FOLDER, folder:FOLDER or video:FILE. Of a pair, input and truth must have one size and
    length, and differ inside the mask only.
    """
    import vibench

    for sentence in vibench.check_dataset(name, data, split, masks=masks, most_difference=most_difference):
        typer.echo(sentence)


@app.command()
def fetch(
    name: Name,
    data: Annotated[Path, typer.Option(help="Folder to unpack into.")],
    sha256: Annotated[str | None, typer.Option(help="Checksum of the archive, where the card knows none.")] = None,
    include: Include = None,
) -> None:
    """Download a data set that has a direct address, check its sha256 and unpack it. Read its licence first."""
    import vibench

    typer.echo(f"{len(vibench.fetch_dataset(name, data, sha256, say=typer.echo))} files in {data}")


def export(
    protocol: ProtocolName,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the frames and masks.")],
    data: Data = None,
    masks: MasksFolder = None,
    limit: FirstCases = None,
    include: Include = None,
) -> None:
    """Write every case's holed frames and masks as PNG, for a program that vibench cannot call.

    Give what that program makes back with the method from_disk. A README.md in the folder says what lies where, and
    how the filled frames must lie to be scored.
    """
    import vibench

    for name, frames in vibench.export_cases(vibench.load_protocol(protocol).with_masks(masks), output, data, limit):
        typer.echo(f"{name}: {frames} frames")


def manifest(
    protocol: ProtocolName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; NAME@VERSION.json here.")
    ] = None,
    data: Data = None,
    masks: MasksFolder = None,
    include: Include = None,
) -> None:
    """Write the clip, frames, mask generator, seed and the sha256 of the holes of every case, as JSON."""
    import vibench

    chosen = vibench.load_protocol(protocol).with_masks(masks)
    path = output or Path(f"{chosen.label}.json")
    typer.echo(f"{vibench.write_manifest(chosen, data, path)} cases: {path}")
