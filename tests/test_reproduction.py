"""A paper's table by one command, with the published figures beside ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_run import psnr_records, run_info
from typer.testing import CliRunner

from vibench.cli import app
from vibench.errors import InputError
from vibench.plugins import Spec
from vibench.protocol import load_protocol
from vibench.reproduction import Entry, Plan, Published, load_plan, published, tables, written
from vibench.results import Results
from vibench.table import tabulate

PLAN = """
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


@pytest.mark.parametrize("name", sorted(tables()))
def test_every_bundled_table_names_a_protocol_methods_and_a_source(name: str) -> None:
    plan = load_plan(name)
    load_protocol(plan.protocol)
    assert all(Spec.parse(entry.name).label for entry in plan.methods)
    found = published(plan)
    assert len(found.sources) == len(plan.published)
    assert bool(found.figures) == bool(plan.published)
    assert all(column in plan.columns for figures in found.figures.values() for column in figures)


def test_published_figures_keep_the_digits_that_were_printed() -> None:
    assert published(load_plan("sttn/davis")).figures["STTN"]["ssim-sttn/frame"] == "0.9560"


def test_ours_and_theirs_stand_in_one_table_and_each_says_how_it_was_measured() -> None:
    plan = Plan(
        title="T", protocol="p", columns=("psnr/frame",), setting="small", methods=(Entry(name="a", title="A"),)
    )
    info = run_info(["a"], ["x/square", "y/square"])
    measured = tabulate(Results.of(info, psnr_records(info, {"a": {"x/square": [20.0], "y/square": [30.0]}})))
    text = written(plan, ["a"], measured, Published({"STTN": {"psnr/frame": "30.67"}}, ("the paper",)), "one clip only")
    ours, theirs = (line for line in text.splitlines() if line.startswith(("| A ", "| STTN ")))
    assert "25.00 [" in ours and "as measured here" in ours
    assert "30.67" in theirs and "published" in theirs
    assert "Published: the paper" in text and "Not the table's own setting: one clip only" in text


def test_one_command_runs_what_is_missing_and_the_same_again_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(PLAN)
    words = ["reproduce", str(tmp_path / "small.toml"), "--limit", "1", "-o", str(tmp_path / "out"), "--device", "cpu"]
    first = CliRunner().invoke(app, words, catch_exceptions=False)
    assert first.exit_code == 0 and "Nothing &#124; done" in first.output
    assert "psnr/nowhere: not measured here" in first.output
    (page,) = tmp_path.glob("out/*/reproduced/*.md")
    records = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/records/*/*.json")}
    assert len(records) == 2
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    assert records == {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/records/*/*.json")}
    assert "as measured here" in page.read_text()


def test_a_table_that_does_not_exist_or_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are ablation, sttn/davis, vinet/table1"):
        load_plan("../pyproject")
    (tmp_path / "bad.toml").write_text("title = 3")
    with pytest.raises(InputError, match="title: .*it is 3"):
        load_plan(str(tmp_path / "bad.toml"))
