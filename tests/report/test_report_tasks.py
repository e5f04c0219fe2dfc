"""Five things that a reader wants of a report, each done in Chromium by clicks and by scrolling whole screens.

``REPORT=FOLDER`` does them on a report of one's own, which says where docs/report.md has its figures from:
``REPORT=report python -m pytest -s tests/report/test_report_tasks.py``.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import MISSING, Browser
from small_run import write_run

from vibench.report.page.folder import write_report

pytestmark = [pytest.mark.browser, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]


class Reader:
    """Somebody before a browser, whose clicks and scrolled screens are counted."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.clicks, self.screens = browser, 0, 0

    def see(self, selector: str) -> str:
        """Scroll until an element begins within the window, and return its text."""
        found = self.browser.find(selector)
        top, height = self.browser.script(
            "return [arguments[0].getBoundingClientRect().top, window.innerHeight]", found
        )
        if not 0 <= top < height - 40:
            self.screens += math.ceil(abs(top) / height) if top < 0 else math.ceil((top - height + 40) / height)
            self.browser.script("arguments[0].scrollIntoView({ behavior: 'instant' })", found)
        return str(found.text)

    def click(self, selector: str) -> None:
        self.see(selector)
        self.clicks += 1
        self.browser.click(selector)


STEADY = ".finding[title^=warping]"


def best_at_warping_error(reader: Reader) -> str:
    return reader.see(f"{STEADY} .winner")


def its_worst_clip(reader: Reader) -> str:
    reader.click(f"{STEADY} [data-worst]")
    return reader.see(".fails:not([hidden]) li .name")


def enlarged_beside_the_truth(reader: Reader) -> str:
    """How many times as large a pixel is shown."""
    its_worst_clip(reader)
    reader.click(".fails:not([hidden]) li a")
    canvas = "[data-part=stage] canvas"
    reader.browser.until(lambda: len(reader.browser.find_all(canvas)) == 2, "the method and the truth")
    reader.see(canvas)
    return str(
        reader.browser.script("return arguments[0].clientWidth / arguments[0].width", reader.browser.find(canvas))
    )


def copy_a_latex_table(reader: Reader) -> str:
    reader.browser.script("navigator.clipboard.writeText = async (text) => { window.clipboardText = text; }")
    reader.click("[data-copy=latex]")
    reader.browser.until(lambda: reader.browser.find("[data-copied]").text == "Copied.", "the table is copied")
    return str(reader.browser.script("return window.clipboardText"))


def why_two_are_not_ranked(reader: Reader) -> str:
    return reader.see(f"{STEADY} p:last-child")


Task = tuple[Callable[[Reader], str], int, int, Callable[[str], bool]]
TASKS: list[Task] = [
    (best_at_warping_error, 0, 2, lambda said: "0.00" in said),
    (its_worst_clip, 1, 4, lambda said: "/" in said),
    (enlarged_beside_the_truth, 2, 4, lambda said: float(said) >= 3),
    (copy_a_latex_table, 1, 3, lambda said: "tabular" in said),
    (why_two_are_not_ranked, 0, 2, lambda said: "takes 6" in said or "holds zero" in said or "not below" in said),
]
"""A task, the most clicks and screens that it may take, and what its answer must be like."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if own := os.environ.get("REPORT"):
        return Path(own).resolve() / "index.html"
    run = write_run(tmp_path_factory.mktemp("run"), ["telea", "vinet"], [f"c{k}/square" for k in range(4)], 6, 144, 176)
    return write_report([run.folder], tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize(("task", "clicks", "screens", "is_answer"), TASKS)
def test_a_reader_finds_it(
    browser: Browser, report: Path, task: Callable[[Reader], str], clicks: int, screens: int,
    is_answer: Callable[[str], bool], width: int,
) -> None:  # fmt: skip
    browser.open(report, width=width, reduced=True)
    browser.until(
        lambda: browser.script("const hero = document.querySelector('[data-hero]'); return !hero || !hero.hidden"),
        "the page stands",
    )
    reader, started = Reader(browser), time.perf_counter()
    answer = task(reader)
    print(f"{task.__name__} at {width} px: {reader.clicks} clicks, {reader.screens} screens, "
          f"{time.perf_counter() - started:.1f} s: {' '.join(answer.split())[:90]}")  # fmt: skip
    assert is_answer(answer)
    assert reader.clicks <= clicks and reader.screens <= screens
