"""The verdict in words says what the table's marks say, and why there are none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_run import PSNR, WARPING, failed, psnr_records, record, run_info

from vibench.report.verdict import Finding, column_words, finding_of, finding_sentence, headline_columns, verdict
from vibench.results.record import MetricFacts
from vibench.results.results import Results
from vibench.results.table import Table, tabulate


def table_of(scores: dict[str, Sequence[float]], holm: bool = False) -> Table:
    """A table of one column, PSNR over the frame; a method has a value for each clip."""
    clips = [f"c{k}/square" for k in range(len(next(iter(scores.values()))))]
    info = run_info(list(scores), clips)
    by_case = {method: {case: [value] for case, value in zip(clips, values, strict=True)}
               for method, values in scores.items()}  # fmt: skip
    return tabulate(Results.of(info, psnr_records(info, by_case)), holm)


def found_in(table: Table) -> Finding:
    found = finding_of(table, table.columns[0])
    assert found is not None
    return found


NOISE = np.array([0.3, -0.2, 0.1, -0.4, 0.2, 0.0, -0.1, 0.25])
BASE = 25 + np.arange(8.0)


def test_a_clear_winner_is_named_with_its_lead_and_interval() -> None:
    table = table_of({"weak": BASE, "strong": BASE + 2 + NOISE})
    found = found_in(table)
    assert (found.best, found.second, found.level, found.behind, found.why) == ("strong", "weak", (), ("weak",), "")
    (said,) = verdict(table, table.columns)
    assert said.startswith(f"strong is best at PSNR over the frame ({2 + NOISE.mean():.2f} dB [")
    assert said.endswith("] better than weak).")


def test_what_cannot_be_told_apart_is_said_with_the_interval_that_holds_zero() -> None:
    table = table_of({"one": BASE, "other": BASE + NOISE, "weak": BASE - 3 + NOISE / 2})
    found = found_in(table)
    assert set(found.level) | {found.best} == {"one", "other"} and found.behind == ("weak",)
    assert found.why.endswith("holds zero") and "[−0." in found.why
    (said,) = verdict(table, table.columns)
    assert "has the best mean but cannot be told from" in said
    assert finding_sentence(table, found).endswith("Significantly worse: weak.")


def test_of_few_clips_nothing_is_called_best_and_the_reason_is_said_once() -> None:
    (said,) = verdict(table := table_of({"weak": BASE[:4], "strong": BASE[:4] + 9}), table.columns)
    assert said == (
        "No method can be called the best: of 4 clips no difference can be significant, which takes 6. "
        "By the mean alone, strong leads PSNR over the frame."
    )
    assert found_in(table).why == "of 4 clips no difference can be significant: it takes 6"


def test_after_holm_s_correction_the_reason_is_the_corrected_p() -> None:
    scores = {f"m{k}": BASE + k * (1 + NOISE / 4) for k in range(5)}
    assert not found_in(table_of(scores)).level
    corrected = found_in(table_of(scores, holm=True))
    assert "Holm's correction for 10 comparisons" in corrected.why and corrected.why.startswith("p = 0.078")


def test_one_method_has_nothing_to_be_compared_with_and_none_has_no_verdict() -> None:
    alone = table_of({"only": BASE})
    assert verdict(alone, alone.columns) == ["Only only was measured: there is nothing to compare."]
    info = run_info(["telea"], ["a/square"])
    empty = tabulate(Results.of(info, []))
    assert verdict(empty, headline_columns(empty)) == [
        "Nothing has been scored yet.",
        "telea was not run on 1 of 1 case.",
    ]


def test_methods_that_score_the_same_are_said_to() -> None:
    assert found_in(table_of({"one": BASE, "other": BASE})).why == "other scores the same on every clip"


def test_what_failed_is_part_of_the_verdict() -> None:
    info = run_info(["one", "other"], ["a/square", "b/square"])
    records = psnr_records(info, {"one": {"a/square": [30.0], "b/square": [30.0]}, "other": {"a/square": [20.0]}})
    table = tabulate(Results.of(info, [*records, failed(info, "other", "b/square", "it fell over")]))
    assert verdict(table, table.columns)[-1] == "other failed on 1 of 2 cases."


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.floats(0, 40, width=16), min_size=7, max_size=7), min_size=2, max_size=4), st.booleans())
def test_the_verdict_calls_best_what_the_table_makes_bold(values: list[list[float]], holm: bool) -> None:
    table = table_of({f"m{k}": scores for k, scores in enumerate(values)}, holm)
    found = found_in(table)
    marked = [row.method for row in table.rows if row.cells["psnr/frame"].mark == "best"]
    assert marked == ([] if found.level else [found.best])
    assert bool(found.why) == bool(found.level)
    assert found.lead is not None and found.lead.estimate.mean >= -1e-9


@pytest.mark.parametrize("sign", [1, -1])
def test_a_lead_is_positive_whichever_direction_is_better(sign: int) -> None:
    metric = PSNR.model_copy(update={"better": "higher" if sign > 0 else "lower"})
    info = run_info(["a", "b"], [f"c{k}/square" for k in range(8)], metrics=(metric,))
    records = psnr_records(
        info, {name: {case: [value + k] for case, value in zip(info.cases, BASE, strict=True)}
               for k, name in enumerate(("a", "b"))}
    )  # fmt: skip
    found = found_in(tabulate(Results.of(info, records)))
    assert found.best == ("b" if sign > 0 else "a")
    assert found.lead is not None and found.lead.estimate.mean == pytest.approx(1)


def headlines(metrics: Sequence[MetricFacts], regions: Sequence[str], **protocol: object) -> list[str]:
    info = run_info(["a"], ["c/square"], metrics=metrics)
    info = info.model_copy(update={"protocol": info.protocol | protocol})
    scores = {metric.name: {region: [1.0] for region in regions} for metric in metrics}
    table = tabulate(Results.of(info, [record(info, "a", "c/square", scores)]))
    return [column.key for column in headline_columns(table)]


def test_headline_columns_are_the_protocol_s_or_one_of_each_family() -> None:
    sttn, gaussian = (PSNR.model_copy(update={"name": name}) for name in ("ssim-sttn", "ssim-gaussian"))
    metrics = (PSNR, gaussian, sttn, WARPING)
    assert headlines(metrics, ["frame", "hole"]) == ["psnr/hole", "ssim-gaussian/hole", "warping-error-dis/hole"]
    assert headlines(metrics, ["frame"]) == ["psnr/frame", "ssim-gaussian/frame", "warping-error-dis/frame"]
    chosen = ["warping-error-dis/frame", "lpips-alex/hole", "psnr/hole"]
    assert headlines(metrics, ["frame", "hole"], headline=chosen) == ["warping-error-dis/frame", "psnr/hole"]


def test_columns_are_named_in_words() -> None:
    info = run_info(["a"], ["c/square"], metrics=(PSNR,))
    scores = {"psnr": {region: [1.0] for region in ("frame", "hole", "kept", "kept-8px", "edge")}}
    table = tabulate(Results.of(info, [record(info, "a", "c/square", scores)]))
    assert [column_words(column) for column in table.columns] == [
        "PSNR (edge)", "PSNR over the frame", "PSNR in the hole", "PSNR outside the hole",
        "PSNR 8 px and more outside the hole",
    ]  # fmt: skip
