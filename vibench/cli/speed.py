"""The command line of ``vibench speed``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Device, OneMethod, Size, size_of


def speed(
    method: OneMethod,
    size: Size = "432x240",
    frames: Annotated[int, typer.Option(min=4, help="Frames of the clip.")] = 16,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads of each process.")] = 1,
    clips: Annotated[
        int | None, typer.Option(min=1, help="Clips at once for throughput; left out: as many as the cores allow.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often each clip is filled; the median time counts.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds that throughput and energy are measured for.")] = 5.0,
    fps: Annotated[
        float, typer.Option(min=1, help="Frames a second of a video, which real time is compared with.")
    ] = 24.0,
    energy: Annotated[
        bool, typer.Option("--energy", help="Also measure joules a frame, where the machine counts them.")
    ] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the picture and the figures.")] = Path(
        "speed"
    ),
) -> None:
    """Measure how fast a method is and how time and memory grow: latency, throughput, operations, energy, curves.

    Latency (one clip, frame by frame) and throughput (several clips at once) are measured separately.
    """
    from vibench.cli.progress import step_progress
    from vibench.files import disk_errors, replacing, slug
    from vibench.machine.device import resolve
    from vibench.plugins import Spec
    from vibench.speed.growth import Shape
    from vibench.speed.measurement import SpeedPlan, measure_speed
    from vibench.speed.text import as_text, draw

    where = resolve(device)
    at_once = clips or (max(1, (os.cpu_count() or 1) // threads) if where == "cpu" else 1)
    base = Shape(*size_of(size), frames)
    plan = SpeedPlan(Spec.parse(method), base, where, threads, at_once, repeats, seconds, energy)
    with step_progress(plan.steps) as listener:
        found = measure_speed(plan, listener)
    typer.echo(as_text(found, fps))
    stem = slug(plan.spec.label)
    with disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        with replacing(output / f"{stem}.svg") as partial:
            draw(found, partial)
        with replacing(output / f"{stem}.json") as partial:
            partial.write_text(_json(found.to_dict()), encoding="utf-8")
    typer.echo(f"picture and figures: {output / stem}.svg, .json")


def _json(figures: dict[str, object]) -> str:
    import json

    return json.dumps(figures, indent=1, sort_keys=True) + "\n"
