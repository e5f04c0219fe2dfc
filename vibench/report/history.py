"""A history as text for a terminal, or as JSON for programs: pure functions of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from math import isfinite
from typing import Any

from vibench.errors import InputError, shown_name
from vibench.report.terminal import plain_table
from vibench.results.history import About, History, Point, Series
from vibench.results.steps import Step

_SCALES = {"s": (1e3, "ms"), "bytes": (2.0**-20, "MiB")}
"""Units that are shown as others: a factor, and the name."""
STEPS_RULE = (
    "A step is a change of level of 5 % or more of speed and memory, or 0.1 % of quality, that is no noise: Student's "
    "t-test between neighbouring levels, corrected for every place where a step could be (1 of 100 series of noise)."
)


def history_text(history: History, format: str = "text") -> str:
    """Write a history as ``text``, a table for each machine and a line for each step, or as ``json``.

    InputError for another format.
    """
    if format not in FORMATS:
        raise InputError(f"--format is {' or '.join(FORMATS)}, not {format!r}")
    return FORMATS[format](history)


def as_text(history: History) -> str:
    """Write a table for each machine and device, and below it a line for each step."""
    machines: dict[tuple[str, str], list[Series]] = {}
    for series in history.series:
        machines.setdefault((series.about.machine, series.about.device), []).append(series)
    parts = [] if machines else ["Nothing was measured."]
    for (machine, device), found in machines.items():
        heads = ("method", "measure", "of", "measured", "first", "last", "steps")
        parts += [f"{shown_name(machine)}, on {shown_name(device)}", plain_table(heads, [_row(one) for one in found])]
        parts += [f"step: {step_sentence(series, step)}" for series in found for step in series.steps]
        parts.append("")
    parts += [STEPS_RULE] if machines else []
    return "\n".join([*parts, *map(shown_name, history.notes)])


def _row(series: Series) -> tuple[str, ...]:
    about, first, last = series.about, series.points[0], series.points[-1]
    ends = (f"{value_text(about, point.value)} at {point.code}, {day(point)}" for point in (first, last))
    steps = ", ".join(change_text(about, step) for step in series.steps) or "none"
    of = f"{about.setting}; {about.identity}"
    return shown_name(about.method), shown_name(about.measure), shown_name(of), str(len(series.points)), *ends, steps


def step_sentence(series: Series, step: Step) -> str:
    """Say what changed at a step, by how much, between which commits, and what else changed there."""
    about, before, after = series.about, series.points[step.index - 1], series.points[step.index]
    levels = f"{value_text(about, step.before)} → {value_text(about, step.after)} ({change_text(about, step)}, "
    levels += "better)" if series.is_better(step) else "worse)"
    others = series.changed(step)
    along = f"; along with it: {', '.join(others)}" if others else ""
    text = f"{about.method}, {about.measure}: {levels} between {before.code} and {after.code}, {day(after)}{along}"
    return shown_name(text)


def value_text(about: About, value: float) -> str:
    """Write a value of a series with its unit, seconds as ms and bytes as MiB, to four significant digits."""
    scale, unit = _SCALES.get(about.unit, (1.0, about.unit))
    return f"{value * scale:.4g} {unit}".rstrip()


def change_text(about: About, step: Step) -> str:
    """Write a step's change with its sign, in dB or in per cent of the level before it, with a true minus sign."""
    if about.unit == "dB":
        return f"{step.after - step.before:+.2f} dB".replace("-", "−")
    if not isfinite(step.change):
        return "from 0"
    percent = 100 * step.change
    return f"{percent:+.{1 if abs(percent) >= 1 else 2}f} %".replace("-", "−")


def day(point: Point) -> str:
    """Return the day of a measurement's commit, or of its start where that is not known."""
    return point.when.date().isoformat()


def as_json(history: History) -> str:
    """Write everything that is known; times are ISO, and what was not measured is null."""
    return json.dumps(
        {"since": history.since, "notes": history.notes, "series": [_plain(series) for series in history.series]},
        indent=1,
    )


def _plain(series: Series) -> dict[str, Any]:
    return {
        **asdict(series.about),
        "points": [_plain_point(point) for point in series.points],
        "steps": [
            {
                **asdict(step),
                "change": step.change if isfinite(step.change) else None,
                "better": series.is_better(step),
                "commit_before": series.points[step.index - 1].commit,
                "commit": series.points[step.index].commit,
                "changed": series.changed(step),
            }
            for step in series.steps
        ],
    }


def _plain_point(point: Point) -> dict[str, Any]:
    values = asdict(point)
    del values["place"]
    return values | {"when": point.when.isoformat(), "started": point.started.isoformat()}


FORMATS: dict[str, Callable[[History], str]] = {"text": as_text, "json": as_json}
