from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from many_records import write_many
from small_run import failed, run_info, write_run

from vibench.errors import InputError
from vibench.report.numbers import FAILURES_SHOWN, footnotes
from vibench.report.page.case_page import page_name
from vibench.report.page.folder import write_report
from vibench.report.page.shown import ALL_SHOWN
from vibench.results.results import Results
from vibench.results.store import Store
from vibench.results.table import tabulate

SCRIPT = "<script>alert(1)</script>"
VOID = {"meta", "link", "img", "input", "br", "hr", "source", "path", "use", "rect", "line", "circle"}


class Page(HTMLParser):
    """Elements of a page in order; raises where a tag is closed that was not open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.cells: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.cells.append([])
        elif tag in ("td", "th"):
            self.cells[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.cells[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_run(
        tmp_path_factory.mktemp("results"),
        ["telea", "flow", SCRIPT],
        ["a/square", "b/square", f"c/{SCRIPT}", "d/square"],
        fails=[("telea", "d/square")],
        warnings={SCRIPT: "random weights"},
    )


@pytest.fixture(scope="module")
def report(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report([store.folder], tmp_path_factory.mktemp("report")).parent


def pages(report: Path) -> list[Path]:
    return [report / "index.html", *sorted((report / "cases").glob("*.html"))]


def test_a_report_is_a_page_the_tables_and_one_page_a_case(report: Path) -> None:
    assert len(pages(report)) == 5
    assert {path.name for path in report.glob("tables.*")} == {"tables.md", "tables.csv", "tables.tex", "tables.json"}


def test_every_page_is_well_formed_and_every_name_is_text(report: Path) -> None:
    for path in pages(report):
        page = Page(path.read_text(encoding="utf-8"))
        assert len(page.all("h1")) == 1
        assert SCRIPT in "".join(page.texts)
        assert "alert(1)" not in "".join(re.findall(r"<script>(.*?)</script>", path.read_text(), re.DOTALL))


def test_ids_are_unique_and_every_image_has_a_text(report: Path) -> None:
    for path in pages(report):
        page = Page(path.read_text(encoding="utf-8"))
        ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
        assert len(ids) == len(set(ids))
        assert all(attributes.get("alt") for attributes in page.all("img"))


def test_nothing_is_loaded_from_elsewhere_and_every_link_leads_somewhere(report: Path) -> None:
    for path in pages(report):
        page = Page(path.read_text(encoding="utf-8"))
        targets = [attributes.get(name) for _, attributes in page.elements for name in ("src", "href")]
        for target in filter(None, targets):
            if target.startswith(("#", "data:")):
                continue
            assert not re.match(r"\w+:|//", target), target
            assert (path.parent / target.partition("#")[0]).exists(), target
        assert "url(http" not in path.read_text()


def test_the_page_shows_the_numbers_of_the_table(report: Path, store: Store) -> None:
    table = tabulate(Results.of(store.info, store.records()))
    shown = Page((report / "index.html").read_text(encoding="utf-8"))
    (row,) = [cells for cells in shown.cells if cells and cells[0].strip() == "flow" and len(cells) > 8]
    for place, column in enumerate(table.columns, start=1):
        found = table.row("flow").cells[column.key].estimate
        assert found is not None
        assert float(re.match(r"[\d.]+", row[place]).group()) == pytest.approx(found.mean, rel=2e-3)  # type: ignore[union-attr]


def test_failed_cases_and_warnings_are_visible(report: Path) -> None:
    text = " ".join(Page((report / "index.html").read_text(encoding="utf-8")).texts)
    assert "1 case failed" in text
    assert "the method fell over <here> & there" in text
    assert "random weights" in text


def test_strips_are_inside_the_page_of_a_small_report(report: Path) -> None:
    images = Page((report / "index.html").read_text(encoding="utf-8")).all("img")
    assert len(images) == 3 * 5 + 4
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in images)


def test_strips_of_a_large_report_lie_beside_it(tmp_path: Path) -> None:
    store = write_run(tmp_path / "results", ["a"], [f"c{k}/square" for k in range(7)], frames=2)
    images = Page(write_report([store.folder], tmp_path / "report").read_text(encoding="utf-8")).all("img")
    assert images and all((tmp_path / "report" / str(image["src"])).exists() for image in images)


def test_different_protocols_never_share_a_table(tmp_path: Path, store: Store) -> None:
    other = write_run(tmp_path / "other", ["telea"], ["a/square"], digest="d2" * 32, protocol_digest="p2" * 32)
    page = write_report([store.folder, other.folder], tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert text.count('class="results"') == 2
    assert "different protocols" in text
    assert len(json.loads((page.parent / "tables.json").read_text())) == 2


def test_a_run_named_twice_is_shown_once(tmp_path: Path, store: Store) -> None:
    page = write_report([store.folder, store.folder], tmp_path / "report")
    assert page.read_text(encoding="utf-8").count('class="results"') == 1


def test_building_again_makes_no_picture_again(report: Path, store: Store) -> None:
    before = {path: path.stat().st_mtime_ns for path in (report / "media").iterdir()}
    said: list[str] = []
    write_report([store.folder], report, say=said.append)
    assert before and before == {path: path.stat().st_mtime_ns for path in (report / "media").iterdir()}
    assert said == []


def test_a_run_without_frames_still_has_its_numbers(tmp_path: Path, store: Store) -> None:
    bare = Store.create(tmp_path, store.info)
    for record in store.records():
        bare.keep(record)
    text = write_report([bare.folder], tmp_path / "report").read_text(encoding="utf-8")
    assert "did not keep its frames" in text and "<td" in text


def test_a_run_with_one_case_and_one_method_has_a_report(tmp_path: Path) -> None:
    store = write_run(tmp_path / "results", ["only"], ["a/square"], frames=1)
    text = write_report([store.folder], tmp_path / "report").read_text(encoding="utf-8")
    assert "one clip" in text


def test_the_page_counts_clips_and_cases_and_says_where_clips_are_too_few(tmp_path: Path) -> None:
    store = write_run(tmp_path / "results", ["near", "far"], [f"c{c}/{h}" for c in range(3) for h in "ab"], frames=2)
    text = write_report([store.folder], tmp_path / "report", holm=True).read_text(encoding="utf-8")
    assert text.count("<small>3 clips</small>") == (2 * 3 + 1) + (2 * 2 + 1)  # all metrics, and the headline columns
    assert "far (3 clips)" in text and "3 clips, 6 cases" in text
    assert "p is after Holm&#39;s correction for 3 comparisons" in text
    assert "mean over the cases that last that long" in text and "dot is a clip, the mean over its cases" in text


def test_a_run_with_no_record_yet_says_so(tmp_path: Path, store: Store) -> None:
    empty = Store.create(tmp_path, store.info)
    text = write_report([empty.folder], tmp_path / "report").read_text(encoding="utf-8")
    assert "not run" in text and "Nothing has been scored yet" in text


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run"):
        write_report([tmp_path], tmp_path / "report")


def test_folders_that_hold_runs_and_paths_as_text_are_taken(tmp_path: Path, store: Store) -> None:
    page = write_report([str(store.folder.parent)], str(tmp_path / "report"))
    assert page == tmp_path / "report" / "index.html" and page.exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, store: Store) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match="cannot write into"):
        write_report([store.folder], tmp_path / "taken" / "report")


def test_pages_are_filled_from_a_zip_file_too(tmp_path: Path) -> None:
    import vibench

    package = Path(vibench.__file__).parent
    with zipfile.ZipFile(tmp_path / "vibench.zip", "w") as archive:
        for path in [*package.rglob("*.py"), *(package / "report" / "page" / "templates").iterdir()]:
            archive.write(path, path.relative_to(package.parent))
    probe = (
        "import sys; sys.path.insert(0, sys.argv[1]); from vibench.report.page import render;"
        "assert render.__file__.startswith(sys.argv[1]), render.__file__;"
        "print(render.render('study.html', {'question': 'Which <one>?', 'removal': False, 'data': {}}))"
    )
    command = [sys.executable, "-I", "-c", probe, str(tmp_path / "vibench.zip")]
    page = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Which &lt;one&gt;?" in page and "prefers-reduced-motion" in page


def test_the_protocol_is_shown_in_the_notation_of_its_file(store: Store) -> None:
    import tomllib

    from vibench.document import to_toml

    read = tomllib.loads(to_toml(store.info.protocol))
    assert read["scoring"] == store.info.protocol["scoring"]
    assert read["holes"][0]["generator"] == "stationary-square"


def test_slices_are_means_over_the_cases_that_share_an_attribute(tmp_path: Path) -> None:
    from vibench.report.page.slices import slices_of

    cases = [f"{clip}/{hole}" for clip in "ab" for hole in ("square", "strokes")]
    store = write_run(tmp_path, ["only"], cases, frames=2)
    results = Results.of(store.info, store.records())
    values = results.matrix("psnr", "frame")["only"]
    (by_hole,) = [
        found for found in slices_of(tabulate(results)) if (found["attribute"], found["key"]) == ("hole", "psnr/frame")
    ]
    assert by_hole["heads"] == [("square", 2), ("strokes", 2)]
    expected = np.mean([values["a/square"], values["b/square"]])
    assert float(by_hole["rows"][0][1][0]) == pytest.approx(expected, abs=0.005)


def test_names_in_the_speed_plot_do_not_lie_on_each_other() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from vibench.report.page.plots import _write_names

    figure = Figure(figsize=(5.2, 3.6))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xscale="log", xlim=(0.4, 100), ylim=(23, 40))
    points = [
        (32.0, 4.0, "flow_propagation"),
        (32.3, 26.0, "last_seen"),
        (32.1, 4.1, "frame_baseline"),
        (24, 50, "telea"),
    ]
    _write_names(axes, [(y, x, name, place) for place, (y, x, name) in enumerate(points)])
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == len(points)
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    assert len({text.get_color() for text in axes.texts}) == len(points)
    undisturbed = next(text for text in axes.texts if text.get_text() == "telea")
    assert undisturbed.get_position() == (-8, 0)


def test_of_many_cases_those_are_shown_that_a_reader_looks_at_and_others_on_demand(tmp_path: Path) -> None:
    store = write_many(tmp_path, 10 * (ALL_SHOWN + 20))
    output = tmp_path / "report"
    write_report([store.folder], output)
    cases = {page.name for page in (output / "cases").iterdir()}
    results = Results.of(store.info, store.records())
    values = results.matrix("psnr", "hole")
    means = values.mean(axis=1)
    looked_at = {means.idxmin(), means.idxmax(), *values.idxmin()}
    assert {page_name(results, case) for case in looked_at} <= cases and len(cases) < ALL_SHOWN
    overview = Page((output / "index.html").read_text(encoding="utf-8"))
    assert f"{len(cases)} of {ALL_SHOWN + 20} cases are shown" in "".join(overview.texts)
    written = pd.read_csv(output / "values.csv")
    assert len(written) == len(results.values) and written.value.sum() == pytest.approx(results.values.value.sum())
    hidden = next(case for case in store.info.cases if page_name(results, case) not in cases)
    write_report([store.folder], output, cases=hidden)
    assert (output / "cases" / page_name(results, hidden)).exists()
    write_report([store.folder], output, cases="all")
    assert len(list((output / "cases").iterdir())) == ALL_SHOWN + 20
    with pytest.raises(InputError, match="no case has 'nowhere' in its name"):
        write_report([store.folder], output, cases="nowhere")


def test_neighbours_of_a_shown_case_are_shown(tmp_path: Path) -> None:
    store = write_many(tmp_path, 10 * (ALL_SHOWN + 2))
    write_report([store.folder], tmp_path / "report")
    pages = tmp_path / "report" / "cases"
    for page in pages.iterdir():
        links = [
            attributes["href"] for tag, attributes in Page(page.read_text("utf-8")).elements if "rel" in attributes
        ]
        assert links and all((pages / str(link)).exists() for link in links)


def test_many_failures_are_told_by_their_reasons(tmp_path: Path) -> None:
    info = run_info(["a"], [f"c{k}" for k in range(FAILURES_SHOWN + 10)])
    records = [failed(info, "a", case, "it fell over" if k else "it burnt") for k, case in enumerate(info.cases)]
    notes = [note for note in footnotes(tabulate(Results.of(info, records))) if "failed" in note]
    assert notes == [
        "a failed on 29 cases (c1, c2, c3, c4, c5 and 24 more): error: it fell over",
        "a failed on 1 case (c0): error: it burnt",
    ]
