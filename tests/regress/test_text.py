"""Each format says the same verdicts, and the exit status follows from them."""

from __future__ import annotations

import json
from math import inf
from xml.etree import ElementTree

import pytest

from vibench.regress.finding import TIME, Measured, Regression, exit_status
from vibench.regress.ratio import Ratio
from vibench.regress.text import FORMATS
from vibench.results.statistics import Verdict

SLOWER = Measured("seconds per frame", "worse", Ratio(1.2, 1.15, 1.25), 0.010, 0.012, "s", "21 blocks")
UNCLEAR = Measured("peak memory", "unclear", Ratio(1.0, 0.0, inf), 1 << 20, 1 << 20, "bytes", "2 and 2 fills")
ABSENT = Measured("quality", "incomparable", note="no such commit, 100 % sure: <a|b>")
COMPARISON = Regression(
    "vinet[memory=false]", "last", (SLOWER, UNCLEAR, ABSENT), 12.0, 21, 1, pairs=7, load_average=2.5
)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], 0),
        (["same", "better"], 0),
        (["same", "unclear"], 3),
        (["incomparable"], 3),
        (["unclear", "worse"], 1),
    ],
)
def test_exit_status(outcomes: list[Verdict], status: int) -> None:
    comparison = Regression("a", "b", tuple(Measured("quality", outcome) for outcome in outcomes))
    assert exit_status([comparison]) == status


@pytest.mark.parametrize(
    ("measure", "outcome", "word"),
    [("seconds per frame", "worse", "slower"), ("first-frame latency", "better", "faster"),
     ("peak memory", "worse", "hungrier"), ("peak memory", "better", "leaner"),
     ("quality", "worse", "worse"), ("quality", "unclear", "unclear")],
)  # fmt: skip
def test_words(measure: str, outcome: Verdict, word: str) -> None:
    assert Measured(measure, outcome).word == word  # type: ignore[arg-type]


def test_text_has_every_measure_in_a_unit_for_people() -> None:
    text = FORMATS["text"]([COMPARISON])
    assert "slower" in text
    assert "1.200 (1.150 to 1.250)" in text
    assert "10 → 12 ms" in text
    assert "21 blocks of 7 pairs of processes, 1 disturbed, 12 s, load average 2.5" in text


def test_json_is_standard_json_even_where_an_interval_is_boundless() -> None:
    text = FORMATS["json"]([COMPARISON])
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["exit_status"] == 1
    assert [f["verdict"] for f in read["comparisons"][0]["findings"]] == ["slower", "unclear", "incomparable"]
    assert read["comparisons"][0]["findings"][1]["ratio"]["high"] is None


def test_junit_fails_only_what_is_worse() -> None:
    suite = ElementTree.fromstring(FORMATS["junit"]([COMPARISON]))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "2")
    assert [len(case.findall("failure")) for case in suite] == [1, 0, 0]


def test_github_annotations_are_one_escaped_line_each() -> None:
    lines = FORMATS["github"]([COMPARISON]).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning", "::notice"]
    assert "100 %25 sure" in lines[2]


def test_markdown_cells_hold_no_bare_bar() -> None:
    rows = FORMATS["markdown"]([COMPARISON]).splitlines()
    assert len(rows) == 2 + 3
    assert "a\\|b" in rows[-1]


def test_a_comparison_without_times_prints_in_every_format() -> None:
    empty = Regression("a", "b", tuple(Measured(measure, "unclear") for measure in TIME))
    assert all(form([empty]) for form in FORMATS.values())
