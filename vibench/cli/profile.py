"""The command line of ``vibench profile``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Device, OneMethod, Size, size_of


def profile(
    method: OneMethod,
    size: Size = "256x256",
    frames: Annotated[int, typer.Option(min=4, help="Frames of the clip.")] = 8,
    device: Device = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch and OpenCV.")] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the picture and the stacks it is drawn from.")
    ] = Path("profile"),
) -> None:
    """Show where a method's time goes: tables of its network's parts and torch's operators, and a flame picture."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # torch's profiler else tells that there is no GPU

    from vibench.data.probe import Probe
    from vibench.files import slug
    from vibench.machine.device import resolve
    from vibench.machine.processes import pin_threads
    from vibench.plugins import Spec, make
    from vibench.speed.flame import draw
    from vibench.speed.profile import profile as measure
    from vibench.speed.text import profile_as_text

    spec, where = Spec.parse(method), resolve(device)
    made = make("methods", spec, device=where)
    pin_threads(threads)
    found = measure(made, Probe.make(*size_of(size), frames).cases[0].holed(), where, spec.label)
    typer.echo(profile_as_text(found, spec.label, size))
    output.mkdir(parents=True, exist_ok=True)
    stem = slug(spec.label)
    draw(found.flame, output / f"{stem}.svg")
    (output / f"{stem}.stacks.txt").write_text("\n".join(found.flame.collapsed()) + "\n", encoding="utf-8")
    typer.echo(f"picture: {output / f'{stem}.svg'}")
