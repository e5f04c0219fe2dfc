from __future__ import annotations

import csv as csv_reader
import io
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker
from small_run import failed, psnr_records, record, run_info, timing

from vibench.report.latex import latex, latex_text
from vibench.report.numbers import decimals, footnotes, interval, knows_text, number, remarks, speed_texts
from vibench.report.tables import as_json, csv, markdown, write_tables
from vibench.report.terminal import terminal
from vibench.results.records import Records
from vibench.results.results import Results
from vibench.results.table import Table, tabulate

NASTY = "<script>alert(1)</script> & 100% _x_ {y} $z$ | \\end{table} ^ ~ #"


def nasty_table() -> Table:
    generator = np.random.default_rng(0)
    base = generator.normal(30, 3, 8)
    info = run_info([NASTY, "telea", "dead"], [f"clip_{k}" for k in range(8)], warnings={"telea": "random weights_1"})
    scores = {
        NASTY: {f"clip_{k}": [base[k] + 1 + 0.1 * generator.normal()] for k in range(8)},
        "telea": {f"clip_{k}": [base[k]] for k in range(8)},
    }
    records = [*psnr_records(info, scores), failed(info, "dead", "clip_0", "50% of {memory}")]
    return tabulate(Results.of(info, records))


def latex_rows(source: str, panel: int = 0) -> list[list[str]]:
    """Cells of a tabular's rows; a row may only break at an unescaped ampersand."""
    body = source.split(r"\toprule")[1 + panel].split(r"\bottomrule")[0]
    rows = [line for line in re.split(r"(?<!\\)\\\\\n", body) if "&" in line]
    return [re.split(r"(?<!\\)&", row) for row in rows]


def test_latex_parses_strictly_and_every_row_has_every_column() -> None:
    source = latex([nasty_table()])
    nodes, _, _ = LatexWalker(source, tolerant_parsing=False).get_latex_nodes()
    assert [node.environmentname for node in nodes if node.isNodeType(LatexEnvironmentNode)] == ["table*"]
    # So long a name leaves room for two columns beside it: there are two panels, which both begin with the names.
    panels = [latex_rows(source, panel) for panel in range(source.count(r"\toprule"))]
    assert [len(rows) for rows in panels] == [4, 4]
    assert [{len(row) for row in rows} for rows in panels] == [{3}, {3}]


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="needs pdflatex on the path (Debian: texlive-latex-recommended)"
)
def test_latex_compiles(tmp_path: Path) -> None:
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "table.tex").write_text(document % latex([nasty_table()]), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "table.pdf").stat().st_size > 5_000


def test_latex_marks_the_best_and_shows_its_number() -> None:
    table = nasty_table()
    mean = table.row(NASTY).cells["psnr/frame"].estimate.mean  # type: ignore[union-attr]
    assert rf"\textbf{{{mean:.2f}}}" in latex([table])


def test_latex_text_has_no_bare_special_character() -> None:
    bare = re.sub(r"\\[{}$&#_%]|\\text\w+\{\}", "", latex_text(NASTY))
    assert not set(bare) & set("\\{}$&#_%~^<>|")


def test_markdown_renders_as_one_table_with_the_names_as_text() -> None:
    table = nasty_table()
    html = MarkdownIt("commonmark").enable("table").render(markdown([table]))
    assert html.count("<table>") == 1
    assert "<script>" not in html
    assert "random weights_1" in html and "50% of {memory}" in html
    lines = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    head, *rows = (
        [unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)]
        for line in lines
    )
    assert head[:3] == ["method", "psnr frame, dB ↑", "knows"]
    assert {len(row) for row in rows} == {len(head)}
    assert [row[0] for row in rows] == [NASTY, "telea", "dead"]
    for row, shown in zip(table.rows, rows, strict=True):
        found = row.cells["psnr/frame"].estimate
        assert shown[1].split()[0] == (f"{found.mean:.2f}" if found else "–")


def test_csv_has_full_precision_and_one_line_a_method() -> None:
    table = nasty_table()
    lines = list(csv_reader.DictReader(io.StringIO(csv([table]))))
    assert [line["method"] for line in lines] == [NASTY, "telea", "dead"]
    assert float(lines[0]["mean"]) == table.row(NASTY).cells["psnr/frame"].estimate.mean  # type: ignore[union-attr]
    assert lines[2]["mean"] == "" and lines[2]["cases_failed"] == "1"


def test_every_form_shows_failures_warnings_and_left_out_cases() -> None:
    table = nasty_table()
    for text in (markdown([table]), latex([table]), as_json([table])):
        assert "1 failed" in text or '"failed"' in text
        assert "random" in text


def test_every_form_says_what_a_method_knows_and_a_dash_where_it_does_not_say() -> None:
    said = {"good": "whole clip", "loud": "all\x1b[31m" + 40 * "x"}
    info = run_info(["good", "mute", "loud"], ["one"], knows=said)
    records = [record(info, label, "one", {"psnr": {"frame": [20.0]}}) for label in ("good", "mute", "loud")]
    table = tabulate(Results.of(info, records))
    assert [knows_text(row) for row in table.rows[:2]] == ["whole clip", "–"]
    assert len(knows_text(table.rows[2])) < 40 and "\x1b" not in knows_text(table.rows[2])
    lines = markdown([table]).splitlines()
    assert next(line for line in lines if line.startswith("| good")).split(" | ")[2] == "whole clip"
    assert latex_rows(latex([table]))[1][2].strip() == "whole clip"
    assert [line["knows"] for line in csv_reader.DictReader(io.StringIO(csv([table])))][:2] == ["whole clip", ""]
    assert json.loads(as_json([table]))[0]["rows"][0]["knows"] == "whole clip"
    assert str(next(iter(terminal(table).columns[2].cells))) == "whole clip"


