from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_run import PSNR, WARPING, failed, psnr_records, record, run_info, timing

from vibench.results.record import TRUTH, Record
from vibench.results.records import Records
from vibench.results.results import Results, gather
from vibench.results.statistics import estimate
from vibench.results.table import Column, difference, tabulate
from vibench.results.timings import speeds_of

FRAME = Column(PSNR, "frame")


def results_of(scores: Mapping[str, Mapping[str, list[float]]], averaging: str = "clips") -> Results:
    cases = list(dict.fromkeys(case for values in scores.values() for case in values))
    info = run_info(list(scores), cases, averaging=averaging)
    return Results.of(info, psnr_records(info, scores))


def eight_clips(gap: float, noise: float = 0.1) -> dict[str, dict[str, list[float]]]:
    generator = np.random.default_rng(0)
    base = generator.normal(30, 5, 8)
    return {
        "good": {f"clip{k}": [base[k] + gap + noise * generator.normal()] for k in range(8)},
        "poor": {f"clip{k}": [base[k]] for k in range(8)},
    }


def test_mean_is_over_frames_then_clips_by_hand() -> None:
    table = tabulate(results_of({"a": {"x": [10.0, 20.0, 30.0], "y": [40.0]}}))
    cell = table.row("a").cells["psnr/frame"].estimate
    assert cell is not None
    assert (cell.mean, cell.count) == (30.0, 2)


def test_mean_over_all_frames_weighs_long_clips_more() -> None:
    table = tabulate(results_of({"a": {"x": [10.0, 20.0, 30.0], "y": [40.0]}}, averaging="frames"))
    cell = table.row("a").cells["psnr/frame"].estimate
    assert cell is not None
    assert cell.mean == 25.0


def test_means_are_over_the_cases_that_every_method_has() -> None:
    scores = {"a": {"x": [10.0], "y": [20.0], "z": [90.0]}, "b": {"x": [12.0], "y": [22.0]}}
    table = tabulate(results_of(scores))
    assert table.compared["psnr/frame"] == ("x", "y")
    assert table.left_out() == {"psnr/frame": ("z",)}
    assert table.row("a").cells["psnr/frame"].estimate.mean == 15.0  # type: ignore[union-attr]


def test_a_method_that_failed_everywhere_is_a_row_and_shrinks_nothing() -> None:
    info = run_info(["a", "broken"], ["x", "y"])
    records = [*psnr_records(info, {"a": {"x": [10.0], "y": [20.0]}}), failed(info, "broken", "x", "no memory")]
    table = tabulate(Results.of(info, records))
    assert table.row("a").cells["psnr/frame"].estimate.count == 2  # type: ignore[union-attr]
    row = table.row("broken")
    assert row.cells["psnr/frame"].estimate is None
    assert row.failed == {"x": "error: no memory"}
    assert row.missing == ("y",)


def test_frames_without_a_hole_do_not_count() -> None:
    info = run_info(["a"], ["x"])
    only = record(info, "a", "x", {"psnr": {"hole": [None, 20.0, None, 30.0]}})
    table = tabulate(Results.of(info, [only]))
    assert table.row("a").cells["psnr/hole"].estimate.mean == 25.0  # type: ignore[union-attr]


def test_truth_is_a_floor_row_that_never_wins_and_decides_no_cases() -> None:
    info = run_info(["a", "b"], [f"c{k}" for k in range(8)], metrics=(WARPING,))
    records = [
        record(info, method, case, {"warping-error-dis": {"frame": [value + 0.001 * place]}})
        for method, value in (("a", 0.2), ("b", 0.4), (TRUTH, 0.1))
        for place, case in enumerate(info.cases)
        if not (method == TRUTH and case == "c0")
    ]
    table = tabulate(Results.of(info, records))
    assert [row.method for row in table.rows] == ["a", "b", TRUTH]
    key = "warping-error-dis/frame"
    assert table.row(TRUTH).is_floor and table.row(TRUTH).cells[key].mark is None
    assert len(table.compared[key]) == 8
    assert table.row("a").cells[key].mark == "best"


