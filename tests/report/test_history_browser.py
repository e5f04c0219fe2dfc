"""The page of a history in a real browser: opened from disk, walked by keys, chosen from, and read by axe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import MISSING, Browser
from small_history import MACHINE, commits, write_measured

pytest.importorskip("ruptures", reason="needs ruptures: pip install 'vibench[history]'")

from vibench.report.page.history import write_history
from vibench.results.history import history

pytestmark = [pytest.mark.browser, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

COUNT = 9
LONG = "vinet[a_long_name=true,another_long_name=0.125,weights=/some/where/far/away/weights.safetensors]"
PLOT = "#series0 .plot"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    for number, name in enumerate(commits(folder / "checkout", COUNT)):
        changed = f"{name}+changes" if number == 2 else name
        rate = (20 if number < 5 else 12) + 0.01 * (number % 3)
        write_measured(folder / "here", number, changed, rate=rate, psnr=30 if number < 7 else 31)
        write_measured(folder / "there", number, name, method=LONG, machine={**MACHINE, "processor": "another"})
    found = history([folder / "here", folder / "there"], repository=folder / "checkout")
    return write_history(found, folder / "of <runs> & more.html")


@pytest.fixture(scope="module")
def reader() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


def told(reader: Browser) -> str:
    return str(reader.find("#series0 output").text)


def test_it_opens_from_disk_without_a_complaint_and_says_its_steps(reader: Browser, page: Path) -> None:
    reader.complaints()
    reader.open(page)
    assert reader.complaints() == []
    steps = [step.text for step in reader.find_all(".steps li")]
    assert len(steps) == 2 and steps[0].startswith("better telea, psnr/hole") and steps[1].startswith("worse telea")
    assert len(reader.find_all("#series0 svg .dot")) == COUNT
    assert reader.script("return performance.getEntriesByType('resource').length") == 0


def test_keys_and_the_mouse_walk_through_the_measurements(reader: Browser, page: Path) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    reader.open(page)
    last = told(reader)
    reader.script(f"document.querySelector('{PLOT}').focus()")
    reader.press(Keys.HOME)
    first = told(reader)
    assert first != last and first.startswith("20 frames/s")
    reader.press(*[Keys.ARROW_RIGHT] * 5)
    assert "step −40" in told(reader) and "worse" in told(reader)
    assert reader.find(PLOT).get_attribute("aria-valuenow") == "6"
    assert reader.find(PLOT).get_attribute("aria-valuetext") == told(reader)
    reader.press(*[Keys.ARROW_RIGHT] * COUNT)
    assert told(reader) == last
    ActionChains(reader.driver, duration=0).move_to_element(reader.find_all("#series0 svg .dot")[0]).perform()
    reader.until(lambda: told(reader) == first, "the first measurement under the mouse")


def test_series_are_chosen_and_a_step_shows_its_own_again(reader: Browser, page: Path) -> None:
    def seen() -> int:
        return sum(series.is_displayed() for series in reader.find_all("[data-series]"))

    reader.open(page)
    assert seen() == 4
    reader.choose("#pick0", "1")
    assert seen() == 2
    reader.choose("#pick1", "1")
    assert seen() == 1 and not reader.find("#series0").is_displayed()
    reader.click(".steps li:last-child a")
    assert seen() == 4 and reader.driver.current_url.endswith("#series0")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_violation(reader: Browser, page: Path, dark: bool, width: int) -> None:
    from axe_core_python.selenium import Axe

    reader.open(page, width=width, dark=dark)
    reader.script("for (const details of document.querySelectorAll('details')) details.open = true")
    found = Axe().run(reader.driver)
    assert len(found["passes"]) > 15
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []
    assert reader.script("return document.documentElement.scrollWidth") <= width
