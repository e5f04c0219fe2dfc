"""The report in a real browser: opened from disk, played, stepped, compared, sorted, filtered and read by axe."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from browser import MISSING, READS_VIDEO, Browser
from numpy.typing import NDArray
from small_run import real_clip, write_run

from vibench.clip import Frames
from vibench.report.page.folder import write_report
from vibench.report.page.mosaic import patch_blocks, pixels_of
from vibench.results.record import Record
from vibench.results.results import Results
from vibench.results.store import Store
from vibench.results.table import tabulate

pytestmark = [pytest.mark.browser, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

SCRIPT = "<script>document.title = 'run'</script>"
METHODS = ["telea", "flow", SCRIPT]
CASES = ["long/square", f"short/{SCRIPT}", "failed/square"]
FRAMES, HEIGHT, WIDTH = 80, 128, 224
BITS, BIT_PX = 7, 8
HOLE_LEFT, HOLE_TOP = WIDTH // 4, HEIGHT // 4
IN_HOLE, BELOW_HOLE = HOLE_TOP + 16, HEIGHT - 20
"""Rows where the number of a frame can be read: filled by a method, and given to it."""


def numbered_clip(frames: int, height: int, width: int, seed: int) -> Frames:
    """A real clip with its frame number drawn as vertical bars, white for a one, through hole and surroundings."""
    clip = real_clip(frames if seed == 0 else 5, height, width, seed)
    for number, frame in enumerate(clip):
        for bit in range(BITS):
            left = HOLE_LEFT + bit * BIT_PX
            frame[:, left : left + BIT_PX] = 200 if number >> bit & 1 else 20
    return clip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("results")
    fails = [("flow", CASES[2])]
    return write_run(
        folder, METHODS, CASES, FRAMES, HEIGHT, WIDTH, fails, numbered_clip, warnings={"telea": "random weights"}
    )


@pytest.fixture(scope="module")
def report(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report([store.folder], tmp_path_factory.mktemp("report") / "of <runs> & more").parent


@pytest.fixture(scope="module")
def pages(report: Path) -> dict[str, Path]:
    """Overview, and the case pages by the start of their name."""
    cases = sorted((report / "cases").glob("*.html"))
    named = {
        name.partition("/")[0]: page for name in CASES for page in cases if f"-{name.partition('/')[0]}_" in page.name
    }
    assert len(named) == len(CASES)
    return {"overview": report / "index.html", **named}


@pytest.fixture(scope="module")
def reader() -> Iterator[Browser]:
    """As a reader has it."""
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def measurer() -> Iterator[Browser]:
    """With pixels that the test may read."""
    browser = Browser(READS_VIDEO)
    yield browser
    browser.close()


def open_case(browser: Browser, page: Path, link: str = "", **wishes: bool | int) -> None:
    browser.open(page, link, **wishes)  # type: ignore[arg-type]
    wanted = int(parse_qs(link).get("frame", ["0"])[0])
    browser.until(lambda: shown_frame(browser) == wanted and row_shown(browser), "the player is ready")


def shown_frame(browser: Browser) -> int:
    """Counted from 0; -1 before the first is shown."""
    text = browser.script("return document.querySelector('[data-part=now]').value")
    return int(text.partition(" /")[0] or 0) - 1


def row_shown(browser: Browser) -> int:
    text = browser.script("return document.querySelector('[data-part=row-now]').value")
    return int(text.removeprefix("row ") or 0)


def place(browser: Browser) -> dict[str, str]:
    """What the link says."""
    return {key: values[0] for key, values in parse_qs(urlparse(browser.driver.current_url).fragment).items()}


def is_playing(browser: Browser) -> bool:
    return bool(browser.script("return !document.querySelector('[data-part=video]').paused"))


def expect_frame(browser: Browser, frame: int) -> None:
    browser.until(lambda: shown_frame(browser) == frame and not is_playing(browser), f"frame {frame} is shown")


# --- from disk, without a complaint, as text ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["overview", "long", "short", "failed"])
def test_a_page_opens_from_disk_and_the_console_stays_empty(reader: Browser, pages: dict[str, Path], name: str) -> None:
    reader.complaints()
    reader.open(pages[name])
    if name != "overview":
        open_case(reader, pages[name])
    reader.script("for (const details of document.querySelectorAll('details')) details.open = true")
    broken = "return [...document.images].filter((image) => image.loading !== 'lazy' && !image.naturalWidth).length"
    assert reader.script(broken) == 0
    assert reader.script("return location.protocol") == "file:"
    assert reader.complaints() == []


@pytest.mark.parametrize("name", ["overview", "short"])
def test_names_that_look_like_markup_are_text(reader: Browser, pages: dict[str, Path], name: str) -> None:
    reader.open(pages[name])
    assert SCRIPT in reader.find("main").text
    assert SCRIPT in reader.driver.title or name == "overview"
    assert reader.driver.title != "run"
    ours = reader.script("return [...document.scripts].map((script) => script.textContent)")
    assert not [text for text in ours if text.startswith("document.title")]


def test_what_failed_is_said_on_both_pages(reader: Browser, pages: dict[str, Path]) -> None:
    for name in ("overview", "failed"):
        reader.open(pages[name])
        assert "the method fell over <here> & there" in " ".join(alarm.text for alarm in reader.find_all(".alarm"))


# --- playing -----------------------------------------------------------------------------------------------------

SAMPLER = """
const [inHole, below, left, bit, bits] = arguments;
const canvases = [...document.querySelectorAll('[data-part=stage] canvas')];
const video = document.querySelector('[data-part=video]');
const read = (canvas, y) => {
  const pixels = canvas.getContext('2d').getImageData(0, y, canvas.width, 1).data;
  let number = 0;
  for (let k = 0; k < bits; k++) number |= (pixels[4 * (left + k * bit + bit / 2)] > 110) << k;
  return number;
};
window.samples = [];
const sample = () => {
  const label = parseInt(document.querySelector('[data-part=now]').value) - 1;
  // The input has nothing in its hole.
  const numbers = canvases.flatMap(
    (canvas, index) => (index ? [read(canvas, inHole), read(canvas, below)] : [read(canvas, below)])
  );
  window.samples.push({ label, numbers, clock: performance.now() / 1000, time: video.currentTime });
  requestAnimationFrame(sample);
};
requestAnimationFrame(sample);
"""


def sampled(browser: Browser) -> list[dict[str, object]]:
    browser.script(SAMPLER, IN_HOLE, BELOW_HOLE, HOLE_LEFT, BIT_PX, BITS)
    browser.find("[data-part=play]").click()
    browser.until(lambda: shown_frame(browser) == FRAMES - 1 and not is_playing(browser), "the clip ends")
    return list(browser.script("return window.samples"))


def test_players_show_one_and_the_same_frame_while_80_are_played(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"])
    measurer.press("o")
    measurer.find("[data-part=loop]").click()
    samples = sampled(measurer)
    assert {len(set(sample["numbers"])) for sample in samples} == {1}  # type: ignore[call-overload]
    # The number beside the play bar, and the curves with it, may be a frame away from the pictures while they move.
    assert max(abs(sample["label"] - sample["numbers"][0]) for sample in samples) <= 1  # type: ignore[index, operator]
    seen = [sample["numbers"][0] for sample in samples]  # type: ignore[index]
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == FRAMES - 1
    # A busy machine drops frames, as players do; most are there all the same.
    assert len(set(seen)) > FRAMES // 2


@pytest.mark.parametrize("speed", ["0.5", "1", "2"])
def test_speed_is_that_of_the_clip_times_the_choice(measurer: Browser, pages: dict[str, Path], speed: str) -> None:
    open_case(measurer, pages["long"], f"frame={FRAMES - 1 - int(36 * float(speed))}")
    measurer.choose("[data-part=speed]", speed)
    measurer.find("[data-part=loop]").click()
    samples = [sample for sample in sampled(measurer)]
    clock, time = (np.array([sample[key] for sample in samples], float) for key in ("clock", "time"))
    moving = np.flatnonzero(np.diff(time) > 0)
    first, last = moving[2], moving[-3]
    assert (time[last] - time[first]) / (clock[last] - clock[first]) == pytest.approx(float(speed), rel=0.1)


def test_a_loop_begins_again_and_without_it_the_clip_ends_at_its_last_frame(
    reader: Browser, pages: dict[str, Path]
) -> None:
    open_case(reader, pages["long"], f"frame={FRAMES - 4}")
    reader.press(" ")
    reader.until(lambda: 0 <= shown_frame(reader) < FRAMES // 2, "the loop begins again")
    assert is_playing(reader)
    reader.press("l", " ")
    assert not reader.find("[data-part=loop]").is_selected()
    expect_frame(reader, shown_frame(reader))
    reader.press(Keys.END)
    expect_frame(reader, FRAMES - 1)
    reader.press(Keys.ARROW_LEFT, " ")
    expect_frame(reader, FRAMES - 1)
    assert reader.find("[data-part=play]").text == "Play"


def test_pausing_shows_the_very_frame_that_it_names(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"], "frame=9")
    measurer.press("o")
    measurer.press(" ")
    measurer.until(lambda: shown_frame(measurer) > 20, "it plays")
    measurer.press(" ")
    measurer.until(lambda: int(place(measurer)["frame"]) > 20 and not is_playing(measurer), "the link has the frame")
    assert [number_in(picture, BELOW_HOLE) for picture in stage(measurer)] == [shown_frame(measurer)] * 5
    assert place(measurer)["frame"] == str(shown_frame(measurer))


# --- keys and controls -------------------------------------------------------------------------------------------


class Keys:
    """Selenium's codes for keys without a letter."""

    ARROW_LEFT, ARROW_UP, ARROW_RIGHT, ARROW_DOWN = "\ue012", "\ue013", "\ue014", "\ue015"
    HOME, END, ESCAPE = "\ue011", "\ue010", "\ue00c"


