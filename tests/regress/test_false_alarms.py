"""The study of alarms counts right, and (slow, about 20 minutes) forty comparisons of a kind keep its promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from false_alarms import TIME, compare, is_false, table

SAME = dict.fromkeys(("quality", "peak memory", TIME, "first-frame latency"), "same")
TIMES = 40


@pytest.mark.parametrize(
    ("injection", "changed", "false"),
    [
        ("nothing (A/A)", {}, False),
        ("nothing (A/A)", {TIME: "unclear"}, False),
        ("nothing (A/A)", {TIME: "slower"}, True),
        ("15 % slower", {TIME: "slower"}, False),
        ("15 % slower", {"quality": "better"}, True),
        ("5 % slower", {TIME: "slower"}, True),
        ("20 MB leaked a frame", {"peak memory": "hungrier", TIME: "slower"}, False),
        ("a broken pixel column", {"quality": "worse"}, False),
        ("a broken pixel column", {"peak memory": "hungrier"}, True),
    ],
)
def test_what_counts_as_a_false_alarm(injection: str, changed: dict[str, str], false: bool) -> None:
    assert is_false(injection, SAME | changed) == false


def test_the_table_counts_verdicts(tmp_path: Path) -> None:
    lines = [
        {"injection": "15 % slower", "budget_seconds": 60, "seconds": 5, "verdicts": SAME | {TIME: word}}
        for word in ("slower", "slower", "unclear")
    ]
    (tmp_path / "alarms.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert "| 1 min | 15 % slower | seconds per frame | 3 | 2 slower, 1 unclear | 0 |" in table(
        tmp_path / "alarms.jsonl"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("injection", "word", "least", "false_at_most"),
    [("nothing (A/A)", "same", 30, 2), ("15 % slower", "slower", 38, 2), ("5 % slower", "same", 20, 0)],
)
def test_forty_comparisons_under_load(
    monkeypatch: pytest.MonkeyPatch, injection: str, word: str, least: int, false_at_most: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "support"))
    verdicts = [compare(injection, 60, seed)["verdicts"] for seed in range(TIMES)]
    assert sum(verdict[TIME] == word for verdict in verdicts) >= least
    assert sum(is_false(injection, verdict) for verdict in verdicts) <= false_at_most
