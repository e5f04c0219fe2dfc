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
from vibench.results.comparison import SPEED_KEY, Comparison, Finding, compare_methods
from vibench.results.record import Record
from vibench.results.results import Results

CASES = [f"clip{number}/square" for number in range(12)]


def finding(first: Sequence[float], second: Sequence[float], margin: float = 0.01) -> Finding:
    info = run_info(["old", "new"], CASES)
    scores = {
        label: {case: [value] for case, value in zip(CASES, values, strict=True)}
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
