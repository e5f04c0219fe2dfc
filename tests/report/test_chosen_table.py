"""Tables for papers: what they show, that they compile, and that they fit the page."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from small_run import PSNR, WARPING, record, run_info, timing, write_run
from typer.testing import CliRunner

import vibench
from vibench.cli.app import app
from vibench.errors import InputError
from vibench.results.record import MetricFacts
from vibench.results.store import Store

LPIPS = MetricFacts(
    name="lpips-alex", title="LPIPS (AlexNet)", unit="", better="lower", has_floor=False, source="Zhang", version=1
)
METHODS = ["vinet[memory=false]", "tel_ea", 'odd "one" \\ #$&% ~^']


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of three methods: the first is better than the second, and the third failed on a case."""
    return _written(tmp_path_factory.mktemp("chosen"), METHODS, [PSNR, WARPING, LPIPS])


def _written(folder: Path, methods: list[str], metrics: list[MetricFacts]) -> Path:
    cases = [f"clip{k}/square" for k in range(8)]
    info = run_info(methods, cases, metrics=metrics)
    store = Store.create(folder, info)
    generator = np.random.default_rng(1)
    for k, case in enumerate(cases):
        hard = generator.normal()
        for place, method in enumerate(methods):
            value = 30 + 3 * hard - place + 0.1 * generator.normal()
            scores = {
                metric.name: {
                    region: [value if metric.better == "higher" else 1 / value] for region in ("frame", "hole")
                }
                for metric in metrics
            }
            if place == 2 and k == 0:
                continue
            store.keep(record(info, method, case, scores, timing=timing(1.0 + place, 10)))
    return store.folder


def test_columns_and_rows_stand_in_the_order_asked_for_under_the_field_s_names(run: Path) -> None:
    text = vibench.table_text([run], "lpips-alex/hole,psnr/hole,frames/s", "tel_ea,vinet[memory=false]", "markdown")
    head = next(line for line in text.splitlines() if line.startswith("| method"))
    assert [cell.strip() for cell in head.strip("|").split("|")] == [
        "method", "LPIPS hole ↓", "PSNR hole, dB ↑", "frames/s"
    ]  # fmt: skip
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][2:]
    assert rows == ["tel\\_ea", "vinet\\[memory=false\\]"]


def test_a_method_that_is_not_shown_takes_no_case_from_the_others(run: Path) -> None:
    all_three = vibench.table_text([run], "psnr/hole", format="markdown")
    assert "psnr/hole: 1 of 8 cases left out" in all_three
    assert "left out" not in vibench.table_text([run], "psnr/hole", METHODS[:2], "markdown")


def test_means_are_those_of_the_run_s_own_table(run: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(vibench.table_text([run], "psnr/hole", METHODS[:2], "csv"))))
    values = vibench.open_run(run).values
    chosen = values[(values.metric == "psnr") & (values.region == "hole")]
    for line in lines:
        assert float(line["mean"]) == pytest.approx(chosen[chosen.method == line["method"]].value.mean())
    assert [(line["metric"], line["region"]) for line in lines] == [("psnr", "hole")] * 2


def test_only_what_is_significant_is_bold_and_holm_counts_the_table_s_own_tests(run: Path) -> None:
    text = vibench.table_text([run], "psnr/hole", METHODS[:2], "latex", holm=True)
    best, other = (line for line in text.splitlines() if line.startswith(("  vinet", r"  tel\_ea")))
    assert "\\textbf" in best and "\\textbf" not in other
    assert "p is after Holm's correction for 1 comparison." in text
    alone = vibench.table_text([run], "psnr/hole", METHODS[:1], "latex")
    assert "\\textbf" not in alone and "Best is bold" not in alone


def test_the_caption_says_protocol_clips_and_rule_and_intervals_come_on_request(run: Path) -> None:
    text = vibench.table_text([run], "psnr/hole")
    caption = re.search(r"\\caption\{(.*)\}", text)
    assert caption and "Protocol small@1, 8 cases" in caption[1]
    assert "paired difference" in caption[1] and "Wilcoxon" in caption[1]
    assert "Brackets" not in text and r"\scriptsize [" not in text
    wider = vibench.table_text([run], "psnr/hole", intervals=True)
    assert r"\scriptsize [" in wider and "Brackets hold the 95 \\% bootstrap interval" in wider


def test_a_method_may_be_shown_under_another_name(run: Path) -> None:
    done = CliRunner().invoke(app, ["table", str(run), "--name", "vinet[memory=false]:Ours & co", "--rows",
                                    "tel_ea,vinet[memory=false]", "--metrics", "psnr/hole"])  # fmt: skip
    assert done.exit_code == 0 and r"Ours \& co &" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"metrics": "psnr/nowhere"}, "'psnr/nowhere'; there are psnr/frame, psnr/hole"),
        ({"rows": "telea"}, "no run has a method 'telea'"),
        ({"format": "docx"}, "--format is latex, markdown, csv, typst, not 'docx'"),
        ({"names": {"nobody": "x"}}, "no run has a method 'nobody'"),
    ],
)
def test_what_is_not_there_is_named(run: Path, arguments: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        vibench.table_text([run], **arguments)  # type: ignore[arg-type]


def test_two_metrics_of_one_name_in_the_field_have_their_full_titles(tmp_path: Path) -> None:
    squeeze = LPIPS.model_copy(update={"name": "lpips-squeeze", "title": "LPIPS (SqueezeNet)"})
    text = vibench.table_text([_written(tmp_path, ["a", "b"], [LPIPS, squeeze])], format="markdown")
    assert "LPIPS (AlexNet) hole" in text and "LPIPS (SqueezeNet) hole" in text


MANY = [
    PSNR.model_copy(update={"name": f"psnr{k}", "title": f"A metric with a long title {k}", "unit": "dB"})
    for k in range(8)
]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (Debian: texlive-latex-recommended)")
@pytest.mark.parametrize("intervals", [False, True])
@pytest.mark.parametrize("metrics", [[PSNR], [PSNR, WARPING, LPIPS], MANY])
def test_latex_compiles_and_fits_a_two_column_page(tmp_path: Path, metrics: list[MetricFacts], intervals: bool) -> None:
    table = vibench.table_text([_written(tmp_path / "runs", METHODS, metrics)], intervals=intervals)
    document = "\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "table.tex").write_text(document % table, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert "Overfull \\hbox" not in done.stdout, done.stdout
    assert (tmp_path / "table.pdf").stat().st_size > 5_000


@pytest.mark.parametrize("metrics", [[PSNR], [PSNR, WARPING, LPIPS], MANY])
def test_typst_compiles(tmp_path: Path, metrics: list[MetricFacts]) -> None:
    typst = pytest.importorskip("typst", reason="needs the package typst")
    table = vibench.table_text([_written(tmp_path / "runs", METHODS, metrics)], format="typst", intervals=True)
    (tmp_path / "table.typ").write_text(f"#set page(columns: 2)\n{table}\n@tab:small-1\n", encoding="utf-8")
    pdf = typst.compile(str(tmp_path / "table.typ"))
    assert pdf.startswith(b"%PDF") and len(pdf) > 5_000


def test_several_protocols_are_tables_apart(tmp_path: Path) -> None:
    write_run(tmp_path, ["a"], ["x"])
    write_run(tmp_path, ["a"], ["x"], digest="d2" * 32, protocol_digest="p2" * 32)
    for form in ("latex", "markdown", "typst"):
        text = vibench.table_text([tmp_path], "psnr/hole", format=form)
        assert text.count("must not be compared with a number of another") == 1
