"""The commands ``vibench speed`` and ``vibench profile``: how fast a method is, and where its time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import Device, InProcess, OneMethod, Size, size_of

TimeLimit = Annotated[float | None, typer.Option(min=0.001, help="Seconds that the method may take for one clip.")]


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
    time_limit: TimeLimit = None,
    in_process: InProcess = False,
) -> None:
    """Measure how fast a method is and how time and memory grow: latency, throughput, operations, energy, curves.

    Latency (one clip, frame by frame) and throughput (several clips at once) are measured separately.
    """
    import vibench
    from vibench.cli.progress import step_progress

    with step_progress() as listener:
        found = vibench.measure_speed(
            method,
            size=size_of(size),
            frames=frames,
            device=device,
            threads=threads,
            clips=clips,
            repeats=repeats,
            seconds=seconds,
            energy=energy,
            output=output,
            time_limit_seconds=time_limit,
            in_process=in_process,
            listener=listener,
        )
    typer.echo(vibench.speed_text(found, fps))
    typer.echo(f"picture and figures: {output}")


def profile(
    method: OneMethod,
    size: Size = "256x256",
    frames: Annotated[int, typer.Option(min=4, help="Frames of the clip.")] = 8,
    device: Device = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch and OpenCV.")] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the picture and the samples it is drawn from.")
    ] = Path("profile"),
    time_limit: TimeLimit = None,
    in_process: InProcess = False,
) -> None:
    """Show where a method's time goes: tables of its network's parts and torch's operators, and a flame picture."""
    import vibench

    found = vibench.profile_method(
        method,
        size=size_of(size),
        frames=frames,
        device=device,
        threads=threads,
        output=output,
        time_limit_seconds=time_limit,
        in_process=in_process,
    )
    typer.echo(vibench.profile_text(found))
    typer.echo(f"picture: {output}")
