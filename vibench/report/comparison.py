"""Comparisons of two methods written down: for the terminal, as Markdown, as JSON. All show the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict

from vibench.errors import InputError
from vibench.report.numbers import NOTHING, interval, number, places
from vibench.report.terminal import plain_table
from vibench.results.comparison import SLOWER, TIME_SIGNIFICANT, Comparison, Finding
from vibench.results.markdown import markdown_table, markdown_text
from vibench.results.statistics import SIGNIFICANT, Estimate

LEVEL = (
    f"better and worse need a 95 % interval over clips that excludes zero, and p < {SIGNIFICANT} of Wilcoxon's "
    "signed-rank test over clips"
)
HEADS = ("metric", "first", "second - first", "95 % interval", "clips", "p", "verdict")


def comparison_text(comparisons: Iterable[Comparison], format: str = "text") -> str:
    """Write what ``compare`` found.

    ``format`` is ``text`` for a terminal, ``json`` for programs, or ``markdown``; InputError for anything else.
    """
    writers: dict[str, Callable[[Iterable[Comparison]], str]] = {"text": text, "json": as_json, "markdown": markdown}
    if format not in writers:
        raise InputError(f"--format is text, json or markdown, not {format!r}")
    return writers[format](comparisons)


def text(comparisons: Iterable[Comparison]) -> str:
    """Write a table in plain text for each pair of methods."""
    return "\n\n".join(
        f"{comparison.second} against {comparison.first}\n"
        + plain_table(HEADS, [_cells(finding) for finding in comparison.findings])
        + "\n".join(["", _note(comparison), *(f"note: {note}" for note in comparison.notes)])
        for comparison in comparisons
    )


def markdown(comparisons: Iterable[Comparison]) -> str:
    """Write a section in Markdown for each pair of methods."""
    return "\n\n".join(_section(comparison) for comparison in comparisons)


def as_json(comparisons: Iterable[Comparison]) -> str:
    """Write everything for programs, in full precision."""
    return json.dumps([asdict(comparison) for comparison in comparisons], indent=2)


def _section(comparison: Comparison) -> str:
    rows = [[markdown_text(cell) for cell in _cells(finding)] for finding in comparison.findings]
    title = f"## {markdown_text(comparison.second)} against {markdown_text(comparison.first)}"
    written = markdown_table(HEADS, rows, "l" * len(HEADS))
    return "\n\n".join([title, written, *map(markdown_text, (_note(comparison), *comparison.notes))])


def _note(comparison: Comparison) -> str:
    tests = f"{comparison.tests} test" + ("" if comparison.tests == 1 else "s")
    corrected = (
        f"is after Holm's correction for {tests}" if comparison.holm else f"is not corrected for {tests} (--holm)"
    )
    return f"{LEVEL}; p {corrected}; time stands apart and needs a ratio beyond {SLOWER:.2f} and p < {TIME_SIGNIFICANT}"


def _cells(finding: Finding) -> tuple[str, ...]:
    """Write what stands under ``HEADS``; the verdict is followed by its reason in parentheses."""
    change = finding.change
    verdict = finding.verdict + (f" ({finding.reason})" if finding.reason else "")
    key = finding.key + (f", {finding.unit}" if finding.unit else "")
    if change is None or finding.mean is None:
        return (key, *[NOTHING] * 5, verdict)
    digits = 2 if finding.unit == "dB" else places(abs(finding.mean) or 1.0)
    p = NOTHING if finding.p is None else f"{finding.p:.2g}"
    return (
        key,
        number(finding.mean, digits),
        number(change.mean, digits),
        interval(change, digits) or NOTHING,
        _counted(change),
        p,
        verdict,
    )


def _counted(change: Estimate) -> str:
    """Write the number of clips, and in parentheses that of their cases where it is another."""
    return str(change.count) if change.cases == change.count else f"{change.count} ({change.cases} cases)"
