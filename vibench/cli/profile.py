"""The command line of ``vibench profile``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vibench.cli.options import Device, OneMethod, Size, size_of

if TYPE_CHECKING:
    from vibench.speed.profile import Profile


def profile(
    method: OneMethod,
    size: Size = "256x256",
    frames: Annotated[int, typer.Option(min=4, help="Frames of the clip.")] = 8,
    device: Device = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch and OpenCV.")] = 1,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the picture and stacks.")] = Path(
        "profile"
    ),
) -> None:
    """Show where a method's time goes: a table by part with FLOP, torch's operators, and a flame picture."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # torch's profiler else tells that there is no GPU

    from vibench.data.probe import Probe
    from vibench.files import slug
    from vibench.machine.device import resolve
    from vibench.machine.processes import pin_threads
    from vibench.plugins import Spec, make
    from vibench.speed.flame import draw
    from vibench.speed.profile import profile as measure

    spec, where = Spec.parse(method), resolve(device)
    made = make("methods", spec, device=where)
    pin_threads(threads)
    found = measure(made, Probe.make(*size_of(size), frames).cases[0].holed(), where, spec.label)
    typer.echo(as_text(found, spec.label, size))
    output.mkdir(parents=True, exist_ok=True)
    stem = slug(spec.label)
    draw(found.flame, output / f"{stem}.svg")
    (output / f"{stem}.stacks.txt").write_text("\n".join(found.flame.collapsed()) + "\n", encoding="utf-8")
    typer.echo(f"picture: {output / f'{stem}.svg'}")


def as_text(found: Profile, label: str, size: str) -> str:
    """Tables per frame of the clip."""
    per_frame = found.seconds / found.frames
    lines = [f"{label} at {size}: {per_frame * 1e3:.3g} ms a frame over {found.frames} frames"]
    if found.parts:
        whole = sum(part.seconds for part in found.parts)
        lines.append(f"{'part':<28} {'calls':>6} {'ms a frame':>11} {'share':>7} {'GFLOP a frame':>14} {'GFLOP/s':>9}")
        for part in found.parts:
            rate = part.flop / part.seconds / 1e9 if part.seconds else 0.0
            lines.append(
                f"{part.name:<28} {part.calls:>6} {part.seconds / found.frames * 1e3:>11.3g} "
                f"{part.seconds / whole:>7.1%} {part.flop / found.frames / 1e9:>14.3g} {rate:>9.3g}"
            )
        lines.append(f"in all {found.flop / found.frames / 1e9:.4g} GFLOP a frame, as torch counts them")
    if found.operators:
        lines.append(f"{'operator (own time)':<44} {'calls':>6} {'ms a frame':>11}")
        lines += [
            f"{operator.name[:44]:<44} {operator.calls:>6} {operator.seconds / found.frames * 1e3:>11.3g}"
            for operator in found.operators
        ]
    return "\n".join(lines)
