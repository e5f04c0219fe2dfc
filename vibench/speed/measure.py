"""Measures the speed of one method: what the command ``vibench speed`` does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from vibench.data.probe import Probe
from vibench.errors import naming
from vibench.files import disk_errors, replacing, slug
from vibench.machine.device import resolve, synchronise
from vibench.machine.facts import machine_facts, package_versions
from vibench.machine.host import Host, hosted, method_failures
from vibench.machine.processes import exit_on_termination
from vibench.plugins import Spec
from vibench.speed import passes
from vibench.speed.energy import NoCounter, joules_used
from vibench.speed.growth import Point, Shape, measured, shapes_by_length, shapes_by_size
from vibench.speed.measurement import MATRIX, SpeedMeasurement, SpeedPlan
from vibench.speed.text import draw
from vibench.speed.throughput import throughput

PRODUCTS = 5
"""Products of large matrices of which the fastest counts."""

Listener = Callable[[str, int], None]
"""Called with the name of a step before it begins, and with the number of all steps."""


def measure_speed(
    method: str,
    *,
    size: tuple[int, int] = (432, 240),
    frames: int = 16,
    device: str = "auto",
    threads: int = 1,
    clips: int | None = None,
    repeats: int = 3,
    seconds: float = 5.0,
    energy: bool = False,
    output: str | Path | None = None,
    time_limit_seconds: float | None = None,
    in_process: bool = False,
    listener: Listener | None = None,
) -> SpeedMeasurement:
    """Measure how fast a method is, and how its time and memory grow with pixels and with frames.

    Latency (one clip, frame by frame) and throughput (several clips at once) are measured separately, on clips that are
    made for it.

    Args:
        method: a name of ``list_methods`` or ``module:factory``, with options in brackets: ``"vinet[memory=false]"``.
        size: width and height of the clip in pixels; the curves also hold a quarter, half and twice as many pixels.
        frames: frames of the clip; the curves also hold half, twice and four times as many.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: threads of each process.
        clips: clips that are filled at once for throughput, a process each; when left out, as many as the processor's
            cores allow, and one on a graphics card.
        repeats: how often each clip is filled; the median time counts.
        seconds: seconds that throughput is measured for, and energy too.
        energy: whether joules a frame are measured too, where the machine counts them.
        output: folder into which all figures are written as JSON and the curves as SVG; nothing is written without it.
        time_limit_seconds: the longest time that filling one clip may take.
        in_process: let the method work in this process instead of one of its own, for a debugger, one clip at once.
        listener: called with the name of each step before it begins, and with the number of all steps.

    Raises:
        InputError: where the method has no such name or option or cannot be made, the device is not there, or
            ``output`` cannot be written.
        MethodFailed: where the method raises, dies, takes too long or gives back something else than frames.
    """
    where = resolve(device)
    at_once = 1 if in_process else clips or (max(1, (os.cpu_count() or 1) // threads) if where == "cpu" else 1)
    plan = SpeedPlan(Spec.parse(method), Shape(*size, frames), where, threads, at_once, repeats, seconds, energy)
    if output is not None:  # before minutes are spent on what could not be written
        with disk_errors(Path(output)):
            Path(output).mkdir(parents=True, exist_ok=True)
    with exit_on_termination():
        found = carry_out(plan, listener or (lambda name, steps: None), time_limit_seconds, in_process)
    if output is not None:
        _write(found, Path(output))
    return found


def _write(found: SpeedMeasurement, folder: Path) -> None:
    """Write the curves and the figures under the name of the method."""
    stem = slug(found.plan.spec.label)
    with disk_errors(folder):
        with replacing(folder / f"{stem}.svg") as partial:
            draw(found, partial)
        with replacing(folder / f"{stem}.json") as partial:
            partial.write_text(json.dumps(found.to_dict(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def carry_out(
    plan: SpeedPlan, listener: Listener, limit_seconds: float | None = None, in_process: bool = False
) -> SpeedMeasurement:
    """Measure everything in ``plan``; ``listener`` is told of each step before it begins, as in ``measure_speed``.

    MethodFailed where the method fails, or takes longer than ``limit_seconds`` for a clip.
    """
    points: dict[Shape, Point] = {}
    with naming(plan.spec.label), hosted(plan.spec, plan.device, plan.threads, in_process=in_process) as host:
        for shape in [*shapes_by_size(plan.base), *shapes_by_length(plan.base)]:
            listener(f"{shape.width_px}x{shape.height_px}, {shape.frames} frames", plan.steps)
            if shape not in points:
                points[shape] = measured(host, shape, plan.repeats, limit_seconds)
        listener("operations and the machine's peak", plan.steps)
        with method_failures():
            host.hold(Probe.make(plan.base.width_px, plan.base.height_px, plan.base.frames).cases[0].holed())
            flop = host.job(passes.operations, limit_seconds)["flop"] / plan.base.frames
        peak = peak_flop_per_second(plan.device, plan.threads)
        listener("energy", plan.steps)
        joules, why = _energy(plan, host, limit_seconds)
    listener(f"{plan.clips} clips at once", plan.steps)
    return SpeedMeasurement(
        plan,
        tuple(points[shape] for shape in shapes_by_size(plan.base)),
        tuple(points[shape] for shape in shapes_by_length(plan.base)),
        throughput(
            plan.spec, plan.base, plan.device, plan.clips, plan.threads, plan.seconds,
            limit_seconds=limit_seconds, in_process=in_process,
        ),
        flop,
        peak,
        joules,
        why,
        machine_facts(),
        package_versions(),
    )  # fmt: skip


def peak_flop_per_second(device: str, threads: int) -> float:
    """The operations a second of the fastest of ``PRODUCTS`` large float32 matrix products, here in this process."""
    import torch

    torch.set_num_threads(threads)
    left, right = torch.randn(2, MATRIX, MATRIX, device=device)
    best = float("inf")
    for _ in range(PRODUCTS):
        synchronise(device)
        started = perf_counter()
        left @ right
        synchronise(device)
        best = min(best, perf_counter() - started)
    return 2 * MATRIX**3 / best


def _energy(plan: SpeedPlan, host: Host, limit_seconds: float | None) -> tuple[float | None, str]:
    if not plan.energy:
        return None, "not asked for (--energy)"
    fills = 0

    def repeated() -> None:
        nonlocal fills
        limit = None if limit_seconds is None else plan.seconds + limit_seconds
        with method_failures():
            fills = host.job(passes.repeated, limit, seconds=plan.seconds)["fills"]

    try:
        return joules_used(plan.device, repeated) / (fills * plan.base.frames), ""
    except NoCounter as error:
        return None, str(error)
