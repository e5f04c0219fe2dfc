"""The page of a history: one file that works from disk, with a small plot for each series and its steps in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from vibench.errors import shown_name
from vibench.files import disk_errors, write_atomically
from vibench.report.history import STEPS_RULE, change_text, day, step_sentence, value_text
from vibench.report.page.render import render
from vibench.results.history import History, Point, Series
from vibench.results.steps import Step

WIDE, TALL = 320, 160
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 30, 24
"""Of a plot, in its own pixels: as many of a phone's."""


def write_history(history: History, output: str | Path) -> Path:
    """Write the page of a history into the file ``output``, whole; return its path.

    The page needs no other file and no network. InputError where the file cannot be written.
    """
    path = Path(output)
    with disk_errors(path.parent):
        write_atomically(path, render("history.html", history_context(history)).encode())
    return path


def history_context(history: History) -> dict[str, Any]:
    """Return what the page shows, as the template's values."""
    from vibench import __version__

    abouts = [series.about for series in history.series]
    steps = [(place, series, step) for place, series in enumerate(history.series) for step in series.steps]
    steps.sort(key=lambda found: found[1].points[found[2].index].order, reverse=True)
    return {
        "version": __version__,
        "since": shown_name(history.since),
        "counts": (sum(len(series.points) for series in history.series), len(history.series)),
        "steps": [
            {"place": place, "better": series.is_better(step), "sentence": step_sentence(series, step)}
            for place, series, step in steps
        ],
        "picks": [
            (word, f"pick{number}", [*enumerate(dict.fromkeys(map(shown_name, names)))])
            for number, (word, names) in enumerate(_picks(abouts))
        ],
        "series": [_shown(place, series, _picks(abouts)) for place, series in enumerate(history.series)],
        "notes": [shown_name(note) for note in history.notes],
        "rule": STEPS_RULE,
    }


def _picks(abouts: list[Any]) -> list[tuple[str, list[str]]]:
    """By what a reader may choose series: a word, and the value of each series in its order."""
    return [
        ("Method", [about.method for about in abouts]),
        ("Measure", [about.measure for about in abouts]),
        ("Machine", [f"{about.machine}, on {about.device}" for about in abouts]),
    ]


def _shown(place: int, series: Series, picks: list[tuple[str, list[str]]]) -> dict[str, Any]:
    about = series.about
    places = [list(dict.fromkeys(map(shown_name, names))).index(shown_name(names[place])) for _, names in picks]
    step_at = {step.index: step for step in series.steps}
    return {
        "place": place,
        "picks": places,
        "method": shown_name(about.method),
        "measure": shown_name(about.measure),
        "unit": shown_name(about.unit),
        "better": about.better,
        "machine": shown_name(f"{about.machine}, on {about.device}"),
        "setting": shown_name(f"{about.setting}; {about.identity}"),
        "picture": picture(series),
        "told": [_told(series, point, step_at.get(index)) for index, point in enumerate(series.points)],
        "last": value_text(about, series.points[-1].value),
        "rows": [
            {
                "code": point.code,
                "commit": shown_name(point.commit or ""),
                "day": day(point),
                "value": value_text(about, point.value),
                "interval": _interval(series, point),
                "step": _step_words(series, step_at[index]) if index in step_at else "",
                "note": shown_name(point.note),
                "source": shown_name(point.source),
                "circumstances": shown_name(", ".join(f"{name} {text}" for name, text in point.circumstances.items())),
            }
            for index, point in enumerate(series.points)
        ],
    }


def _interval(series: Series, point: Point) -> str:
    if point.low is None or point.high is None:
        return ""
    return f"{value_text(series.about, point.low)} to {value_text(series.about, point.high)}"


def _step_words(series: Series, step: Step) -> str:
    return f"{change_text(series.about, step)}, {'better' if series.is_better(step) else 'worse'}"


def _told(series: Series, point: Point, step: Step | None) -> str:
    """One line about a point, for the reader who stands on it."""
    stepped = f"step {_step_words(series, step)}" if step else ""
    parts = (f"{value_text(series.about, point.value)} at {point.code}, {day(point)}", stepped, point.note)
    return shown_name("; ".join(filter(None, parts)))


def picture(series: Series) -> Markup:
    """Draw a dot for each point, the levels between steps, and each step as a line with its change.

    Points stand at equal distances in their order. Their intervals are over clips, which are the same from commit to
    commit, and would say nothing about a change here. Hollow dots are of code that differed from its commit, triangles
    of measurements that `vibench regress` called worse.
    """
    points, about = series.points, series.about
    values = [point.value for point in points]
    low, high = min(values), max(values)
    room = (high - low) or abs(high) or 1.0

    def x(index: float) -> float:
        return LEFT + (index + 0.5) / len(points) * (WIDE - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / room * (TALL - TOP - BOTTOM) if high > low else (TOP + TALL - BOTTOM) / 2

    parts = []
    for value in dict.fromkeys((high, low)):
        parts.append(f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDE - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y(value) + 4:.1f}" text-anchor="end">{_tick(about, value)}</text>')
    parts += _levels(series, x, y)
    for index, point in enumerate(points):
        parts.append(_mark(point, x(index), y(point.value)))
    ends = {0: (LEFT, "start"), len(points) - 1: (WIDE - RIGHT, "end")}
    for index, (at_end, anchor) in ends.items():
        parts.append(f'<text x="{at_end}" y="{TALL - 7}" text-anchor="{anchor}">{escape(points[index].code)}</text>')
    # Numbers of our own, and names that were escaped.
    return Markup(f'<svg viewBox="0 0 {WIDE} {TALL}" aria-hidden="true">{"".join(parts)}</svg>')


def _tick(about: Any, value: float) -> str:
    return str(escape(value_text(about, value).partition(" ")[0]))


def _levels(series: Series, x: Any, y: Any) -> list[str]:
    parts = []
    starts = [0, *(step.index for step in series.steps)]
    ends = [*starts[1:], len(series.points)]
    levels = [series.steps[0].before, *(step.after for step in series.steps)] if series.steps else []
    for level, start, end in zip(levels, starts, ends, strict=False):
        parts.append(f'<path class="level" d="M{x(start - 0.5):.1f} {y(level):.1f}H{x(end - 0.5):.1f}"/>')
    for place, step in enumerate(series.steps):
        kind = "better" if series.is_better(step) else "worse"
        at = x(step.index - 0.5)
        # In two lines by turns, to the right of the step where there is room: names of neighbours do not meet.
        anchor, aside = ("start", 4) if at < WIDE - 60 else ("end", -4)
        height = TOP - 7 - 12 * (place % 2)
        parts.append(
            f'<g class="{kind}"><path d="M{at:.1f} {height - 8}V{TALL - BOTTOM}"/>'
            f'<text x="{at + aside:.1f}" y="{height}" text-anchor="{anchor}">'
            f"{change_text(series.about, step)}</text></g>"
        )
    return parts


def _mark(point: Point, x: float, y: float) -> str:
    classes = "dot changed" if point.is_changed else "dot"
    if point.verdict == "worse":
        return f'<path class="{classes} alarming" d="M{x - 4:.1f} {y + 3.5:.1f}h8l-4 -7z"/>'
    return f'<circle class="{classes}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
