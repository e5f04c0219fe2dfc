"""Generated pages are what their scripts make of the inputs at hand, and a page that is not is told with a diff."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).parents[2]
MAKE = CHECKOUT / "docs" / "make"
pytestmark = pytest.mark.skipif(not MAKE.is_dir(), reason="needs a checkout, not a wheel")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(MAKE)
    import pages

    return pages


@pytest.mark.parametrize("script", ["architecture", "calibration", "results"])
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


def test_an_interval_in_prose_is_one_of_the_results() -> None:
    """What docs/training.md says of DAVIS with brackets stands in docs/results.md with equal digits."""
    interval = re.compile(r"[-−]?\d+\.\d+(?: dB)? \[[-−]?\d+\.\d+, [-−]?\d+\.\d+\]")

    def found(path: str) -> set[str]:
        text = " ".join((CHECKOUT / path).read_text(encoding="utf-8").replace("**", "").split())
        return {match.replace("-", "−").replace(" dB", "") for match in interval.findall(text)}

    assert len(found("docs/training.md")) >= 12
    assert found("docs/training.md") <= found("docs/results.md")
