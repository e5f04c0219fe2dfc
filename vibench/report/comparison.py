"""Comparisons written down: for the terminal, as Markdown, as JSON. All show the same numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

from vibench.report.numbers import NOTHING, markdown_row, markdown_text, number, places
from vibench.results.comparison import Comparison, Finding
from vibench.results.statistics import Estimate

HEADS = ("metric", "first", "second - first", "95 % interval", "clips", "p", "verdict")


def text(comparisons: Iterable[Comparison]) -> str:
    """Columns of equal width, one block a pair of methods."""
    blocks = []
    for comparison in comparisons:
        rows = [HEADS, *(_cells(finding) for finding in comparison.findings)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        blocks.append("\n".join([f"{comparison.second} against {comparison.first}", *lines]))
    return "\n\n".join(blocks)


def markdown(comparisons: Iterable[Comparison]) -> str:
    """One section a pair of methods."""
    sections = []
    for comparison in comparisons:
        lines = [markdown_row(HEADS), markdown_row(["---"] * len(HEADS))]
        lines += [markdown_row(markdown_text(cell) for cell in _cells(finding)) for finding in comparison.findings]
        title = f"## {markdown_text(comparison.second)} against {markdown_text(comparison.first)}"
        sections.append(f"{title}\n\n" + "\n".join(lines))
    return "\n\n".join(sections)


def as_json(comparisons: Iterable[Comparison]) -> str:
    """Full precision."""
    return json.dumps([dataclasses.asdict(comparison) for comparison in comparisons], indent=2)


def _cells(finding: Finding) -> tuple[str, ...]:
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
        _interval(change, digits),
        str(change.count),
        p,
        verdict,
    )


def _interval(change: Estimate, digits: int) -> str:
    if change.low is None or change.high is None:
        return NOTHING
    return f"[{number(change.low, digits)}, {number(change.high, digits)}]"