def stage(browser: Browser) -> list[NDArray[np.uint8]]:
    return browser.canvases("[data-part=stage] canvas")


def number_in(picture: NDArray[np.uint8], row: int) -> int:
    middles = HOLE_LEFT + BIT_PX * np.arange(BITS) + BIT_PX // 2
    return int(((picture[row, middles, 0] > 110) << np.arange(BITS)).sum())


def test_steps_go_by_one_frame_and_stop_at_the_ends(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"], "frame=40")
    measurer.press("o")
    for act, frame in [
        (lambda: measurer.press(Keys.ARROW_RIGHT), 41), (lambda: measurer.press(*[Keys.ARROW_RIGHT] * 3), 44),
        (lambda: measurer.press(Keys.ARROW_LEFT), 43), (lambda: measurer.find("[data-part=back]").click(), 42),
        (lambda: measurer.find("[data-part=on]").click(), 43), (lambda: measurer.press(Keys.HOME), 0),
        (lambda: measurer.press(Keys.ARROW_LEFT), 0), (lambda: measurer.press(Keys.END), FRAMES - 1),
        (lambda: measurer.press(Keys.ARROW_RIGHT), FRAMES - 1),
    ]:  # fmt: skip
        act()
        expect_frame(measurer, frame)
        assert {number_in(picture, BELOW_HOLE) for picture in stage(measurer)} == {frame}


def test_the_play_bar_and_the_curve_go_to_the_frame_that_is_clicked(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["long"])
    slider, chart = reader.find("[data-part=position]"), reader.find("[data-part=chart]")
    slider.click()
    reader.until(lambda: abs(shown_frame(reader) - FRAMES // 2) <= 1, "the middle of the bar")
    reader.script("arguments[0].scrollIntoView({ behavior: 'instant' })", chart)
    chart.click()
    # Selenium clicks the middle of the chart, which is a little left of the middle of its axis.
    reader.until(lambda: abs(shown_frame(reader) - (FRAMES // 2 - 3)) <= 2, "the middle of the chart")


def test_the_curve_follows_the_frame_and_says_its_values(reader: Browser, pages: dict[str, Path], store: Store) -> None:
    lines = []
    for frame in (0, 40, FRAMES - 1):
        open_case(reader, pages["long"], f"frame={frame}&curve=psnr/hole")
        lines.append(float(reader.find("[data-head]").get_attribute("x1")))
        for method in METHODS:
            record = store.record(method, CASES[0])
            assert isinstance(record, Record)
            value = float(f"{record.metrics['psnr']['hole'][frame]:.4g}")
            assert f"{method} {value:g}" in reader.find("[data-part=legend]").text
    assert lines[1] - lines[0] == pytest.approx((lines[2] - lines[0]) * 40 / (FRAMES - 1), abs=0.1)
    paths = reader.find_all("[data-part=chart] path")
    assert len(paths) == len(METHODS)
    reader.choose("[data-part=curve]", "warping-error-dis/frame")
    assert len(reader.find_all("[data-part=chart] path")) == len(METHODS) + 1  # with the truth's floor


def test_the_outline_is_drawn_only_while_it_is_wanted(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"])
    amber = np.array([255, 176, 0])

    def edges_are_amber() -> list[bool]:
        return [bool(np.abs(picture[IN_HOLE, HOLE_LEFT] - amber).max() < 3) for picture in stage(measurer)]

    assert edges_are_amber() == [True] * 5
    measurer.press("o")
    assert edges_are_amber() == [False] * 5
    measurer.find("[data-part=outline]").click()
    assert edges_are_amber() == [True] * 5


def test_the_hole_of_the_input_is_black_and_nothing_else_is(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"], "frame=3")
    measurer.press("o")
    first, *others = stage(measurer)
    hole = np.s_[HOLE_TOP + 2 : HEIGHT // 2 - 2, HOLE_LEFT + 2 : WIDTH // 2 - 2]
    assert first[hole].max() == 0
    assert all(other[hole].max() > 100 for other in others)


HOLE = (HOLE_LEFT, HOLE_TOP, WIDTH // 4, HEIGHT // 4)


def test_one_key_zooms_every_picture_to_the_hole(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"], "frame=7")
    measurer.press("o")
    whole = stage(measurer)
    measurer.press("z")
    zoomed = stage(measurer)
    assert place(measurer)["zoom"] == "1" and measurer.find("[data-part=zoom]").is_selected()
    height, width = zoomed[0].shape[:2]
    assert HOLE[2] < width < 2.5 * HOLE[2] and HOLE[3] < height < 2.5 * HOLE[3]
    left, top = HOLE[0] + (HOLE[2] - width) // 2, HOLE[1] + (HOLE[3] - height) // 2
    for picture, part in zip(whole, zoomed, strict=True):
        assert np.array_equal(part, picture[top : top + height, left : left + width])
    measurer.press("3")
    (difference,) = stage(measurer)
    assert difference.shape == zoomed[0].shape and difference.max() > 0
    measurer.press("1", "z")
    assert all(np.array_equal(one, other) for one, other in zip(whole, stage(measurer), strict=True))


def test_a_picture_s_button_enlarges_it_beside_the_truth_and_escape_shows_all(
    measurer: Browser, pages: dict[str, Path]
) -> None:
    open_case(measurer, pages["long"], "frame=7")
    measurer.press("o")
    everything = stage(measurer)
    shown = lambda: [caption.text for caption in measurer.find_all("[data-part=stage] figcaption")]
    measurer.find("[data-part=stage] figure:nth-child(3) button").click()
    assert shown() == [METHODS[1], "truth"] and place(measurer)["only"] == "2"
    assert measurer.script("return document.activeElement.textContent") == METHODS[1]
    for found, expected in zip(stage(measurer), (everything[2], everything[-1]), strict=True):
        assert np.array_equal(found, expected)
    measurer.press(Keys.ESCAPE)
    assert len(stage(measurer)) == 5
    for method in METHODS:
        measurer.press("e")
        assert shown() == [method, "truth"]
    measurer.press("e")
    assert len(stage(measurer)) == 5


def test_a_click_in_a_picture_enlarges_it_and_another_shows_all(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["long"])
    for count in (2, 5):
        reader.click("[data-part=stage] figure:nth-child(2) canvas" if count == 2 else "[data-part=stage] canvas")
        assert len(reader.find_all("[data-part=stage] canvas")) == count


def test_the_loupe_enlarges_the_same_place_of_every_picture(measurer: Browser, pages: dict[str, Path]) -> None:
    from selenium.webdriver import ActionChains

    open_case(measurer, pages["long"], "frame=7")
    measurer.press("o")
    plain = stage(measurer)
    measurer.press("m")
    canvas = measurer.find_all("[data-part=stage] canvas")[0]
    ActionChains(measurer.driver, duration=0).move_to_element(canvas).perform()
    measurer.until(lambda: not np.array_equal(stage(measurer)[0], plain[0]), "the loupe is drawn")
    for picture, before in zip(stage(measurer), plain, strict=True):
        y, x = HEIGHT // 2, WIDTH // 2
        # Sixteen pixels across the middle show four of the picture's own.
        around = np.abs(picture[y - 6 : y + 6 : 4, x - 6 : x + 6 : 4].astype(int)[..., None, :]
                        - before[y - 3 : y + 3, x - 3 : x + 3].reshape(-1, 3).astype(int))  # fmt: skip
        assert around.sum(axis=-1).min(axis=-1).max() == 0
        assert np.array_equal(picture[0], before[0])
    measurer.press("m")
    assert all(np.array_equal(one, other) for one, other in zip(plain, stage(measurer), strict=True))


def test_wipe_is_one_picture_to_the_left_and_another_to_the_right(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"], "frame=7&a=1&b=3")
    measurer.press("o")
    _, a, _, b, _ = stage(measurer)
    assert not np.array_equal(a, b)
    measurer.press("2")
    for edge in (25, 75):
        measurer.script(
            "const edge = document.querySelector('[data-part=wipe]');"
            "edge.value = arguments[0]; edge.dispatchEvent(new Event('input'))",
            edge,
        )
        (picture,) = stage(measurer)
        x = round(WIDTH * edge / 100)
        assert np.array_equal(picture[:, : x - 1], a[:, : x - 1])
        assert np.array_equal(picture[:, x + 1 :], b[:, x + 1 :])
    assert measurer.find("[data-part=stage]").text == f"telea (left) and {SCRIPT} (right); drag in the picture"
    assert place(measurer)["wipe"] == "75"


def test_a_drag_in_the_picture_moves_the_wipe(reader: Browser, pages: dict[str, Path]) -> None:
    from selenium.webdriver import ActionChains

    open_case(reader, pages["long"], "view=wipe")
    canvas = reader.find("[data-part=stage] canvas")
    reader.script("arguments[0].scrollIntoView({ block: 'center' })", canvas)
    drag = ActionChains(reader.driver, duration=50).move_to_element(canvas).click_and_hold()
    drag.move_by_offset(canvas.size["width"] // 4, 0).release().perform()
    assert abs(int(place(reader)["wipe"]) - 75) <= 1


@pytest.mark.parametrize("gain", [1, 4, 8])
def test_a_difference_map_shows_the_difference_times_its_gain(
    measurer: Browser, pages: dict[str, Path], store: Store, gain: int
) -> None:
    open_case(measurer, pages["long"], f"frame=30&view=difference&a=1&b=4&gain={gain}")
    measurer.press("o")
    (picture,) = stage(measurer)
    kept, filled = store.case_frames(CASES[0]), store.frames("telea", CASES[0])
    assert kept is not None and kept[2] is not None and filled is not None
    expected = np.clip(gain * np.abs(filled[30].astype(int) - kept[2][30].astype(int)), 0, 255)
    hole = kept[1][30]
    # Around the hole each method has its own compressed pixels, in whole blocks; beyond, all show the input's.
    assert picture[~pixels_of(patch_blocks(hole[None])[0], HEIGHT, WIDTH)].max() == 0
    # What the codec loses is in the picture too, but hardly on average.
    assert picture[hole].mean() == pytest.approx(expected[hole].mean(), abs=1.0 * gain)
    assert expected[hole].mean() > 5 * gain
    assert measurer.find("[data-part=scale-end]").text == f"{round(255 / gain)} grey levels or more"
    assert f"times {gain}" in measurer.find("[data-part=stage]").text


def test_flicker_shows_both_pictures_in_turn(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"], "frame=7&a=1&b=3")
    measurer.press("o")
    _, a, _, b, _ = stage(measurer)
    measurer.press("4")
    named = "return document.querySelector('[data-part=flicker-now]').value"
    for name, picture in itertools.islice(itertools.cycle([("telea", a), (SCRIPT, b)]), 3):
        measurer.until(lambda name=name: measurer.script(named) == name, f"{name} has its turn")
        (shown,) = stage(measurer)
        # Unless the turn ended meanwhile.
        assert measurer.script(named) != name or np.array_equal(shown, picture)


def test_with_reduced_motion_flicker_waits_for_the_reader(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["long"], "view=flicker&a=1&b=4", reduced=True)
    named = reader.find("[data-part=flicker-now]")
    seen = reader.driver.execute_async_script(
        "const [output, done] = arguments, seen = [];"
        "const timer = setInterval(() => {"
        " seen.push(output.value); if (seen.length === 13) { clearInterval(timer); done(seen); } }, 100);",
        named,
    )
    assert set(seen) == {"telea"}
    reader.press("f")
    assert named.text == "truth"
    reader.find("[data-part=swap]").click()
    assert named.text == "telea"
    assert not is_playing(reader)


def test_number_keys_and_the_list_change_the_view(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["long"])
    for key, view in {"2": "wipe", "3": "difference", "4": "flicker", "1": "side"}.items():
        reader.press(key)
        assert reader.find("[data-part=view]").get_attribute("value") == view == place(reader)["view"]
        assert len(reader.find_all("[data-part=stage] canvas")) == (5 if view == "side" else 1)
    reader.choose("[data-part=view]", "difference")
    assert place(reader)["view"] == "difference"
    assert reader.find("[data-part=gain]").is_displayed() and not reader.find("[data-part=wipe]").is_displayed()


def test_arrows_move_the_row_and_letters_the_case(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["short"], "row=50&view=wipe&a=1&b=2")
    for key, row in [(Keys.ARROW_UP, 49), (Keys.ARROW_DOWN, 50), (Keys.ARROW_DOWN, 51)]:
        reader.press(key)
        reader.until(lambda row=row: row_shown(reader) == row, f"row {row}")
    for key, page in [("p", "long"), ("n", "short"), ("n", "failed")]:
        reader.press(key)
        reader.until(lambda page=page: pages[page].name in reader.driver.current_url, f"the page of {page}")
        reader.until(lambda: place(reader).get("view") == "wipe" and shown_frame(reader) == 0, "the view came along")


def test_the_help_lists_exactly_the_keys_that_work(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["long"])
    listed = {key.text for key in reader.find_all("kbd")}
    names = {"space": " ", "←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown", "Esc": "Escape"}
    scripts = reader.script("return [...document.scripts].map((script) => script.textContent)")
    script = next(text for text in scripts if "const keys" in text)
    table = re.search(r"const keys = \{(.*?)\n  \};", script, re.DOTALL)
    assert table is not None
    handled = set(re.findall(r'(?:^|,)\s*"?([^",(){}]+?)"?: (?=\(\)|swap)', table[1]))
    assert {names.get(key, key) for key in listed} | {"2", "3"} == handled


def test_keys_work_after_a_click_on_a_control(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["long"])
    reader.find("[data-part=outline]").click()
    reader.press("o")
    assert reader.find("[data-part=outline]").is_selected()
    reader.find("[data-part=on]").click()
    expect_frame(reader, 1)
    reader.press(Keys.ARROW_RIGHT)
    expect_frame(reader, 2)


# --- place -------------------------------------------------------------------------------------------------------


def test_a_link_brings_back_frame_row_view_and_pair(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"])
    measurer.press("3", *[Keys.ARROW_RIGHT] * 6, *[Keys.ARROW_DOWN] * 2)
    measurer.choose("[data-part=a]", "2")
    measurer.choose("[data-part=gain]", "16")
    measurer.choose("[data-part=curve]", "psnr/hole")
    expect_frame(measurer, 6)
    row = row_shown(measurer)
    before, seen = place(measurer), stage(measurer)
    assert (before["frame"], before["row"], before["view"], before["a"]) == ("6", str(row), "difference", "2")
    measurer.driver.refresh()
    measurer.until(lambda: shown_frame(measurer) == 6 and row_shown(measurer) == row, "the place is back")
    assert place(measurer) == before
    assert np.array_equal(stage(measurer), seen)
    assert measurer.find("[data-part=curve]").get_attribute("value") == "psnr/hole"


LOSES_A_WORD = """
const real = HTMLVideoElement.prototype.requestVideoFrameCallback;
window.lost = 0;
HTMLVideoElement.prototype.requestVideoFrameCallback = function (tell) {
  const video = this;
  return real.call(video, function again(now, facts) {
    if (facts.mediaTime < 0.3 || window.lost++) return tell(now, facts);
    real.call(video, again);
  });
};
"""


def test_a_browser_that_loses_its_word_of_a_picture_is_asked_again(reader: Browser, pages: dict[str, Path]) -> None:
    """As a busy one does now and then: the frame is shown, but nobody is told."""
    script = reader.command("Page.addScriptToEvaluateOnNewDocument", source=LOSES_A_WORD)
    try:
        open_case(reader, pages["long"], "frame=40")
        assert reader.script("return window.lost") >= 2
        reader.press(Keys.ARROW_RIGHT)
        expect_frame(reader, 41)
    finally:
        reader.command("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


def test_word_of_an_older_link_of_its_own_takes_no_step_back(measurer: Browser, pages: dict[str, Path]) -> None:
    open_case(measurer, pages["long"], "frame=40")
    measurer.script(
        "for (let i = 0; i < 2; i++) document.body.dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));"
        "window.dispatchEvent(new HashChangeEvent('hashchange'));"
    )
    expect_frame(measurer, 42)


def test_a_link_with_nonsense_shows_the_page_all_the_same(reader: Browser, pages: dict[str, Path]) -> None:
    reader.complaints()
    reader.open(pages["long"], "frame=9999&row=-3&view=constructor&a=77&gain=3&curve=constructor&wipe=x")
    reader.until(lambda: shown_frame(reader) == FRAMES - 1, "the last frame")
    assert place(reader)["view"] == "side"
    assert reader.complaints() == []


def test_a_link_that_is_followed_within_the_page_is_obeyed(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["long"])
    reader.script("location.hash = 'frame=12&view=wipe'")
    expect_frame(reader, 12)
    assert reader.find("[data-part=view]").get_attribute("value") == "wipe"


# --- slices through time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [IN_HOLE, HOLE_TOP - 4])
def test_a_slice_is_the_row_of_every_frame_in_turn(
    measurer: Browser, pages: dict[str, Path], store: Store, row: int
) -> None:
    open_case(measurer, pages["long"], f"row={row}")
    measurer.until(lambda: row_shown(measurer) == row, "the row")
    kept = store.case_frames(CASES[0])
    assert kept is not None and kept[2] is not None
    frames = [store.frames(method, CASES[0]) for method in METHODS] + [kept[2]]
    slices = measurer.canvases("[data-part=slices] canvas")
    assert len(slices) == len(frames)
    for found, clip in zip(slices, frames, strict=True):
        assert clip is not None
        losses = [np.abs(found.astype(int) - clip[:, near].astype(int)).mean() for near in range(row - 3, row + 4)]
        # The picture is compressed (H.264, 4:2:0): some one and a half grey levels are lost, far less than to the rows
        # beside.
        assert losses[3] < 3.5, losses
        assert losses[3] == min(losses)
    in_hole = np.s_[:, HOLE_LEFT + 2 : WIDTH // 2 - 2]
    if row == IN_HOLE:
        off = [float((found[in_hole].astype(int) - slices[-1][in_hole]).mean()) for found in slices[:-1]]
        assert off == pytest.approx([6, 12, 18], abs=1)


# --- the clip at the top -----------------------------------------------------------------------------------------


def hero_frame(browser: Browser) -> int:
    text = browser.script("return document.querySelector('[data-hero] [data-part=now]').value")
    return int(text.partition(" /")[0] or 0) - 1


def test_the_overview_begins_with_a_clip_that_plays_the_best_methods_beside_the_truth(
    measurer: Browser, pages: dict[str, Path]
) -> None:
    measurer.open(pages["overview"])
    measurer.until(lambda: hero_frame(measurer) > 0, "it plays")
    # The method with the least error is the best everywhere, and what failed nowhere comes before what did.
    captions = [caption.text for caption in measurer.find_all("[data-hero] figcaption")]
    assert captions == ["telea", "flow", "truth"]
    measurer.find("[data-hero] [data-part=play]").click()
    measurer.until(lambda: measurer.script("return document.querySelector('[data-hero] video').paused"), "it rests")
    one, other, truth = measurer.canvases("[data-hero] canvas")
    assert one.shape == other.shape == truth.shape and one.shape[1] < WIDTH
    off = [float(np.abs(picture.astype(int) - truth).mean()) for picture in (one, other)]
    assert 0 < off[0] < off[1]
    measurer.click("[data-hero] [data-part=zoom]")
    assert measurer.canvases("[data-hero] canvas")[0].shape == (HEIGHT, WIDTH, 3)


def test_with_reduced_motion_the_clip_waits_for_the_reader(reader: Browser, pages: dict[str, Path]) -> None:
    reader.open(pages["overview"], reduced=True)
    reader.until(lambda: hero_frame(reader) == 0, "the first frame is shown")
    assert reader.script("return document.querySelector('[data-hero] video').paused")
    reader.find("[data-hero] [data-part=play]").click()
    reader.until(lambda: hero_frame(reader) > 0, "it plays")


def test_an_overview_without_its_folder_begins_with_its_numbers(
    reader: Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    alone = tmp_path / "index.html"
    alone.write_bytes(pages["overview"].read_bytes())
    reader.open(alone)
    video = "return document.querySelector('[data-hero] video').error !== null"
    reader.until(lambda: reader.script(video), "the video is missed")
    assert not reader.find("[data-hero]").is_displayed() and reader.find(".verdict").is_displayed()
    reader.complaints()


# --- overview ----------------------------------------------------------------------------------------------------


def test_a_click_on_a_head_sorts_and_another_turns_it_round(
    reader: Browser, pages: dict[str, Path], store: Store
) -> None:
    reader.open(pages["overview"])
    table = tabulate(Results.of(store.info, store.records()))
    methods = [row.method for row in table.rows if not row.is_floor]

    def order() -> list[str]:
        texts = [head.text.partition("\n")[0] for head in reader.find_all("table.results tbody th")]
        return [text for text in texts if text != "truth (floor)"]

    reader.click("[data-all] summary")
    assert order() == methods
    heads = reader.find_all("table.results thead button")
    for place, column in enumerate(table.columns, start=1):
        means = {row.method: row.cells[column.key].estimate.mean for row in table.rows if row.method in methods}  # type: ignore[union-attr]
        best_first = sorted(methods, key=lambda method: means[method], reverse=column.metric.better == "higher")
        heads[place].click()
        assert order() == best_first
        heads[place].click()
        assert order() == best_first[::-1]
    assert len(reader.find_all("th[aria-sort]")) == 1


def test_the_first_column_of_all_metrics_stays_while_the_table_is_scrolled(
    reader: Browser, pages: dict[str, Path]
) -> None:
    reader.open(pages["overview"], width=390)
    assert not reader.find("table.results").is_displayed()
    reader.click("[data-all] summary")
    lefts = reader.script(
        "const scroll = document.querySelector('table.results').parentElement;"
        "const left = () => scroll.querySelector('tbody th').getBoundingClientRect().left;"
        "const before = left(); scroll.scrollLeft = 200; return [before, left(), scroll.scrollLeft]"
    )
    assert lefts == [lefts[0], lefts[0], 200]


@pytest.mark.parametrize("kind", ["latex", "markdown"])
def test_a_click_copies_the_headline_table(reader: Browser, pages: dict[str, Path], store: Store, kind: str) -> None:
    reader.open(pages["overview"])
    # What the page would put on the clipboard, which a test must not take from whoever sits at this machine.
    reader.script("navigator.clipboard.writeText = async (text) => { window.clipboardText = text; }")
    reader.click(f"[data-copy={kind}]")
    reader.until(lambda: reader.find("[data-copied]").text == "Copied.", "the table is copied")
    text = reader.script("return window.clipboardText")
    table = tabulate(Results.of(store.info, store.records()))
    mean = table.row("telea").cells["psnr/hole"].estimate
    assert mean is not None and f"{mean.mean:.2f}" in text
    assert (r"\begin{tabular}" if kind == "latex" else "| method |") in text
    assert "psnr hole" in text and "psnr frame" not in text


def test_a_method_that_is_filtered_out_leaves_table_plots_and_strips(reader: Browser, pages: dict[str, Path]) -> None:
    reader.open(pages["overview"])
    shown = (
        'return [...document.querySelectorAll(`[data-method="${arguments[0]}"]`)]'
        ".filter((part) => part.getClientRects().length).length"
    )
    for method in range(len(METHODS)):
        others = [other for other in range(len(METHODS)) if other != method]
        before = [reader.script(shown, str(other)) for other in others]
        assert reader.script(shown, str(method)) >= 6  # row, name in the legend, curve, point, film strips
        box = reader.find(f"[data-filter='{method}']")
        box.click()
        assert reader.script(shown, str(method)) == 0
        assert [reader.script(shown, str(other)) for other in others] == before
        box.click()
        assert reader.script(shown, str(method)) >= 6


def test_one_metric_is_plotted_at_a_time(reader: Browser, pages: dict[str, Path]) -> None:
    reader.open(pages["overview"])
    for key in ("psnr/hole", "warping-error-dis/frame"):
        reader.choose("[data-pick=plots]", key)
        shown = [plot.get_attribute("data-plots") for plot in reader.find_all("[data-plots]") if plot.is_displayed()]
        assert shown == [key]


def test_a_finding_leads_to_the_worst_cases_of_its_method_and_these_to_the_worst_frame(
    reader: Browser, pages: dict[str, Path], store: Store
) -> None:
    reader.open(pages["overview"])
    reader.click(".finding[title^=warping] [data-worst]")
    shown = [ranked for ranked in reader.find_all(".fails") if ranked.is_displayed()]
    assert [ranked.get_attribute("data-fails-column") for ranked in shown] == ["warping-error-dis/frame"]
    assert shown[0].get_attribute("data-fails-method") == "telea"
    # The run makes a method worse from case to case; the pictures are those of the method and the truth.
    assert shown[0].find_element("css selector", "li .name").text == CASES[2]
    reader.choose("[data-fails-pick=column]", "psnr/hole")
    reader.choose("[data-fails-pick=method]", "flow")
    (ranked,) = [ranked for ranked in reader.find_all(".fails") if ranked.is_displayed()]
    failed, worst = ranked.find_elements("css selector", "li")[:2]
    assert "failed" in failed.text and CASES[1] in worst.text
    images = reader.script(
        "return [...arguments[0].querySelectorAll('i')].map((part) => getComputedStyle(part).backgroundImage)", worst
    )
    assert len(images) == 2 and all("data:image/jpeg" in image or ".thumbs.jpg" in image for image in images)
    record = store.record("flow", CASES[1])
    assert isinstance(record, Record)
    values = record.metrics["psnr"]["hole"]
    frame = min(range(len(values)), key=lambda place: values[place] or np.inf)
    reader.in_sight(worst.find_element("css selector", "a")).click()
    reader.until(lambda: pages["short"].name in reader.driver.current_url and shown_frame(reader) == frame, "the frame")
    assert place(reader)["only"] == "2" and place(reader)["zoom"] == "1"
    assert [caption.text for caption in reader.find_all("[data-part=stage] figcaption")] == ["flow", "truth"]


# --- for everybody -----------------------------------------------------------------------------------------------

VIEWS = [("overview", ""), ("long", "view=side"), ("long", "view=difference"), ("failed", "view=wipe")]


@pytest.mark.parametrize(("name", "link"), VIEWS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_violation(
    reader: Browser, pages: dict[str, Path], name: str, link: str, dark: bool, width: int
) -> None:
    from axe_core_python.selenium import Axe

    open_page = open_case if name != "overview" else Browser.open
    open_page(reader, pages[name], link, width=width, dark=dark)
    reader.script("for (const details of document.querySelectorAll('details')) details.open = true")
    found = Axe().run(reader.driver)
    assert len(found["passes"]) > 15
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []


@pytest.mark.parametrize("width", [390, 820, 1440])
@pytest.mark.parametrize(("name", "link"), VIEWS)
def test_no_page_is_wider_than_its_window(
    reader: Browser, pages: dict[str, Path], name: str, link: str, width: int
) -> None:
    reader.open(pages[name], link, width=width)
    assert reader.script("return document.documentElement.scrollWidth") <= width


def test_the_controls_stay_in_sight(reader: Browser, pages: dict[str, Path]) -> None:
    open_case(reader, pages["long"], width=390)
    reader.script(
        "document.querySelector('[data-part=stage]').lastElementChild.scrollIntoView({ behavior: 'instant' })"
    )
    top, bottom = reader.script(
        "const box = document.querySelector('.controls').getBoundingClientRect(); return [box.top, box.bottom]"
    )
    assert top == 0 and bottom < 120


def test_print_is_ink_on_paper_also_for_readers_of_dark_pages(reader: Browser, pages: dict[str, Path]) -> None:
    for name in ("overview", "long"):
        reader.open(pages[name], dark=True)
        reader.command(
            "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
        )
        look = "const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"
        assert reader.script(look) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
        controls = [control for control in reader.find_all("button, input, select") if control.is_displayed()]
        assert not [control for control in controls if "sort" not in control.get_attribute("class")]
        reader.command("Emulation.setEmulatedMedia", media="", features=[])