def test_best_is_marked_only_where_the_paired_difference_excludes_zero() -> None:
    clear = tabulate(results_of(eight_clips(gap=0.5)))
    assert clear.row("good").cells["psnr/frame"].mark == "best"
    scores = eight_clips(gap=0.5)
    for place, case in enumerate(scores["good"]):
        scores["good"][case] = [scores["poor"][case][0] + (1.2 if place % 2 else -1.0)]
    unclear = tabulate(results_of(scores))
    assert unclear.row("good").cells["psnr/frame"].estimate.mean > unclear.row("poor").cells["psnr/frame"].estimate.mean  # type: ignore[union-attr]
    assert {row.cells["psnr/frame"].mark for row in unclear.rows} == {None}


def repeated(scores: Mapping[str, Mapping[str, list[float]]], times: int) -> dict[str, dict[str, list[float]]]:
    """Every case ``times`` times over, as seeded repeats of one clip."""
    return {
        label: {f"{case}/square/{k}": values for case, values in cases.items() for k in range(times)}
        for label, cases in scores.items()
    }


def test_identical_repeats_of_the_clips_change_no_interval_no_p_and_no_mark() -> None:
    scores = eight_clips(gap=0.08)
    once, five = tabulate(results_of(repeated(scores, 1))), tabulate(results_of(repeated(scores, 5)))
    for label in scores:
        alone, many = (table.row(label).cells["psnr/frame"] for table in (once, five))
        assert alone.estimate and many.estimate and alone.mark == many.mark and alone.p == many.p
        assert (many.estimate.low, many.estimate.high) == pytest.approx((alone.estimate.low, alone.estimate.high))
        assert (many.estimate.count, many.estimate.cases, alone.estimate.cases) == (8, 40, 8)
    assert list(five.frame().clips) == [8, 8] and list(five.frame().cases) == [40, 40]


def test_the_clip_is_the_record_s_and_of_older_records_the_start_of_the_case_s_name() -> None:
    info = run_info(["a"], ["night/1/square", "night/2/square", "day"])
    named = [
        record(info, "a", case, {"psnr": {"frame": [20.0]}}, attributes={"clip": case.removesuffix("/square")})
        for case in info.cases
    ]
    assert set(Results.of(info, named).clips.values()) == {"night/1", "night/2", "day"}
    older = [made.model_copy(update={"attributes": {}}) for made in named]
    assert set(Results.of(info, older).clips.values()) == {"night", "day"}
    assert {made.clip for made in older} == {"night", "day"}


def test_a_mean_over_frames_weighs_clips_by_the_frames_of_their_cases() -> None:
    scores = {"a": {"x/one": [10.0, 20.0], "x/two": [30.0], "y/one": [40.0]}}
    for averaging, mean in (("frames", 25.0), ("clips", (15 + 30 + 40) / 3)):
        found = tabulate(results_of(scores, averaging)).row("a").cells["psnr/frame"].estimate
        assert found and found.mean == pytest.approx(mean) and (found.count, found.cases) == (2, 3)


def test_nothing_is_marked_among_five_clips_where_the_interval_alone_would() -> None:
    few = {label: dict(list(cases.items())[:5]) for label, cases in eight_clips(gap=2.0).items()}
    table = tabulate(results_of(few))
    found = difference(table.results, FRAME, "poor", "good")
    assert found and found.estimate.excludes_zero and found.p == 0.0625
    assert {row.cells["psnr/frame"].mark for row in table.rows} == {None}
    assert table.row("poor").cells["psnr/frame"].p == 0.0625 and table.row("good").cells["psnr/frame"].p is None


