from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_run import write_run

from vibench.cli import app as cli
from vibench.errors import InputError
from vibench.media.video import iter_video
from vibench.report.figure import DOTS_PER_INCH, WIDTH_INCHES, difference_map, draw_figure, time_slice, write_figure
from vibench.report.film import LABEL_PX, label, width_px, write_side_by_side, write_video
from vibench.results.kept_case import KeptCase, load_case

SCRIPT = "<script>$x$</script>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(
        tmp_path_factory.mktemp("results"), ["telea", SCRIPT, "third"], ["a/square"], fails=[("third", "a/square")]
    ).folder


@pytest.fixture(scope="module")
def case(run: Path) -> KeptCase:
    return load_case(run, "a/square")


def test_a_slice_is_numpys_own(case: KeptCase) -> None:
    assert np.array_equal(time_slice(case.frames, 17), case.frames[:, 17, :, :])
    with pytest.raises(InputError, match="choose 0 to 47"):
        time_slice(case.frames, 48)


def test_a_difference_map_is_the_absolute_difference(case: KeptCase) -> None:
    output, truth = case.outputs["telea"], case.frames
    expected = np.abs(output.astype(float) - truth.astype(float)).mean(axis=-1)
    assert np.array_equal(difference_map(output, truth), expected)
    assert np.array_equal(difference_map(truth, output), expected)
    assert expected[~case.holes].max() == 0 and expected[case.holes].max() == 6  # by how much the small run is off


@pytest.mark.parametrize("kind", ["strip", "slice", "difference"])
def test_a_picture_has_print_size(case: KeptCase, kind: str, tmp_path: Path) -> None:
    draw_figure(tmp_path / "a.png", case, kind)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == DOTS_PER_INCH * WIDTH_INCHES
        assert round(picture.info["dpi"][0]) == DOTS_PER_INCH


@pytest.mark.parametrize("ending", ["svg", "pdf"])
def test_equal_data_give_equal_files(case: KeptCase, ending: str, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for file in files:
        draw_figure(file, case, "difference", frames=2)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_script_for_a_name_is_text(case: KeptCase, tmp_path: Path) -> None:
    draw_figure(tmp_path / "a.svg", case, "strip")
    assert "<script" not in (tmp_path / "a.svg").read_text()


def test_what_cannot_be_drawn_is_one_sentence(run: Path, case: KeptCase, tmp_path: Path) -> None:
    for path, kind, sentence in (("a.png", "pie", "choose one of strip"), ("a.doc", "strip", "end it in .png")):
        with pytest.raises(InputError, match=sentence):
            draw_figure(tmp_path / path, case, kind)
    with pytest.raises(InputError, match="has no truth"):
        draw_figure(tmp_path / "a.png", replace(case, truth=None), "difference")
    with pytest.raises(InputError, match="no case 'b'"):
        load_case(run, "b")
    with pytest.raises(InputError, match="no method 'nobody'"):
        load_case(run, "a/square", ["nobody"])
    with pytest.raises(InputError, match="kept no sound frames of 'third'"):
        load_case(run, "a/square", ["third"])
    assert list(tmp_path.iterdir()) == []


def test_a_video_has_every_frame_and_room_for_every_picture(case: KeptCase, tmp_path: Path) -> None:
    assert write_side_by_side(tmp_path / "a.mp4", case) == 6
    video = iter_video(tmp_path / "a.mp4")
    frames = list(video)
    assert len(frames) == 6
    assert (video.height, video.width) == (48 + LABEL_PX, width_px(4, 64)) == (70, 4 * 64 + 3 * 4)
    shown = frames[3][LABEL_PX:, -64:].astype(int)
    losses = [np.abs(shown - frame).mean() for frame in case.frames]
    assert int(np.argmin(losses)) == 3  # the truth is last and in step, but for what coding loses
    with pytest.raises(InputError, match="end it in"):
        write_side_by_side(tmp_path / "a.gif", case)


def test_from_python_a_run_and_a_case_are_enough(run: Path, tmp_path: Path) -> None:
    write_figure(str(run), "a/square", str(tmp_path / "a.png"), methods=["telea"], frames=2)
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert write_video(str(run), "a/square", str(tmp_path / "a.mp4"), ["telea"]) == 6
    video = iter_video(tmp_path / "a.mp4")
    assert (video.height, video.width) == (LABEL_PX + 48, width_px(3, 64))
    (tmp_path / "taken").write_text("a file")
    for output in ("taken/a.png", "taken/a.mp4"):
        with pytest.raises(InputError, match="cannot write into"):
            (write_figure if output.endswith("png") else write_video)(run, "a/square", tmp_path / output)


def test_a_label_never_leaves_its_picture() -> None:
    for text in ("telea", "x" * 400, ""):
        assert label(text, 40).shape == (LABEL_PX, 40, 3)
    assert not label("x" * 400, 60)[:, -3:].any()


def test_both_commands_write_what_they_say(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["figure", "--kind", "slice", "--row", "3", "-o", "a.pdf"], ["video", "-o", "a.mp4"]):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(
            sys, "argv", ["vibench", words[0], str(run), "a/square", "--methods", f"telea,{SCRIPT}", *words[1:]]
        )
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == 0
        assert words[-1] in capsys.readouterr().out and (tmp_path / words[-1]).stat().st_size > 1000
