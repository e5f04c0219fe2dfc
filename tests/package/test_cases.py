"""tests/cases.md names, for each input that once failed, the tests that hold what the product does with it now."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"^\| (\d+) \|(.*)\|$", (TESTS / "cases.md").read_text(encoding="utf-8"), re.MULTILINE)


def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}


def test_every_case_has_a_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 42))


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_the_tests_that_a_row_names_exist(number: str, row: str) -> None:
    *about, held = row.split(" | ")
    assert len(about) == 2 and all(cell.strip() for cell in about)
    named = [
        re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)(\[[^\]]+\])?`", name) for name in held.strip().split("<br>")
    ]
    for found in named:
        assert found, f"case {number}: {held}"
        file = TESTS.parent / found[1]
        assert file.is_file() and found[2] in functions_of(file), f"case {number}: {found[0]}"