def test_terminal_table_shows_the_mean_and_warns_in_red() -> None:
    from rich.console import Console

    console = Console(width=140, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(terminal(nasty_table()))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    mean = nasty_table().row("telea").cells["psnr/frame"].estimate.mean  # type: ignore[union-attr]
    assert f"{mean:.2f}" in shown
    assert re.search(r"\x1b\[31m\s*telea", shown)


def test_write_tables_leaves_four_files(tmp_path: Path) -> None:
    write_tables([nasty_table()], tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "tables.csv", "tables.json", "tables.md", "tables.tex"
    ]  # fmt: skip
    assert json.loads((tmp_path / "out/tables.json").read_text())[0]["protocol"] == "small@1"


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(31.456, 2, "31.46"), (-0.004, 2, "0.00"), (-1.5, 1, "−1.5"), (0.0, 2, "0.00")]
)
def test_numbers_have_a_true_minus_and_no_minus_zero(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_digits_show_three_significant_ones() -> None:
    table = nasty_table()
    assert decimals(table, table.columns[0]) == 2


def test_an_interval_of_few_clips_is_flagged() -> None:
    from vibench.results.statistics import estimate

    assert interval(estimate([1.0, 2.0, 3.0, 4.0]), 1).endswith("†")
    assert interval(estimate([1.0, 2.0, 3.0, 4.0, 5.0]), 1).endswith("†")
    assert interval(estimate([1.0, 2.0, 3.0]), 1) == "3 clips"
    assert interval(estimate([1.0]), 1) == "one clip"
    assert not interval(estimate([1.0, 2.0, 3.0, 2.0, 1.0, 2.0]), 1).endswith("†")


def three_clips() -> Table:
    """Three clips of two cases each, and two methods, of which one is a dB better everywhere."""
    cases = [f"clip{c}/{hole}" for c in range(3) for hole in ("one", "two")]
    info = run_info(["good", "poor"], cases)
    scores = {label: {case: [20.0 + k + gap] for k, case in enumerate(cases)} for label, gap in SCORES.items()}
    return tabulate(Results.of(info, psnr_records(info, scores)))


SCORES = {"good": 1.0, "poor": 0.0}


def test_every_form_says_how_few_clips_there_are_in_the_place_of_an_interval() -> None:
    table = three_clips()
    assert "| good | 23.50 3 clips | – | 6/6 |" in markdown([table])
    assert r"good & 23.50 {\scriptsize 3 clips} & -- & 6/6" in latex([table])
    line, _ = csv_reader.DictReader(io.StringIO(csv([table])))
    assert (line["low"], line["high"], line["interval"], line["clips"], line["cases"]) == ("", "", "3 clips", "3", "6")
    (plain,) = json.loads(as_json([table]))
    cell = plain["rows"][0]["cells"]["psnr/frame"]
    assert (cell["estimate"]["low"], cell["interval"]) == (None, "3 clips")
    assert any("3 clips" in str(drawn) for drawn in terminal(table).columns[1].cells)
    for text in (markdown([table]), latex([table]), as_json([table])):
        assert "Brackets hold" not in text
        assert "3 clips in the place of an interval: of fewer than 4 clips it would be too wide" in text


def test_notes_count_clips_cases_and_comparisons() -> None:
    notes = " ".join(footnotes(three_clips()))
    assert (
        "Protocol small@1, 3 clips, 6 cases. A number is the mean over the frames of a case, then over cases." in notes
    )
    assert "Cases of one clip are not independent: they are one value in all tests." in notes
    assert "Every two of 2 methods are compared in 1 column: p is not corrected for 1 comparison;" in notes
    corrected = " ".join(footnotes(tabulate(three_clips().results, holm=True)))
    assert "p is after Holm's correction for 1 comparison." in corrected


def test_a_speed_of_several_machines_is_several_and_has_a_note_for_each() -> None:
    info = run_info(["a"], ["x", "y"])
    times = {"x": timing(1.0, 10).model_copy(update={"machine": "big"}),
             "y": timing(4.0, 10).model_copy(update={"machine": "small\x1b[2J"})}  # fmt: skip
    scores = {"psnr": {"frame": [1.0]}}
    table = tabulate(Results.of(info, [record(info, "a", case, scores, timing=times[case]) for case in times]))
    assert set(speed_texts(table.rows[0])) == {"several"}
    notes = [note for note in footnotes(table) if "frames/s" in note]
    assert notes[0].startswith("a on big, 1 case: frames/s 10.0,")
    assert notes[1].startswith("a on small\\x1b[2J, 1 case: frames/s 2.50,")
    row = json.loads(as_json([table]))[0]["rows"][0]
    assert row["speed"] is None and [speed["machine"] for speed in row["speeds"]] == ["big", "small\x1b[2J"]


def test_remarks_make_no_record_of_the_many_that_have_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    info = run_info(["telea"], ["ant/square", "bee/square", "cow/square"])
    made = psnr_records(info, {"telea": {case: [20.0, 21.0] for case in info.cases}})
    made[1:] = [one.model_copy(update={"notes": ("the program cut <off> the last frame",)}) for one in made[1:]]
    results = Results.of(info, made)
    monkeypatch.setattr(Records, "_made", None)
    assert remarks(tabulate(results))[0] == (
        "telea, on bee/square and 1 further case: the program cut <off> the last frame."
    )
