"""The door for Python: what a notebook does with vibench, and one sentence where it cannot be done."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vibench
from vibench.clip import Case, Frames, Holed
from vibench.metric import MetricInfo, Series


class Level:
    """Fills every hole with one level of grey."""

    def __init__(self, level: int = 128) -> None:
        self.level = level

    def __call__(self, holed: Holed) -> Frames:
        filled = holed.frames.copy()
        filled[holed.masks] = self.level
        return filled


class Brightness:
    """Mean of every frame."""

    info = MetricInfo("brightness", "brightness", "grey levels", "higher", needs=frozenset(), has_floor=True)

    def measure(self, frames: Frames, case: Case) -> dict[str, Series]:
        return {"frame": Series.of([float(frame.mean()) for frame in frames])}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> vibench.Run:
    output = tmp_path_factory.mktemp("runs")
    return vibench.run(
        "bundled", [Level, "telea"], output=output, metrics=["psnr", Brightness], cases="carphone", device="cpu"
    )


def test_the_door_names_what_is_behind_it_and_loads_nothing_before_it_is_used() -> None:
    probe = (
        "import sys, vibench\nassert {'measure', 'fill', 'run', 'open_run', 'compare'} <= set(dir(vibench))\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'cv2', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout == "[]\n"
    for name in vibench.__all__:
        assert getattr(vibench, name).__doc__, f"{name} says nothing of itself"


def test_an_own_method_and_an_own_metric_take_part_in_a_run(done: vibench.Run) -> None:
    assert done.methods == ("Level", "telea") and set(done.values.metric) == {"psnr", "brightness"}
    facts = {facts.label: facts for facts in done.info.methods}
    assert facts["Level"].factory == f"{__name__}:Level" and len(facts["Level"].source_sha256) == 64


def test_the_values_of_a_run_are_tidy_and_those_of_its_frames(done: vibench.Run) -> None:
    values = done.values
    assert isinstance(values, pd.DataFrame)
    assert not values.duplicated(["method", "case", "metric", "region"]).any()
    for case in done.cases:
        frames, kept = done.frames("Level", case), done.case(case)
        mean = np.mean([frame.mean() for frame in frames])
        row = values[(values.method == "Level") & (values.case == case) & (values.metric == "brightness")]
        assert row.value.item() == pytest.approx(mean, abs=1e-9)
        assert row["clip"].item() == "carphone" and row.unit.item() == "grey levels"
        assert (frames[kept.holes] == 128).all()
        np.testing.assert_array_equal(frames[~kept.holes], kept.frames[~kept.holes])
        np.testing.assert_array_equal(done.frames("truth", case), kept.truth)


def test_the_table_of_a_run_averages_its_values(done: vibench.Run) -> None:
    table = done.table().set_index(["method", "metric", "region"])
    means = done.values.groupby(["method", "metric", "region"]).value.mean()
    assert len(table) >= 6
    for key, mean in means.items():
        assert table.loc[key, "mean"] == pytest.approx(mean)


def test_a_run_says_how_it_was_started_and_opens_again(done: vibench.Run) -> None:
    assert done.info.command.startswith("vibench.run('bundled@1', ['Level', 'telea']") and "Python" in done.info.command
    assert vibench.open_run(str(done.folder)).values.equals(done.values)
    assert vibench.open_run(done.folder.parent).folder == done.folder


def test_a_further_metric_is_measured_by_score_and_two_methods_are_compared(done: vibench.Run) -> None:
    scored = vibench.score(done, ["seam"], device="cpu")
    assert "seam" in set(scored.values.metric) and "psnr" in set(scored.values.metric)
    (found,) = vibench.compare(f"{done.folder}::Level", f"{done.folder}::telea")
    assert (found.first, found.second) == ("Level", "telea")


def test_a_method_fills_arrays_and_keeps_what_is_outside() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3), np.uint8)
    holes = np.zeros((48, 64), bool)
    holes[10:20, 20:40] = True
    filled = vibench.fill("telea[radius_px=5]", frames, holes, device="cpu")
    assert filled.shape == frames.shape and filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[:, ~holes], frames[:, ~holes])
    assert (vibench.fill(Level(7), frames, holes)[:, holes] == 7).all()


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (lambda holed: holed.frames[:-1], "must return uint8 or float"),
        (lambda holed: None, "returned builtins.NoneType"),
        (lambda holed: holed.frames / 255 + 0.5, "as if white were 1"),
        (lambda holed: np.full(holed.frames.shape, np.nan), "not finite"),
        (lambda holed: holed.frames > 3, "returned bool"),
        (lambda holed: 1 / 0, "ZeroDivisionError"),
        ("teela", "did you mean 'telea'"),
        ("telea[radius=3]", "no option 'radius'"),
    ],
)
def test_a_method_that_does_not_fill_is_one_sentence(method: object, sentence: str) -> None:
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    holes = np.zeros((3, 32, 32), bool)
    holes[:, 4:9, 4:9] = True
    with pytest.raises(vibench.UserError, match=sentence):
        vibench.fill(method, frames, holes, device="cpu")  # type: ignore[arg-type]


def test_what_is_no_run_or_has_no_such_method_is_one_sentence(done: vibench.Run, tmp_path: Path) -> None:
    with pytest.raises(vibench.InputError, match="is not a run"):
        vibench.open_run(tmp_path)
    with pytest.raises(vibench.InputError, match="has no method 'vinet'; its methods: Level, telea"):
        done.frames("vinet", done.cases[0])
    with pytest.raises(vibench.InputError, match="has no case 'dog/x'"):
        done.frames("telea", "dog/x")
    with pytest.raises(vibench.InputError, match="is no name, and no class or function"):
        vibench.run("bundled", [Level(3)], output=tmp_path)


@pytest.mark.parametrize("kind", ["methods", "metrics", "masks", "protocols", "datasets"])
def test_everything_that_is_installed_is_listed_with_a_line(kind: str) -> None:
    listed = getattr(vibench, f"list_{kind}")()
    assert len(listed) >= 4 and all(one.name and one.about for one in listed)
    assert [one.name for one in listed] == sorted(one.name for one in listed)


def test_runs_are_listed(done: vibench.Run) -> None:
    (listed,) = vibench.list_runs(done.folder.parent)
    assert listed.name == str(done.folder) and "Level, telea" in listed.about


def test_speed_and_profile_are_measured_from_python(tmp_path: Path) -> None:
    said: list[tuple[str, int]] = []
    fast = vibench.measure_speed(
        "last_seen", size=(64, 48), frames=4, device="cpu", clips=1, repeats=1, seconds=0.1, output=tmp_path / "speed",
        listener=lambda name, steps: said.append((name, steps)),
    )  # fmt: skip
    assert {steps for _, steps in said} == {len(said)} and said[0][0].endswith("4 frames")
    assert fast.latency.frames == 4 and "last_seen at 64x48, 4 frames" in vibench.speed_text(fast, 30)
    assert {path.name for path in (tmp_path / "speed").iterdir()} == {"last_seen.svg", "last_seen.json"}
    slow = vibench.profile_method("telea", size=(48, 32), frames=4, output=tmp_path)
    assert (slow.method, slow.width_px, slow.height_px, slow.frames) == ("telea", 48, 32, 4)
    assert vibench.profile_text(slow).startswith("telea at 48x32: ") and (tmp_path / "telea.stacks.txt").exists()


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(vibench.InputError, match="cannot write into"):
        vibench.measure_speed("last_seen", output=tmp_path / "file", listener=lambda *_: pytest.fail("too late"))


def test_regressions_are_found_from_python() -> None:
    (found,) = vibench.find_regressions(["telea"], "same[radius_px=4]", budget_seconds=0.01, size=(48, 32), frames=4)
    assert found.method == "telea" and vibench.exit_status([found]) == 3
    assert vibench.regression_text([found]).startswith("telea: this version against telea[radius_px=4]")
    assert vibench.regression_text([found], "markdown").startswith("| method")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: vibench.find_regressions(""), "names no method"),
        (lambda: vibench.find_regressions("telea", threshold=0.9), "not between 1 and 100"),
        (lambda: vibench.regression_text([], "html"), "one of text, json, markdown, junit, github, not 'html'"),
        (lambda: vibench.comparison_text([], "html"), "text, json or markdown, not 'html'"),
        (lambda: vibench.fetch_dataset("bundled", "."), "no direct address"),
        (lambda: vibench.measure_speed("last_scene"), "did you mean 'last_seen'"),
    ],
)
def test_what_the_commands_cannot_do_is_one_sentence_in_python_too(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(vibench.InputError, match=sentence):
        call()


def test_a_data_set_is_compared_with_its_card() -> None:
    assert list(vibench.check_dataset("bundled"))[-1] == "4 clips of 'bundled' are as its card says"
