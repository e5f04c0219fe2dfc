"""Comparisons as text, JSON, Markdown, JUnit XML or GitHub annotations: pure functions of the findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any
from xml.etree import ElementTree

from vibench.regress.finding import Measured, Regression, exit_status


def as_text(regressions: Sequence[Regression]) -> str:
    """A block of lines a method, for a terminal."""
    lines = []
    for regression in regressions:
        lines.append(f"{regression.method}: this version against {regression.other}")
        lines += [
            f"  {finding.measure:<20} {finding.word:<13} {_ratio(finding):<28} {_values(finding):<26} {finding.note}"
            for finding in regression.findings
        ]
        lines.append(f"  {_effort(regression)}")
    return "\n".join(line.rstrip() for line in lines)


def as_markdown(regressions: Sequence[Regression]) -> str:
    """One table, for a pull request."""
    rows = [
        "| method | measure | verdict | ratio new / old (interval) | old → new | note |",
        "|---|---|---|---|---|---|",
    ]
    for regression in regressions:
        for finding in regression.findings:
            cells = (regression.method, finding.measure, finding.word, _ratio(finding), _values(finding), finding.note)
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def as_json(regressions: Sequence[Regression]) -> str:
    """Everything; a boundless end of an interval is null."""
    whole = [
        asdict(regression) | {"findings": [_plain(finding) for finding in regression.findings]}
        for regression in regressions
    ]
    return json.dumps({"exit_status": exit_status(regressions), "comparisons": whole}, indent=1)


def as_junit(regressions: Sequence[Regression]) -> str:
    """A test case a measure: worse is a failure, unclear and incomparable are skipped."""
    suites = ElementTree.Element("testsuites")
    for regression in regressions:
        findings = regression.findings
        suite = ElementTree.SubElement(
            suites, "testsuite", name=f"regress {regression.method}", tests=str(len(findings)),
            failures=str(sum(finding.outcome == "worse" for finding in findings)),
            skipped=str(sum(finding.outcome in ("unclear", "incomparable") for finding in findings)),
            time=f"{regression.seconds:.3f}",
        )  # fmt: skip
        for finding in findings:
            case = ElementTree.SubElement(suite, "testcase", classname=regression.method, name=finding.measure)
            kind = {"worse": "failure", "unclear": "skipped", "incomparable": "skipped"}.get(finding.outcome)
            if kind:
                ElementTree.SubElement(case, kind, message=_sentence(finding))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def as_github(regressions: Sequence[Regression]) -> str:
    """Workflow commands: an error for worse, a warning for unclear, a notice for the rest."""
    levels = {"worse": "error", "unclear": "warning"}
    return "\n".join(
        f"::{levels.get(finding.outcome, 'notice')} title=vibench regress%3A {_escaped(regression.method, True)}::"
        f"{_escaped(f'{finding.measure}: {_sentence(finding)}')}"
        for regression in regressions
        for finding in regression.findings
    )


FORMATS: dict[str, Callable[[Sequence[Regression]], str]] = {
    "text": as_text, "json": as_json, "markdown": as_markdown, "junit": as_junit, "github": as_github
}  # fmt: skip


def _sentence(finding: Measured) -> str:
    return ", ".join(part for part in (finding.word, _ratio(finding), _values(finding), finding.note) if part)


def _ratio(finding: Measured) -> str:
    if finding.ratio is None:
        return ""
    ratio = finding.ratio
    return f"{ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def _values(finding: Measured) -> str:
    if finding.old is None or finding.new is None:
        return ""
    scale, unit = {"s": (1e3, "ms"), "bytes": (1 / 2**20, "MiB")}.get(finding.unit, (1.0, finding.unit))
    return f"{finding.old * scale:.4g} → {finding.new * scale:.4g} {unit}"


def _effort(regression: Regression) -> str:
    load = "" if regression.load_average is None else f", load average {regression.load_average:.1f}"
    return f"{regression.blocks} blocks of {regression.pairs} pairs of processes, {regression.disturbed} disturbed, {regression.seconds:.0f} s{load}"


def _plain(finding: Measured) -> dict[str, Any]:
    values = asdict(finding) | {"verdict": finding.word}
    if finding.ratio is not None:
        values["ratio"] = {key: value if isfinite(value) else None for key, value in asdict(finding.ratio).items()}
    return values


def _escaped(text: str, in_property: bool = False) -> str:
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(character, code)
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text
