"""Which of two methods is better, and how sure that is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon
from small_run import PSNR, psnr_records, record, run_info, timing, write_run

from vibench.report import comparison as comparison_text
from vibench.results.comparison import SPEED_KEY, Comparison, Finding, compare, compare_methods
from vibench.results.record import Record
from vibench.results.results import Results

CASES = [f"clip{number}/square" for number in range(12)]


def finding(
    first: Sequence[float], second: Sequence[float], margin: float = 0.01, cases: Sequence[str] = CASES
) -> Finding:
    info = run_info(["old", "new"], cases)
    scores = {
        label: {case: [value] for case, value in zip(cases, values, strict=True)}
        for label, values in (("old", first), ("new", second))
    }
    return compare_methods(Results.of(info, psnr_records(info, scores)), "old", "new", margin).findings[0]


def draw(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(20, 30, len(CASES))


def test_the_difference_is_numpys_and_p_is_scipys() -> None:
    old = draw(0)
    new = old + np.random.default_rng(1).normal(0.5, 1, len(CASES))
    found = finding(old, new)
    assert found.change is not None
    assert found.mean == pytest.approx(old.mean())
    assert found.change.mean == pytest.approx((new - old).mean())
    assert found.p == pytest.approx(wilcoxon(new - old).pvalue)


@pytest.mark.parametrize(
    ("shift", "spread", "verdict"),
    [(3, 0.3, "better"), (-3, 0.3, "worse"), (0.01, 0.01, "same"), (0, 0, "same"), (0.2, 3, "unclear")],
)
def test_a_verdict_says_what_is_sure(shift: float, spread: float, verdict: str) -> None:
    old = draw(2)
    wave = np.tile([1.0, -1.0], len(CASES) // 2)
    assert finding(old, old + shift + spread * wave).verdict == verdict


def test_without_a_margin_a_sure_difference_is_never_the_same() -> None:
    old = draw(3)
    small = old + 0.01 + 0.001 * np.tile([1.0, -1.0], len(CASES) // 2)
    assert finding(old, small).verdict == "same"
    assert finding(old, small, margin=0).verdict == "better"


def test_an_interval_that_excludes_zero_is_unclear_where_p_is_not_below_5_percent() -> None:
    shift = [0.46, -0.13, 0.16, -0.06, -0.34, 0.05, 2.93, 2.96, 0.1, 1.05]
    old = [20.0 + k for k in range(10)]
    found = finding(old, np.array(old) + shift, cases=CASES[:10])
    assert found.change and found.change.low is not None and found.change.low > 0
    assert found.p == pytest.approx(0.131, abs=0.001)
    assert (found.verdict, found.reason) == ("unclear", "p is not below 0.05")


def test_with_four_or_five_clips_nothing_is_better_and_the_reason_says_so() -> None:
    found = finding([20.0, 21, 22, 23, 24], [23.0, 24.1, 25.2, 26.3, 27.4], cases=CASES[:5])
    assert (found.verdict, found.reason) == ("unclear", "p of 5 clips cannot be below 0.05")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_with_fewer_than_four_clips_only_equal_ones_have_a_verdict(count: int) -> None:
    old = np.linspace(20, 30, count)
    cases = [f"clip{c}/square/{k}" for c in range(count) for k in range(5)]
    found = finding(np.repeat(old, 5), np.repeat(old + 3, 5), cases=cases)
    assert found.verdict == "unclear" and found.reason.endswith("too few for an interval")
    assert found.change and (found.change.low, found.change.count, found.change.cases) == (None, count, 5 * count)
    assert finding(np.repeat(old, 5), np.repeat(old, 5), cases=cases).verdict == "same"


def test_repeats_of_a_clip_are_one_clip() -> None:
    """Seven of ten clips gain: p is far from 0.05 over clips, and would be below it over 50 cases."""
    gain = np.array([1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, -0.45, -0.55, -0.7])
    old = np.linspace(20, 30, 10)
    cases = [f"clip{c}/square/{k}" for c in range(10) for k in range(5)]
    found = finding(np.repeat(old, 5), np.repeat(old + gain, 5), cases=cases)
    assert wilcoxon(np.repeat(gain, 5)).pvalue < 0.05
    assert found.p == pytest.approx(wilcoxon(gain).pvalue) and found.verdict == "unclear"


def test_holm_s_correction_is_over_all_metrics_and_methods_of_the_call(tmp_path: Path) -> None:
    """Eight clips give three metrics p = 2 / 2^8 each, of which the smallest after correction is three times that."""
    run = write_run(tmp_path, ["near", "far"], [f"clip{number}/square" for number in range(8)]).folder
    (plain,), (corrected,) = (compare(f"{run}::near", f"{run}::far", holm=holm) for holm in (False, True))
    measured = [found for found in corrected.findings if found.key != SPEED_KEY]
    assert plain.tests == corrected.tests == len(measured) == 3
    assert [found.p for found in measured] == pytest.approx([3 * 2 / 2**8] * 3)
    assert [found.verdict for found in measured] == ["worse"] * 3
    assert "is after Holm's correction for 3 tests" in comparison_text.text([corrected])
    assert "is not corrected for 3 tests (--holm)" in comparison_text.markdown([plain]).replace("\\", "")


def test_a_verdict_that_holm_s_correction_takes_back_is_unclear(tmp_path: Path) -> None:
    run = write_run(tmp_path, ["near", "far"], [f"clip{number}/square" for number in range(6)]).folder
    (plain,), (corrected,) = (compare(f"{run}::near", f"{run}::far", holm=holm) for holm in (False, True))
    assert {found.verdict for found in plain.findings[:3]} == {"worse"}
    assert {found.verdict for found in corrected.findings[:3]} == {"unclear"}
    assert corrected.findings[0].reason == "p is not below 0.05 after Holm's correction"


def test_the_table_counts_clips_and_cases_and_says_why_there_is_no_interval() -> None:
    cases = [f"clip{c}/square/{k}" for c in range(3) for k in range(2)]
    found = finding([20.0] * 6, [21.0, 22, 23, 24, 25, 26], cases=cases)
    written = comparison_text.text([Comparison("old", "new", (found,), tests=1)])
    assert (
        "3 clips" in written and "3 (6 cases)" in written and "unclear (3 clips are too few for an interval)" in written
    )


def test_swapping_the_sides_swaps_the_verdict() -> None:
    old = draw(4)
    assert (finding(old, old + 2).verdict, finding(old + 2, old).verdict) == ("better", "worse")


def test_a_third_method_that_failed_everywhere_but_once_changes_nothing() -> None:
    info = run_info(["old", "new", "third"], CASES)
    both = {"old": {case: [20.0] for case in CASES}, "new": {case: [25.0] for case in CASES}}
    records = psnr_records(info, {**both, "third": {CASES[0]: [1.0]}})
    found = compare_methods(Results.of(info, records), "old", "new", 0.01).findings[0]
    assert found.change is not None and found.change.count == len(CASES)


def test_other_holes_and_unshared_cases_are_incomparable() -> None:
    info = run_info(["old", "new"], CASES)
    apart = psnr_records(info, {"old": {CASES[0]: [20.0]}, "new": {CASES[1]: [21.0]}})
    assert compare_methods(Results.of(info, apart), "old", "new", 0.01).findings[0].verdict == "incomparable"
    old, new = psnr_records(info, {"old": {CASES[0]: [20.0]}, "new": {CASES[0]: [21.0]}})
    moved = [old, new.model_copy(update={"holes_sha256": "b" * 64})]
    (found,) = compare_methods(Results.of(info, moved), "old", "new", 0.01).findings
    assert found.verdict == "incomparable" and CASES[0] in found.reason


def timed(label: str, seconds: float, **changes: object) -> list[Record]:
    info = run_info(["old", "new"], CASES)
    clock = timing(seconds, 10).model_copy(update=changes)
    return [record(info, label, case, {"psnr": {"frame": [20.0]}}, timing=clock) for case in CASES]


@pytest.mark.parametrize(
    ("seconds", "changes", "verdict"),
    [
        (1.0, {}, "same"),
        (1.05, {}, "same"),
        (1.3, {}, "worse"),
        (0.7, {}, "better"),
        (1.3, {"threads": 2}, "incomparable"),
        (1.3, {"stolen_share": 0.5}, "unclear"),
    ],
)
def test_time_needs_one_setting_a_quiet_machine_and_a_tenth(
    seconds: float, changes: dict[str, object], verdict: str
) -> None:
    info = run_info(["old", "new"], CASES)
    records = timed("old", 1.0) + timed("new", seconds, **changes)
    found = compare_methods(Results.of(info, records), "old", "new", 0.01).findings[-1]
    assert (found.key, found.verdict) == (SPEED_KEY, verdict)


def test_time_of_many_cases_of_three_clips_is_unclear() -> None:
    cases = [f"clip{c}/square/{k}" for c in range(3) for k in range(5)]
    info = run_info(["old", "new"], cases)
    records = [
        record(info, label, case, {"psnr": {"frame": [20.0]}}, timing=timing(seconds, 10))
        for label, seconds in (("old", 1.0), ("new", 2.0))
        for case in cases
    ]
    found = compare_methods(Results.of(info, records), "old", "new", 0.01).findings[-1]
    assert found.key == SPEED_KEY and found.change and (found.change.count, found.change.cases) == (3, 15)
    assert found.verdict == "unclear" and found.reason.startswith("3 clips")


def test_a_method_named_like_markup_is_text() -> None:
    comparison = Comparison("a|b", "<script>", (Finding("psnr/frame", PSNR.unit, "incomparable", reason="*no*"),))
    written = comparison_text.markdown([comparison])
    assert "<script>" not in written and "a|b" not in written and "*no*" not in written.replace("\\*", "")
    assert json.loads(comparison_text.as_json([comparison]))[0]["second"] == "<script>"


def vibench(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vibench", "compare", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_exit_status_is_the_verdict(tmp_path: Path) -> None:
    # small_run's second method is farther from the truth than its first.
    cases = [f"clip{number}/square" for number in range(8)]
    run = write_run(tmp_path / "one", ["near", "far"], cases).folder
    other = write_run(tmp_path / "two", ["near"], cases, digest="d2" * 32, protocol_digest="p2" * 32).folder
    worse = vibench(f"{run}::near", f"{run}::far", "--format", "markdown")
    assert worse.returncode == 1 and "worse" in worse.stdout
    assert vibench(f"{run}::far", f"{run}::near").returncode == 0
    refused = vibench(run, other)
    assert refused.returncode == 3 and "different protocols" in refused.stderr
    mistake = vibench(f"{run}::nobody", run)
    assert mistake.returncode == 2 and "'nobody'" in mistake.stderr and "Traceback" not in mistake.stderr
