"""Generated pages are what their scripts make of the inputs at hand, and a page that is not is told with a diff."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from small_run import PSNR, record, run_info, timing

from vibench.results.store import Store

CHECKOUT = Path(__file__).parents[2]
MAKE = CHECKOUT / "docs" / "make"
pytestmark = pytest.mark.skipif(not MAKE.is_dir(), reason="needs a checkout, not a wheel")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(MAKE)
    import pages

    return pages


@pytest.fixture
def results(pages: ModuleType) -> ModuleType:
    import results

    return results


@pytest.mark.parametrize("script", ["architecture", "calibration", "devices", "results", "scale", "schemas"])
def test_the_page_is_what_its_script_makes(script: str) -> None:
    command = [sys.executable, str(MAKE / f"{script}.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"run `make docs` and commit what it writes:\n{ran.stdout}{ran.stderr}"


def test_rounding_is_no_difference_and_a_digit_is(pages: ModuleType) -> None:
    line = "| `psnr` | 26.48910217 | 0.000556 of 90% | 1.4e-14 |"
    assert pages.same_line(line, line.replace("26.48910217", "26.48910218").replace("1.4e-14", "1.8e-14"))
    for old, new in [
        ("26.489", "26.490"),
        ("0.000556", "0.000558"),
        ("90%", "91%"),
        ("e-14", "e-05"),
        ("psnr", "ssim"),
    ]:
        assert not pages.same_line(line, line.replace(old, new)), new


def test_a_page_that_differs_by_rounding_stays_as_it_is(
    pages: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages, "CHECKOUT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("mean 0.123456\n")
    assert pages.keep(page, "mean 0.123457\n", check=False, computed=True)
    assert page.read_text() == "mean 0.123456\n"
    assert not pages.keep(page, "mean 0.123457\n", check=True)
    assert not pages.keep(page, "mean 0.223456\n", check=True, computed=True)
    assert page.read_text() == "mean 0.123456\n" and "+mean 0.223456" in capsys.readouterr().out
    assert not pages.keep(page, "mean 0.223456\n", check=False)
    assert page.read_text() == "mean 0.223456\n"


def test_a_block_is_replaced_between_its_marks_alone(pages: ModuleType) -> None:
    page = "before\n<!-- x -->\nold\n<!-- end of x -->\nafter\n"
    assert pages.with_block(page, "x", "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no block"):
        pages.with_block("before\n", "x", "new")


METHODS = {"vinet": 20.0, "telea": 17.0}
METRICS = ("psnr", "lpips-alex", "warping-error-dis")


def small_results(folder: Path, clips: int, holes: int) -> Path:
    """A run of two methods whose hole has a value of each metric that the page shows."""
    facts = [PSNR.model_copy(update={"name": name, "better": "higher" if name == "psnr" else "lower",
                                     "has_floor": name == "warping-error-dis"}) for name in METRICS]  # fmt: skip
    info = run_info([*METHODS], [f"clip{c}/hole{h}" for c in range(clips) for h in range(holes)], metrics=facts)
    store = Store.create(folder, info)
    for place, case in enumerate(info.cases):
        for method, level in METHODS.items():
            scores = {name: {"hole": [level + 0.1 * place]} for name in METRICS}
            store.keep(record(info, method, case, scores, timing=timing(1.0, 10)))
        store.keep(record(info, "truth", case, {"warping-error-dis": {"hole": [1.0]}}))
    return store.folder


@pytest.mark.parametrize(
    ("clips", "holes", "counted", "beside"),
    [(8, 1, "8 cases", "["), (6, 2, "6 clips, 12 cases", "["), (3, 2, "3 clips, 6 cases", "3 clips")],
)
def test_results_and_readme_count_clips_and_cases_as_the_tables_do(
    results: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clips: int,
    holes: int,
    counted: str,
    beside: str,
) -> None:
    monkeypatch.setattr(results, "README_PROTOCOLS", ("small@1",))
    page = results.results_page([str(small_results(tmp_path, clips, holes))])
    text = " ".join(page.split())
    assert f"- Protocol small@1, {counted}. A number is the mean over" in text
    assert ("Cases of one clip are not independent" in text) == (holes > 1)
    short = results.readme_tables(page)
    assert short.startswith(f"**small@1**, {counted}\n\n| method |")
    vinet = next(line for line in short.splitlines() if line.startswith("| `vinet` |"))
    assert f" {beside}" in vinet and f"{clips * holes}/{clips * holes} |" in vinet
    marked = vinet.count("**") // 2 + next(line for line in short.splitlines() if "`telea`" in line).count("**") // 2
    assert marked == (3 if clips >= 6 else 0)  # p of fewer clips cannot be below 0.05
    difference = next(line for line in page.splitlines() if line.startswith("| `telea` | 3.00"))
    assert f" {beside}" in difference


def test_the_readme_shows_its_own_protocols_alone(results: ModuleType) -> None:
    assert results.README_PROTOCOLS and "small@1" not in results.README_PROTOCOLS
    assert results.readme_tables("# Results\n\n## small@1\n\n| a |\n\n- Protocol small@1. A number.\n") == ""


def test_a_page_that_does_not_count_its_cases_is_refused(results: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "README_PROTOCOLS", ("small@1",))
    with pytest.raises(ValueError, match="how many cases of small@1"):
        results.readme_tables("# Results\n\n## small@1\n\n| a |\n\n- Protocol small@1. A number.\n")


def test_an_interval_in_prose_is_one_of_the_results() -> None:
    """What docs/training.md says of DAVIS with brackets stands on a page of results with equal digits.

    Its tables are of other data, and have their own commands.
    """
    interval = re.compile(r"[-−]?\d+\.\d+(?: dB)? \[[-−]?\d+\.\d+, [-−]?\d+\.\d+\]")

    def found(path: str, tables: bool = True) -> set[str]:
        lines = (CHECKOUT / path).read_text(encoding="utf-8").splitlines()
        text = " ".join(" ".join(line for line in lines if tables or line[:1] != "|").replace("**", "").split())
        return {match.replace("-", "−").replace(" dB", "") for match in interval.findall(text)}

    assert len(found("docs/training.md", tables=False)) >= 12
    assert found("docs/training.md", tables=False) <= found("docs/results.md") | found("docs/results-earlier.md")
