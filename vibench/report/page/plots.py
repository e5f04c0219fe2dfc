"""The plots of the overview: SVG that takes its text colour from the page, which can hide its curves by method."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from vibench.report.numbers import FLOOR_NAME
from vibench.report.verdict import column_words
from vibench.results.record import TRUTH
from vibench.results.results import Results
from vibench.results.statistics import Estimate
from vibench.results.table import Column, Table, difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

COLOURS = (
    "#2f7fc1", "#c4661f", "#27946a", "#b8478a", "#7a63c9", "#94801a", "#2b92a6", "#cc4b4b", "#5f8a2f", "#8a6d5c"
)  # fmt: skip
"""Colours that most eyes tell apart, with a contrast of at least 3:1 against the light and the dark page."""

MOST_DOTS = 500
"""A line of a plot shows so many clips; more lie on each other, and a page of them is slow."""

MARKERS = "os^DvPX*<>"
INK = "#010203"
"""Stands for the page's own text colour until the SVG is written; no curve has it."""


def colour(place: int) -> str:
    """Return the colour of the method at ``place`` in the table, the same in every plot and on every page."""
    return COLOURS[place % len(COLOURS)]


def quality_against_speed(table: Table, column: Column) -> str | None:
    """Plot mean and interval of a column against frames per second; None where no method was timed."""
    with _axes(5.2, 3.6, f"speed {table.results.label} {column.key}") as (figure, axes):
        names: list[tuple[float, float, str, int]] = []
        for place, row in enumerate(table.rows):
            quality = row.cells[column.key].estimate
            if row.speed is None or quality is None:
                continue
            rate = row.speed.frames_per_second.mean
            if quality.low is not None and quality.high is not None:
                axes.plot([rate, rate], [quality.low, quality.high], color=colour(place), lw=1.2, gid=f"m{place}-bar")
            axes.plot(
                [rate], [quality.mean], MARKERS[place % len(MARKERS)], color=colour(place), ms=7, gid=f"m{place}-point"
            )
            names.append((quality.mean, rate, _wrapped(_counted(row.method, quality)), place))
        axes.set_xscale("log")
        for format_ticks in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            format_ticks(_log_label)
        axes.set_xlabel("frames per second (log), faster →")
        axes.set_ylabel(f"{_named(column)}, better {'→' if column.sign > 0 else '←'}")
        axes.margins(0.2, 0.12)
        _write_names(axes, names)
        return _svg(figure) if names else None


def _write_names(axes: Axes, names: list[tuple[float, float, str, int]]) -> None:
    """Write names beside their points, given as (y, x, name, place), in the colour of the method at that place.

    One that would lie on another moves up.

    In the right half of the plot they stand to the left of their points.
    """
    middle = float(np.sqrt(np.prod(axes.get_xlim())))
    taken: list[Bbox] = []
    for y, x, name, place in sorted(names):
        side, right = ("right", -8) if x > middle else ("left", 8)
        text = axes.annotate(
            name, (x, y), (right, 0), textcoords="offset points", fontsize=8.5, ha=side, va="center",
            color=colour(place), fontweight="bold", gid=f"m{place}-name",
        )  # fmt: skip
        box = text.get_window_extent()
        up = 0.0
        while below := [other for other in taken if other.overlaps(box.translated(0, up))]:
            up = max(other.y1 for other in below) - box.y0 + 1
        text.set_position((right, up * 72 / axes.figure.dpi))
        taken.append(box.translated(0, up))


def by_frame(table: Table, column: Column) -> str | None:
    """Plot the mean over the compared cases at each frame number, counted from 1, as far as half of the cases last.

    None where cases have one frame only.
    """
    with _axes(9.6, 3.2, f"frames {table.results.label} {column.key}") as (figure, axes):
        longest = 0
        for place, row in enumerate(table.rows):
            curve = mean_by_frame(table.results, column, row.method, table.compared[column.key])
            if len(curve) < 2:
                continue
            longest = max(longest, len(curve))
            style = "--" if row.is_floor else "-"
            axes.plot(
                range(1, len(curve) + 1),
                curve,
                style,
                color=colour(place),
                lw=1.4,
                label=_legend(row.method),
                gid=f"m{place}-curve",
            )
        axes.set_xlabel("frame")
        axes.set_ylabel(f"{_named(column)}, better {'→' if column.sign > 0 else '←'}", fontsize=8.5)
        axes.set_xlim(1, max(2, longest))
        return _svg(figure) if longest else None


def mean_by_frame(results: Results, column: Column, method: str, cases: Sequence[str]) -> list[float]:
    """Return the mean over ``cases`` of a method's value at each frame number, up to the median length of the cases.

    It is NaN at a frame number where no case has a value, as where none has a hole.
    """
    block = results.records.blocks.get((column.metric.name, column.region))
    rows = [results.records.row(method, case) for case in cases]
    series = [values for row in rows if block and row is not None and (values := block.of_row(row)) is not None]
    series = [values for values in series if len(values)]
    if not series:
        return []
    length = int(np.median([len(values) for values in series]))
    padded = np.full((len(series), max(map(len, series))), np.nan)
    for line, values in zip(padded, series, strict=True):
        line[: len(values)] = values
    known = np.isfinite(padded)
    sums = np.where(known, padded, 0).sum(axis=0)
    return [
        float(total / count) if count else float("nan") for total, count in zip(sums, known.sum(axis=0), strict=True)
    ][:length]


