"""A paper's table by one command, with the published figures beside ours."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from small_run import WARPING, psnr_records, record, run_info, write_run
from typer.testing import CliRunner

from vibench.cli.app import app
from vibench.errors import InputError, UserError
from vibench.files import bundled
from vibench.plugins import Spec, make, names
from vibench.protocol import load_protocol
from vibench.report.paper_table import (
    PaperRow,
    PaperTable,
    Published,
    as_markdown,
    load_paper_table,
    paper_tables,
    published,
    write_paper_table,
)
from vibench.results.record import TRUTH
from vibench.results.results import Results
from vibench.results.store import Store
from vibench.results.table import tabulate

TABLE = """
title = "Small"
protocol = "bundled@1"
columns = ["psnr/hole", "psnr/nowhere"]
setting = "made for a test"
[[methods]]
name = "identity"
title = "Nothing | done"
[[methods]]
name = "telea"
title = "Telea"
"""


@pytest.mark.parametrize("name", sorted(paper_tables()))
def test_every_bundled_table_names_a_protocol_methods_and_a_source(name: str) -> None:
    paper = load_paper_table(name)
    load_protocol(paper.protocol)
    assert all(Spec.parse(row.name).label for row in paper.methods)
    found = published(paper)
    assert len(found.sources) == len(paper.published)
    assert bool(found.figures) == bool(paper.published)
    assert all(column in paper.columns for figures in found.figures.values() for column in figures)


@pytest.mark.parametrize("name", sorted(paper_tables()))
def test_every_column_of_a_bundled_table_is_a_metric_of_ours(name: str) -> None:
    paper = load_paper_table(name)
    assert set(paper.metrics) <= set(names("metrics"))
    assert all(column.count("/") == 1 for column in paper.columns)


@pytest.mark.parametrize("path", sorted((bundled("reports") / "published").glob("*.csv")), ids=lambda path: path.stem)
def test_every_published_figure_says_where_it_was_read(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    source = " ".join(line for line in lines if line.startswith("#"))
    assert re.search(r"Read (at|in) \S*\.\S+", source)
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert rows and len({(row["data"], row["method"], row["column"]) for row in rows}) == len(rows)
    assert all(row["column"].partition("/")[0] in names("metrics") and float(row["value"]) > 0 for row in rows)
    assert {row["data"] for row in rows} <= {"davis", "youtube-vos"}


def test_bundled_weights_have_the_neighbours_they_were_trained_with_and_fewer_are_weights_of_their_own() -> None:
    facts = make("methods", Spec.parse("vinet[ablation=one-neighbour]")).describe()
    assert facts["config"]["neighbours"] == 1
    with pytest.raises(UserError, match="neighbours=1 does not fit weights that were trained with 4"):
        make("methods", Spec.parse("vinet[neighbours=1]"))


def test_published_figures_keep_the_digits_that_were_printed() -> None:
    assert published(load_paper_table("sttn/davis")).figures["STTN"]["ssim-sttn/frame"] == "0.9560"


def test_ours_and_theirs_stand_in_one_table_and_each_says_how_it_was_measured() -> None:
    paper = PaperTable(
        title="T",
        protocol="p",
        columns=("psnr/frame",),
        setting="small",
        methods=(PaperRow(name="a", title="A", setting="small weights"),),
        published_setting="50 clips",
    )
    info = run_info(["a"], ["x/square", "y/square"])
    measured = tabulate(Results.of(info, psnr_records(info, {"a": {"x/square": [20.0], "y/square": [30.0]}})))
    text = as_markdown(paper, measured, Published({"STTN": {"psnr/frame": "30.67"}}, ("the paper",)), ["one clip only"])
    ours, theirs = (line for line in text.splitlines() if line.startswith(("| A ", "| STTN ")))
    assert "| 25.00 2 clips |" in ours and "here, small@1, small weights |" in ours
    assert "30.67" in theirs and "published, 50 clips |" in theirs
    assert "truth" not in text
    assert "Published: the paper" in text and "Not the table's own setting: one clip only" in text


def test_one_command_runs_what_is_missing_and_the_same_again_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(TABLE)
    words = ["reproduce", str(tmp_path / "small.toml"), "--limit", "1", "-o", str(tmp_path / "out"), "--device", "cpu"]
    first = CliRunner().invoke(app, words, catch_exceptions=False)
    assert first.exit_code == 0 and "Nothing \\| done" in first.output
    assert "psnr/nowhere: not measured here" in first.output
    (page,) = tmp_path.glob("out/*/reproduced/*.md")
    records = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/records/*/*.json")}
    assert len(records) == 2
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    assert records == {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/records/*/*.json")}
    assert "| here, bundled@1 |" in page.read_text() and "the first case only" in page.read_text()


def test_a_floor_and_a_distance_stand_in_the_table_too() -> None:
    distance = WARPING.model_copy(update={"name": "vfid", "aggregate": "frechet-distance"})
    info = run_info(["a"], ["x", "y", "z"], metrics=(WARPING, distance))
    vectors = {"a": [[3.0], [5.0], [7.0]], TRUTH: [[1.0], [3.0], [5.0]]}  # one dimension, same spread, means 2 apart: 4
    records = [
        record(info, method, case, {WARPING.name: {"hole": [0.25]}, "vfid": {"features": vector}})
        for method, rows in vectors.items()
        for case, vector in zip(info.cases, rows, strict=True)
    ]
    columns = (f"{WARPING.name}/hole", "vfid/features")
    paper = PaperTable(
        title="T", protocol="p", columns=columns, setting="small", methods=(PaperRow(name="a", title="A"),)
    )
    lines = as_markdown(paper, tabulate(Results.of(info, records)), Published({}, ())).splitlines()
    ours, floor = (next(line for line in lines if line.startswith(f"| {title} ")) for title in ("A", "truth (floor)"))
    assert " | 4.0000 | 3/3 | " in ours and " | 0.0000 | 3/3 | " in floor
    assert floor.startswith("| truth (floor) | 0.2500 3 clips |")


def test_what_an_earlier_run_did_not_measure_is_scored_without_filling_again(tmp_path: Path) -> None:
    out = ["--limit", "1", "-o", str(tmp_path / "out"), "--device", "cpu"]
    ran = ["run", "--protocol", "bundled", "--methods", "identity,telea", "--metrics", "ssim-sttn", *out]
    assert CliRunner().invoke(app, ran, catch_exceptions=False).exit_code == 0
    (folder,) = (path.parent for path in (tmp_path / "out").glob("*/run.json"))
    times = {record.method: record.timing for record in Store.open(folder).records()}
    (tmp_path / "small.toml").write_text(TABLE)
    made = CliRunner().invoke(app, ["reproduce", str(tmp_path / "small.toml"), *out], catch_exceptions=False)
    assert made.exit_code == 0
    assert {record.method: record.timing for record in Store.open(folder).records()} == times
    (line,) = (line for line in made.output.splitlines() if line.startswith("| Telea "))
    assert "one clip" in line and not line.startswith("| Telea | –")


def test_a_run_without_a_method_of_the_table_is_one_sentence(tmp_path: Path) -> None:
    run = write_run(tmp_path, ["identity"], ["a/square"], frames=2)
    (tmp_path / "small.toml").write_text(TABLE)
    with pytest.raises(InputError, match="has no method 'telea' of this table; it has identity"):
        write_paper_table(str(tmp_path / "small.toml"), run.folder)


def test_from_python_a_table_and_a_run_are_enough(tmp_path: Path) -> None:
    run = write_run(tmp_path, ["identity", "telea"], ["a/square"], frames=2)
    (tmp_path / "small.toml").write_text(TABLE)
    written = write_paper_table(tmp_path / "small.toml", str(run.folder), ["one clip only"])
    assert written.path.parent == run.folder / "reproduced" and written.path.read_text() == f"{written.text}\n"
    assert "Not the table's own setting: protocol small@1 instead of bundled@1, one clip only." in written.text


def test_a_table_that_does_not_exist_or_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are ablation, e2fgvi/davis, sttn/davis, vinet/composition"):
        load_paper_table("../pyproject")
    (tmp_path / "bad.toml").write_text("title = 3")
    with pytest.raises(InputError, match=r"title must be a text in quotes \(it is 3\)"):
        load_paper_table(str(tmp_path / "bad.toml"))