def test_holm_s_correction_counts_every_two_methods_and_decides_the_marks() -> None:
    """Eight clips: p is 2 / 2^8 for each of 15 pairs, 0.0078; after correction the smallest is 15 times that, 0.117."""
    generator = np.random.default_rng(1)
    scores = {f"m{k}": {f"c{c}": [3 * k + 0.1 * generator.normal()] for c in range(8)} for k in range(6)}
    plain, corrected = (tabulate(results_of(scores), holm) for holm in (False, True))
    assert plain.comparisons == corrected.comparisons == 15
    assert plain.row("m5").cells["psnr/frame"].mark == "best" and plain.row("m4").cells["psnr/frame"].mark == "second"
    assert {row.cells["psnr/frame"].mark for row in corrected.rows} == {None}
    assert plain.row("m0").cells["psnr/frame"].p == pytest.approx(2 / 2**8)
    assert corrected.row("m0").cells["psnr/frame"].p == pytest.approx(15 * 2 / 2**8)
    assert set(corrected.frame().p_corrected) == {15} and set(plain.frame().p_corrected) == {0}
    two = tabulate(results_of({label: scores[label] for label in ("m0", "m1")}), holm=True)
    assert two.row("m1").cells["psnr/frame"].mark == "best"


def test_speed_has_its_interval_over_clips() -> None:
    def clocked(repeats: int) -> list[Record]:
        return [
            record(info, "a", f"c{c}/square/{k}", {}, timing=timing(1.0 + 0.1 * c, 10))
            for c in range(8)
            for k in range(repeats)
        ]

    info = run_info(["a"], [])
    (once,), (five,) = speeds_of(clocked(1)), speeds_of(clocked(5))
    assert (five.frames_per_second.count, five.frames_per_second.cases) == (8, 40)
    assert five.frames_per_second.low == pytest.approx(once.frames_per_second.low)


def test_second_is_marked_only_below_a_marked_best() -> None:
    scores = eight_clips(gap=0.5)
    scores["worst"] = {case: [values[0] - 2 + 0.1 * k] for k, (case, values) in enumerate(scores["poor"].items())}
    table = tabulate(results_of(scores))
    assert [row.cells["psnr/frame"].mark for row in table.rows] == ["best", "second", None]


def test_lower_is_better_where_the_metric_says_so() -> None:
    info = run_info(["a", "b"], [f"c{k}" for k in range(8)], metrics=(WARPING,))
    records = [
        record(info, method, case, {"warping-error-dis": {"frame": [value + 0.01 * k * k]}})
        for method, value in (("a", 0.2), ("b", 0.5))
        for k, case in enumerate(info.cases)
    ]
    assert tabulate(Results.of(info, records)).row("a").cells["warping-error-dis/frame"].mark == "best"


def test_difference_is_paired_and_signed_second_minus_first() -> None:
    results = results_of(eight_clips(gap=0.5))
    found = difference(results, FRAME, "poor", "good")
    assert found is not None
    matrix = results.matrix("psnr", "frame")
    assert found.estimate == estimate((matrix["good"] - matrix["poor"]).to_numpy())
    assert found.p == stats.wilcoxon(matrix["good"], matrix["poor"]).pvalue


def test_difference_of_unknown_methods_is_none() -> None:
    assert difference(results_of({"a": {"x": [1.0]}}), FRAME, "a", "b") is None


def test_frame_is_tidy_and_complete() -> None:
    frame = tabulate(results_of(eight_clips(gap=0.5))).frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.method) == ["good", "poor"]
    assert (frame.clips == 8).all() and (frame.low < frame["mean"]).all()


def test_table_does_not_depend_on_the_order_of_records() -> None:
    results = results_of(eight_clips(gap=0.5))
    turned = Results.of(results.runs[0], results.records[::-1])
    pd.testing.assert_frame_equal(tabulate(results).frame(), tabulate(turned).frame())