def paired_differences(table: Table, column: Column) -> str | None:
    """Plot every other method minus the best, clip by clip: a dot a clip, and the mean with its 95 % interval.

    Of more than ``MOST_DOTS`` clips only so many dots are drawn, evenly through their order.

    A clip's dot is the mean over its cases. Where there are too few clips for an interval, their number stands behind
    the method's name. None where there is no second method to compare.
    """
    best = best_method(table, column)
    others = [(place, row) for place, row in enumerate(table.rows) if not row.is_floor and row.method != best]
    found = [(place, row.method, difference(table.results, column, best, row.method)) for place, row in others if best]
    known = [(place, _wrapped(_counted(method, paired.estimate)), paired) for place, method, paired in found if paired]
    if not known:
        return None
    margin = 0.3 + 0.075 * max(len(line) for _, name, _ in known for line in name.splitlines())
    tallest = max(name.count("\n") + 1 for _, name, _ in known)
    height, named = (
        max(2.2, 0.9 + max(0.4, 0.16 * tallest) * len(known)),
        f"differences {table.results.label} {column.key}",
    )
    with _axes(5.2, height, named, margin) as (figure, axes):
        for line, (place, _, paired) in enumerate(reversed(known)):
            dots = _spread(paired.values)
            jitter = 0.22 * np.sin(2.4 * np.arange(len(dots)))
            axes.plot(dots, line + jitter, "o", color=colour(place), ms=3.2, alpha=0.55, mew=0, gid=f"m{place}-dots")
            low, high = paired.estimate.low, paired.estimate.high
            if low is not None and high is not None:
                axes.plot([low, high], [line, line], color=INK, lw=2, solid_capstyle="butt", gid=f"m{place}-interval")
            axes.plot([paired.estimate.mean], [line], "|", color=INK, ms=13, mew=2, gid=f"m{place}-mean")
        axes.axvline(0, color=INK, lw=0.8)
        axes.set_yticks(range(len(known)), [name for _, name, _ in reversed(known)])
        axes.set_ylim(-0.6, len(known) - 0.4)
        axes.grid(axis="y", visible=False)
        worse = "left" if column.sign > 0 else "right"
        # From the right end leftwards, below the names: centred below the axes a long one would be cut off.
        axes.set_xlabel(f"{_named(column)}: difference to {best}\n(worse to the {worse})", loc="right", fontsize=8.5)
        return _svg(figure)


def _spread(values: Sequence[float]) -> Sequence[float]:
    """As many of the values as a plot shows apart, evenly through their order of size, the ends among them."""
    if len(values) <= MOST_DOTS:
        return values
    places = np.linspace(0, len(values) - 1, MOST_DOTS).round().astype(int)
    return [float(value) for value in np.sort(values)[places]]


def best_method(table: Table, column: Column) -> str | None:
    """Return the method with the best mean, whether or not significantly so; None where nothing was measured."""
    means = {
        row.method: column.sign * cell.estimate.mean
        for row in table.rows
        if not row.is_floor and (cell := row.cells[column.key]).estimate is not None
    }
    return max(means, key=lambda method: means[method]) if means else None


def _log_label(value: float, _: float) -> str:
    """Label only 1, 2 and 5 times a power of ten: the others would overlap."""
    leading = f"{value:e}"[0]
    return f"{value:g}" if leading in "125" and abs(value / 10 ** np.floor(np.log10(value)) % 1) < 1e-6 else ""


def _named(column: Column) -> str:
    unit = f", {column.metric.unit}" if column.metric.unit else ""
    return f"{column_words(column)}{unit}"


def _legend(method: str) -> str:
    return FLOOR_NAME if method == TRUTH else method


def _counted(name: str, found: Estimate) -> str:
    """Write how many clips there are behind the name where these are too few for an interval."""
    has_reason = found.low is None and found.interval_kind != "none"
    return f"{name} ({found.interval_kind})" if has_reason else name


def _wrapped(name: str) -> str:
    """A long name on several lines, whole: two that differ in their end must not look the same."""
    return textwrap.fill(name, 28, break_long_words=True)


@contextmanager
def _axes(width: float, height: float, name: str, margin: float = 0.65) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure of ``width`` by ``height`` inches and its axes, with ``margin`` inches to the left.

    ``name`` keeps the ids in its SVG apart from those of other figures in the page.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    look: dict[Any, Any] = {
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.family": "sans-serif",
        "font.size": 9,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.6,
        "axes.grid": True,
        "grid.color": INK,
        "grid.alpha": 0.12,
        "grid.linewidth": 0.6,
    }
    with rc_context(look):
        figure = Figure(figsize=(width, height))
        # Margins in inches; matplotlib's own layout would draw every figure twice to find them.
        margins = {"left": margin / width, "right": 1 - 0.12 / width, "bottom": 0.55 / height, "top": 1 - 0.12 / height}
        yield figure, figure.subplots(gridspec_kw=margins)


def _svg(figure: Figure) -> str:
    """Return the figure as an ``<svg>`` element that scales, in the page's text colour and font."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'id="m(\d+)-\w+"', r'data-method="\1"', text)
    # Numbered ids repeat from figure to figure; only those of definitions, which are hashes, are referred to.
    text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    return text.replace(INK, "currentColor").replace("\n", " ")
