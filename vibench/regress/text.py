"""What was found as text, JSON, Markdown, JUnit XML or GitHub annotations: pure functions of the findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from io import StringIO
from math import isfinite
from typing import Any
from xml.etree import ElementTree

from vibench.errors import InputError
from vibench.regress.finding import Measured, Regression, exit_status
from vibench.results.markdown import markdown_table, markdown_text

WIDEST = 2_000
"""Characters of a line that is never wrapped: the reader's terminal or editor may do that."""


def regression_text(regressions: Sequence[Regression], format: str = "text") -> str:
    """Write what ``find_regressions`` found.

    ``format`` is ``text`` for a terminal, ``json`` for programs, ``markdown`` for a pull request, ``junit`` for a CI
    system's view of tests, or ``github`` for annotations of a workflow; InputError for anything else.
    """
    if format not in FORMATS:
        raise InputError(f"--format is one of {', '.join(FORMATS)}, not {format!r}")
    return FORMATS[format](regressions)


def as_text(regressions: Sequence[Regression]) -> str:
    """A title, a table of the measures and a line about the effort for every method, for a terminal."""
    parts = []
    for regression in regressions:
        title = f"{regression.method}: this version against {regression.other}"
        rows = [_cells(measured) for measured in regression.findings]
        parts += [title, _table(rows), f"  {_effort(regression)}"]
    return "\n".join(parts)


def as_markdown(regressions: Sequence[Regression]) -> str:
    """Write one table of all methods and measures, for a pull request."""
    heads = ("method", "measure", "verdict", "ratio new / old (interval)", "old → new", "note")
    rows = [
        [markdown_text(cell) for cell in (regression.method, *_cells(measured))]
        for regression in regressions
        for measured in regression.findings
    ]
    return markdown_table(heads, rows, "l" * len(heads))


def as_json(regressions: Sequence[Regression]) -> str:
    """Write everything that is known as JSON; the end of an interval that nothing bounds is null."""
    whole = [
        asdict(regression) | {"findings": [_plain(measured) for measured in regression.findings]}
        for regression in regressions
    ]
    return json.dumps({"exit_status": exit_status(regressions), "comparisons": whole}, indent=1)


def as_junit(regressions: Sequence[Regression]) -> str:
    """A test case for every measure: worse is a failure, unclear and incomparable are skipped."""
    suites = ElementTree.Element("testsuites")
    for regression in regressions:
        findings = regression.findings
        suite = ElementTree.SubElement(
            suites, "testsuite", name=f"regress {regression.method}", tests=str(len(findings)),
            failures=str(sum(measured.outcome == "worse" for measured in findings)),
            errors="0",
            skipped=str(sum(measured.outcome in ("unclear", "incomparable") for measured in findings)),
            time=f"{regression.seconds:.3f}",
        )  # fmt: skip
        for measured in findings:
            case = ElementTree.SubElement(suite, "testcase", classname=regression.method, name=measured.measure)
            kind = {"worse": "failure", "unclear": "skipped", "incomparable": "skipped"}.get(measured.outcome)
            if kind:
                ElementTree.SubElement(case, kind, message=_sentence(measured))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def as_github(regressions: Sequence[Regression]) -> str:
    """Write GitHub's workflow commands: an error for worse, a warning for unclear, a notice for the rest."""
    levels = {"worse": "error", "unclear": "warning"}
    return "\n".join(
        f"::{levels.get(measured.outcome, 'notice')} title=vibench regress%3A {_escaped(regression.method, True)}::"
        f"{_escaped(f'{measured.measure}: {_sentence(measured)}')}"
        for regression in regressions
        for measured in regression.findings
    )


FORMATS: dict[str, Callable[[Sequence[Regression]], str]] = {
    "text": as_text, "json": as_json, "markdown": as_markdown, "junit": as_junit, "github": as_github
}  # fmt: skip


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows of cells with aligned columns and no line wrapped, two spaces further in than a title."""
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row("", *row)
    console = Console(file=StringIO(), width=WIDEST, color_system=None, markup=False, emoji=False, highlight=False)
    with console.capture() as printed:
        console.print(table)
    return "\n".join(line.rstrip() for line in printed.get().splitlines())


def _sentence(measured: Measured) -> str:
    return ", ".join(part for part in (measured.word, _ratio(measured), _values(measured), measured.note) if part)


def _cells(measured: Measured) -> tuple[str, ...]:
    return measured.measure, measured.word, _ratio(measured), _values(measured), measured.note


def _ratio(measured: Measured) -> str:
    if measured.ratio is None:
        return ""
    ratio = measured.ratio
    return f"{ratio.ratio:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def _values(measured: Measured) -> str:
    if measured.old is None or measured.new is None:
        return ""
    scale, unit = {"s": (1e3, "ms"), "bytes": (1 / 2**20, "MiB")}.get(measured.unit, (1.0, measured.unit))
    return f"{measured.old * scale:.4g} → {measured.new * scale:.4g} {unit}"


def _effort(regression: Regression) -> str:
    load = "" if regression.load_average is None else f", load average {regression.load_average:.1f}"
    measured = f"{regression.blocks} blocks of {regression.pairs} pairs of processes"
    return f"{measured}, {regression.disturbed} disturbed, {regression.seconds:.0f} s{load}"


def _plain(measured: Measured) -> dict[str, Any]:
    values = asdict(measured) | {"verdict": measured.word}
    if measured.ratio is not None:
        values["ratio"] = {key: value if isfinite(value) else None for key, value in asdict(measured.ratio).items()}
    return values


def _escaped(text: str, in_property: bool = False) -> str:
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(character, code)
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text
