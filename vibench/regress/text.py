"""Comparisons as text, JSON, Markdown, JUnit XML or GitHub annotations: pure functions of the findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any
from xml.etree import ElementTree

from vibench.regress.finding import Comparison, Finding, exit_status
from vibench.results.markdown import markdown_table, markdown_text


def as_text(comparisons: Sequence[Comparison]) -> str:
    """A block of lines a method, for a terminal."""
    lines = []
    for comparison in comparisons:
        lines.append(f"{comparison.method}: this version against {comparison.other}")
        lines += [
            f"  {finding.measure:<20} {finding.word:<13} {_ratio(finding):<28} {_values(finding):<26} {finding.note}"
            for finding in comparison.findings
        ]
        lines.append(f"  {_effort(comparison)}")
    return "\n".join(line.rstrip() for line in lines)


def as_markdown(comparisons: Sequence[Comparison]) -> str:
    """Write one table, for a pull request."""
    heads = ("method", "measure", "verdict", "ratio new / old (interval)", "old → new", "note")
    rows = [
        [
            markdown_text(cell)
            for cell in (
                comparison.method,
                finding.measure,
                finding.word,
                _ratio(finding),
                _values(finding),
                finding.note,
            )
        ]
        for comparison in comparisons
        for finding in comparison.findings
    ]
    return markdown_table(heads, rows, "l" * len(heads))


def as_json(comparisons: Sequence[Comparison]) -> str:
    """Everything; a boundless end of an interval is null."""
    whole = [
        asdict(comparison) | {"findings": [_plain(finding) for finding in comparison.findings]}
        for comparison in comparisons
    ]
    return json.dumps({"exit_status": exit_status(comparisons), "comparisons": whole}, indent=1)


def as_junit(comparisons: Sequence[Comparison]) -> str:
    """A test case a measure: worse is a failure, unclear and incomparable are skipped."""
    suites = ElementTree.Element("testsuites")
    for comparison in comparisons:
        findings = comparison.findings
        suite = ElementTree.SubElement(
            suites, "testsuite", name=f"regress {comparison.method}", tests=str(len(findings)),
            failures=str(sum(finding.outcome == "worse" for finding in findings)),
            skipped=str(sum(finding.outcome in ("unclear", "incomparable") for finding in findings)),
            time=f"{comparison.seconds:.3f}",
        )  # fmt: skip
        for finding in findings:
            case = ElementTree.SubElement(suite, "testcase", classname=comparison.method, name=finding.measure)
            kind = {"worse": "failure", "unclear": "skipped", "incomparable": "skipped"}.get(finding.outcome)
            if kind:
                ElementTree.SubElement(case, kind, message=_sentence(finding))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def as_github(comparisons: Sequence[Comparison]) -> str:
    """Workflow commands: an error for worse, a warning for unclear, a notice for the rest."""
    levels = {"worse": "error", "unclear": "warning"}
    return "\n".join(
        f"::{levels.get(finding.outcome, 'notice')} title=vibench regress%3A {_escaped(comparison.method, True)}::"
        f"{_escaped(f'{finding.measure}: {_sentence(finding)}')}"
        for comparison in comparisons
        for finding in comparison.findings
    )


FORMATS: dict[str, Callable[[Sequence[Comparison]], str]] = {
    "text": as_text, "json": as_json, "markdown": as_markdown, "junit": as_junit, "github": as_github
}  # fmt: skip


def _sentence(finding: Finding) -> str:
    return ", ".join(part for part in (finding.word, _ratio(finding), _values(finding), finding.note) if part)


def _ratio(finding: Finding) -> str:
    if finding.ratio is None:
        return ""
    ratio = finding.ratio
    return f"{ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def _values(finding: Finding) -> str:
    if finding.old is None or finding.new is None:
        return ""
    scale, unit = {"s": (1e3, "ms"), "bytes": (1 / 2**20, "MiB")}.get(finding.unit, (1.0, finding.unit))
    return f"{finding.old * scale:.4g} → {finding.new * scale:.4g} {unit}"


def _effort(comparison: Comparison) -> str:
    load = "" if comparison.load_average is None else f", load average {comparison.load_average:.1f}"
    return (
        f"{comparison.blocks} blocks of {comparison.pairs} pairs of processes, {comparison.disturbed} disturbed, "
        f"{comparison.seconds:.0f} s{load}"
    )


def _plain(finding: Finding) -> dict[str, Any]:
    values = asdict(finding) | {"verdict": finding.word}
    if finding.ratio is not None:
        values["ratio"] = {key: value if isfinite(value) else None for key, value in asdict(finding.ratio).items()}
    return values


def _escaped(text: str, in_property: bool = False) -> str:
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(character, code)
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text