def test_speed_is_all_frames_over_all_seconds() -> None:
    info = run_info(["a"], ["x", "y"])
    records = [
        record(info, "a", "x", {"psnr": {"frame": [1.0] * 10}}, timing=timing(1.0, 10)),
        record(info, "a", "y", {"psnr": {"frame": [1.0] * 30}}, timing=timing(9.0, 30)),
    ]
    (speed,) = speeds_of(records)
    assert speed.frames_per_second.mean == pytest.approx(4.0)
    assert speed.p50_seconds == pytest.approx(0.3) and speed.p99_seconds == pytest.approx(0.3)
    assert speed.first_frame_seconds == pytest.approx(0.2)
    assert speed.host_bytes == 50_000_000 and speed.device_bytes is None


def test_a_method_that_does_not_stream_has_percentiles_of_clips() -> None:
    info = run_info(["a"], ["x", "y"])
    records = [
        record(info, "a", case, {}, timing=timing(seconds, 10, per_frame=False))
        for case, seconds in (("x", 1.0), ("y", 3.0))
    ]
    (speed,) = speeds_of(records)
    assert not speed.per_frame
    assert speed.p50_seconds == pytest.approx(0.2)


def test_untimed_methods_have_no_speed() -> None:
    assert speeds_of([]) == ()


def test_times_of_different_machines_have_no_common_mean() -> None:
    info = run_info(["a"], ["x", "y", "z"])
    seconds = {"x": ("big", 1.0), "y": ("small", 4.0), "z": ("big", 3.0)}
    records = [
        record(
            info, "a", case, {"psnr": {"frame": [1.0]}}, timing=timing(time, 10).model_copy(update={"machine": name})
        )
        for case, (name, time) in seconds.items()
    ]
    row = tabulate(Results.of(info, records)).row("a")
    assert row.speed is None
    assert {speed.machine: speed.frames_per_second.mean for speed in row.speeds} == {"big": 5.0, "small": 2.5}


class FakeRun:
    def __init__(self, digest: str, scores: dict[str, dict[str, list[float]]], **changes: object) -> None:
        cases = list(dict.fromkeys(case for values in scores.values() for case in values))
        self.info = run_info(list(scores), cases, digest=digest, **changes)  # type: ignore[arg-type]
        self.scores = scores

    def records(self) -> Records:
        return Records.of(psnr_records(self.info, self.scores))


def test_runs_of_one_protocol_share_a_table_and_others_never_do() -> None:
    one, two = FakeRun("1" * 64, {"a": {"x": [10.0]}}), FakeRun("2" * 64, {"b": {"x": [12.0]}})
    other = FakeRun("3" * 64, {"c": {"x": [14.0]}}, protocol_digest="p2" * 32)
    groups = gather([one, other, two])  # type: ignore[list-item]
    assert [[facts.label for facts in group.methods] for group in groups] == [["a", "b"], ["c"]]
    assert groups[0].matrix("psnr", "frame").loc["x"].to_dict() == {"a": 10.0, "b": 12.0}


def test_a_method_in_two_runs_keeps_both_results_under_two_names() -> None:
    runs = [FakeRun("1" * 64, {"a": {"x": [10.0]}}), FakeRun("2" * 64, {"a": {"x": [12.0]}})]
    (group,) = gather(runs)  # type: ignore[arg-type]
    assert group.matrix("psnr", "frame").loc["x"].to_dict() == {"a": 10.0, "a (run 222222)": 12.0}
    assert any("more than one run" in note for note in group.notes)


def test_two_versions_of_a_metric_are_two_metrics() -> None:
    newer = PSNR.model_copy(update={"version": 2})
    runs = [FakeRun("1" * 64, {"a": {"x": [10.0]}}), FakeRun("2" * 64, {"b": {"x": [12.0]}}, metrics=(newer,))]
    (group,) = gather(runs)  # type: ignore[arg-type]
    assert list(group.matrix("psnr", "frame").columns) == ["a"]
    assert list(group.matrix("psnr (version 2)", "frame").columns) == ["b"]


def test_table_json_is_plain() -> None:
    from vibench.report.tables import as_json

    (plain,) = json.loads(as_json([tabulate(results_of({"a": {"x": [1.0]}}))]))
    assert plain["rows"][0]["cells"]["psnr/frame"]["estimate"]["mean"] == 1.0
