"""A measurement of speed and a profile as words and tables, and the curves of the former as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from vibench.speed.growth import Growth, Point
from vibench.speed.measurement import SpeedMeasurement, memory_of
from vibench.speed.profile import Profile

MEGABYTE = 1e6
LONGEST_NAME = 44
"""Characters of an operator's name that are printed."""


def speed_text(found: SpeedMeasurement, video_frames_per_second: float = 24.0) -> str:
    """Write everything that was measured for a terminal; ``video_frames_per_second`` is what real time means."""
    lines = [*_summary(found, video_frames_per_second), "", *_table(found.by_size), "", *_table(found.by_length)]
    disturbed = sum(point.timing.disturbed for point in {*found.by_size, *found.by_length})
    if disturbed:
        lines += ["", f"{disturbed} of these times were disturbed by other load (*): measure again on a quiet machine."]
    return "\n".join(lines)


def _summary(found: SpeedMeasurement, video_rate: float) -> list[str]:
    plan, latency, together = found.plan, found.latency, found.throughput
    p50, p90, p99 = (1e3 * value for value in np.percentile(found.frame_seconds, [50, 90, 99]))
    how = "frame by frame" if latency.frame_seconds else "whole clip at once"
    size = f"{plan.base.width_px}x{plan.base.height_px}, {plan.base.frames} frames"
    first = f"first frame after {latency.first_frame_seconds * 1e3:.3g} ms"
    percentiles = f"ms a frame p50 {p50:.3g}, p90 {p90:.3g}, p99 {p99:.3g}"
    rate = f"{together.frames_per_second:.3g} frames/s in all"
    powers = f"time ~ pixels^{_power(found.time_by_pixels())}, time ~ frames^{_power(found.time_by_frames())}"
    factor = latency.real_time_factor(video_rate)
    return [
        f"{plan.spec.label} at {size}, {plan.device}, {_count(plan.threads, 'thread')}",
        f"latency     one clip, {how}: {latency.frames_per_second:.3g} frames/s; {percentiles}; {first}",
        f"throughput  {_count(together.clips, 'clip')} at once, a process each: {rate}",
        f"real time   {factor:.3g} times the speed of a video of {video_rate:g} frames/s",
        f"operations  {_operations(found)}",
        f"energy      {_energy(found)}",
        f"growth      {powers}, memory {found.bytes_per_frame() / MEGABYTE:+.3g} MB a further frame",
    ]


def _operations(found: SpeedMeasurement) -> str:
    share = found.achieved_share
    if share is None:
        return "none that torch counts"
    peak = f"the {found.peak_flop_per_second / 1e9:.3g} GFLOP/s of a large float32 matrix product here"
    return f"{found.flop_per_frame / 1e9:.3g} GFLOP a frame, {share:.0%} of {peak}"


def _energy(found: SpeedMeasurement) -> str:
    if found.joules_per_frame is None:
        return f"unknown: {found.no_energy}"
    return f"{found.joules_per_frame:.3g} J a frame, idle power included"


def _power(found: Growth | None) -> str:
    if found is None:
        return "?"
    return f"{found.exponent:.2f}" + (f" (± {found.standard_error:.2f})" if found.standard_error is not None else "")


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _table(points: tuple[Point, ...]) -> list[str]:
    rows = [
        {
            "size": f"{point.shape.width_px}x{point.shape.height_px}",
            "frames": str(point.shape.frames),
            "seconds": f"{point.timing.seconds:.3g}",
            "frames/s": f"{point.timing.frames_per_second:.3g}",
            "peak MB": f"{memory_of(point) / MEGABYTE:.4g}",
            "": "*" if point.timing.disturbed else "",
        }
        for point in points
    ]
    return [line.rstrip() for line in pd.DataFrame(rows).to_string(index=False).splitlines()]


def profile_text(found: Profile) -> str:
    """Write the tables of a profile for a terminal; times and operations are per frame."""
    per_frame = found.seconds / found.frames
    size = f"{found.width_px}x{found.height_px}"
    lines = [f"{found.method} at {size}: {per_frame * 1e3:.3g} ms a frame over {found.frames} frames"]
    if found.parts:
        whole = sum(part.seconds for part in found.parts)
        rows = [
            {
                "calls": str(part.calls),
                "ms a frame": f"{part.seconds / found.frames * 1e3:.3g}",
                "share": f"{part.seconds / whole:.1%}",
                "GFLOP a frame": f"{part.flop / found.frames / 1e9:.3g}",
                "GFLOP/s": f"{part.flop / part.seconds / 1e9 if part.seconds else 0.0:.3g}",
            }
            for part in found.parts
        ]
        lines.append(_named_rows("part", [part.name for part in found.parts], rows))
        lines.append(f"in all {found.flop / found.frames / 1e9:.4g} GFLOP a frame, as torch counts them")
    if found.operators:
        rows = [
            {"calls": str(each.calls), "ms a frame": f"{each.seconds / found.frames * 1e3:.3g}"}
            for each in found.operators
        ]
        names = [operator.name[:LONGEST_NAME] for operator in found.operators]
        lines.append(_named_rows("operator (own time)", names, rows))
    return "\n".join(lines)


def _named_rows(title: str, names: list[str], rows: list[dict[str, str]]) -> str:
    """A table whose rows have names; ``title`` stands above these."""
    return pd.DataFrame(rows, index=names).rename_axis(columns=title).to_string()


def draw(found: SpeedMeasurement, path: Path) -> None:
    """Write four curves as an SVG file: time and memory, by pixels of a frame and by frames of a clip."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots(2, 2)
    columns = (("thousand pixels of a frame", found.by_size), ("frames of a clip", found.by_length))
    for column, (name, points) in enumerate(columns):
        x = [point.shape.pixels / 1e3 if column == 0 else point.shape.frames for point in points]
        for row, (title, values) in enumerate(
            (
                ("seconds a clip", [p.timing.seconds for p in points]),
                ("peak memory, MB", [memory_of(p) / MEGABYTE for p in points]),
            )
        ):
            axis = axes[row][column]
            axis.plot(x, values, marker="o")
            axis.set(xlabel=name, ylabel=title, xlim=(0, 1.08 * max(x)), ylim=(0, 1.08 * max(values)))
            axis.grid(alpha=0.3)
    figure.suptitle(found.plan.spec.label)
    figure.savefig(path, format="svg", metadata={"Date": None})
