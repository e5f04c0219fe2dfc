"""Where a method fails: the worst cases come first, with the frame that is worst in each."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_run import PSNR, WARPING, failed, record, run_info

from vibench.report.page.failures import WORST, failures_of, worst_cases, worst_frame
from vibench.report.page.slices import slices_by_column
from vibench.results.results import Results
from vibench.results.table import Table, tabulate

CASES = [f"c{k}/square" for k in range(WORST + 2)]


@pytest.fixture(scope="module")
def table() -> Table:
    """The PSNR of method a rises from case to case, and so does its warping error; b failed on the last case."""
    info = run_info(["a", "b"], CASES, metrics=(PSNR, WARPING))
    records = [
        record(info, "a", case, {"psnr": {"hole": [20.0 + k, 10.0 + k, None]},
                                 "warping-error-dis": {"frame": [0.1 + k, 0.3 + k]}})
        for k, case in enumerate(CASES)
    ]  # fmt: skip
    records += [record(info, "b", case, {"psnr": {"hole": [30.0]}}) for case in CASES[:-1]]
    return tabulate(Results.of(info, [*records, failed(info, "b", CASES[-1], "it fell over")]))


def test_the_worst_case_is_the_lowest_where_higher_is_better_and_else_the_highest(table: Table) -> None:
    psnr, warping = table.column("psnr/hole"), table.column("warping-error-dis/frame")
    assert worst_cases(table, psnr, "a")[0] == (CASES[0], 15)
    case, value = worst_cases(table, warping, "a")[0]
    assert case == CASES[-1] and value == pytest.approx(0.2 + len(CASES) - 1)
    assert worst_cases(table, warping, "b") == []


def test_the_worst_frame_is_that_of_the_worst_value(table: Table) -> None:
    psnr, warping = table.column("psnr/hole"), table.column("warping-error-dis/frame")
    assert worst_frame(table, psnr, "a", CASES[0]) == 1
    assert worst_frame(table, warping, "a", CASES[0]) == 1
    assert worst_frame(table, psnr, "b", CASES[-1]) == 0


def test_what_failed_is_listed_first_and_no_list_is_long(table: Table) -> None:
    found = failures_of(table, table.columns, {}, CASES)
    assert found is not None
    lists = {(ranked["column"], ranked["method"]): ranked["cases"] for ranked in found["lists"]}
    assert [entry["case"] for entry in lists["psnr/hole", "a"]] == CASES[:WORST]
    assert [entry["value"] for entry in lists["psnr/hole", "b"]][:2] == ["failed", "30.00 dB"]
    assert lists["psnr/hole", "a"][0]["frame"] == 2, "frames are counted from 1"
    assert lists["psnr/hole", "a"][0]["href"].endswith("#frame=1")
    assert found["best"]["psnr/hole"] == "b"


def test_only_cases_that_have_a_page_are_listed(table: Table) -> None:
    found = failures_of(table, table.columns, {}, CASES[3:5])
    assert found is not None
    assert {entry["case"] for ranked in found["lists"] for entry in ranked["cases"]} == set(CASES[3:5])


def test_small_multiples_have_a_point_for_every_mean(tmp_path: Path) -> None:
    cases = [f"{clip}/{hole}" for clip in "ab" for hole in ("square", "strokes")]
    info = run_info(["a", "b"], cases)
    records = [
        record(info, method, case, {"psnr": {"frame": [20.0 + k + 2 * (method == "b")]}})
        for method in ("a", "b") for k, case in enumerate(cases)
    ]  # fmt: skip
    table = tabulate(Results.of(info, records))
    (column,) = slices_by_column(table, table.columns)
    by_hole = next(found for found in column["slices"] if found["attribute"] == "hole")
    picture = str(by_hole["picture"])
    assert picture.count("<circle") == 4 and picture.count("data-method") == 2
    assert ">24.00</text>" in picture and ">21.00</text>" in picture
    assert by_hole["rows"][0] == ("a", ["21.00", "22.00"])
