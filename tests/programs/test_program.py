"""A program is run for each clip: it gets what its method file says, and whatever it leaves is frames or a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from waiting import until

from vibench.clip import Frames, Holed
from vibench.errors import MissingResource
from vibench.machine.host import ChildFailed
from vibench.masks import moving_square
from vibench.runner.programs.method_file import Input, MethodFile
from vibench.runner.programs.program import PREFIX, Program

FAKE = Path(__file__).parents[1] / "support" / "fake_program.py"
COMMAND = ["{python}", str(FAKE), "--frames", "{frames}", "--masks", "{masks}", "--how", "{how}"]
PICTURES, VIDEO = "{output}/%04d.png", "{output}/out.mp4"


def method_file(how: str = "grey", output: str = PICTURES, **changes: Any) -> MethodFile:
    fields = {
        "name": "fake", "title": "Fake", "licence": "none", "python": sys.executable, "options": {"how": how},
        "command": [*COMMAND, "--output", output], "output": {"frames": output},
    }  # fmt: skip
    return MethodFile.model_validate({**fields, **changes})


def clip(frames: int = 4, height: int = 38, width: int = 54) -> Holed:
    shown = np.random.default_rng(4).integers(0, 256, (frames, height, width, 3), np.uint8)
    masks = moving_square(frames, height, width, 3, size=0.4, speed=0.1)
    shown[masks] = 0
    return Holed("clip", shown, masks)


def grey(holed: Holed, level: int = 128) -> Frames:
    return np.where(holed.masks[..., None], np.uint8(level), holed.frames)


@pytest.fixture(autouse=True)
def _in_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every job's folder is gone, and every process that a program has started, whatever it did."""
    place = tmp_path / "jobs with a blank; and $HOME"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert not list(place.iterdir())
    assert not [one for one in psutil.process_iter() if "fake-program-left-over" in " ".join(words(one))]


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "pictures": ({}, PICTURES),
    "numbers from 1, without zeros": ({"frames": "in/f%d.png", "masks": "m/%03d.png", "first": 1}, PICTURES),
    "a lossless video": ({"frames": "clip.mkv", "masks": "mask.mkv"}, PICTURES),
    "a pattern": ({}, "{output}/%04d.png"),
}


@pytest.mark.parametrize("form", FORMS)
def test_frames_and_masks_cross_exactly(form: str) -> None:
    given, output = FORMS[form]
    holed = clip()
    frames, timing = Program(method_file(output=output, input=given), {}).fill(holed)
    np.testing.assert_array_equal(frames, grey(holed))
    assert timing is not None and timing["scope"] == "process" and 0 < timing["seconds"] < 300
    assert timing["warm_up_seconds"] == 0 and timing["frames"] == 4 and timing["peak_host_bytes"] > 10_000_000


def test_a_pattern_finds_pictures_in_natural_order() -> None:
    holed = clip(frames=12)
    file = method_file(output="{output}/f%d.png").model_copy(
        update={"output": method_file().output.model_copy(update={"frames": "{output}/*.png"})}  # type: ignore[union-attr]
    )
    np.testing.assert_array_equal(Program(file, {}).fill(holed)[0], grey(holed))


def test_videos_lose_no_more_than_the_rounding_of_yuv() -> None:
    holed = clip()
    program = Program(method_file(output=VIDEO, input={"frames": "clip.mp4", "masks": "mask.mp4"}), {})
    frames = program.fill(holed)[0]
    assert np.abs(frames.astype(int) - grey(holed))[~holed.masks].max() <= 5, "there and back, RGB to YUV and to RGB"
    assert np.abs(frames.astype(int) - grey(holed))[holed.masks].max() <= 5, "the mask is as sharp as it was"


def test_jpeg_s_are_pictures_too() -> None:
    holed = Holed("clip", np.full((3, 32, 48, 3), 90, np.uint8), moving_square(3, 32, 48, 3))
    frames = Program(method_file(input={"frames": "frames/%05d.jpg"}), {}).fill(holed)[0]
    assert np.abs(frames.astype(int) - grey(holed)).max() <= 2


def test_one_mask_is_the_union_of_all_and_polarity_and_dilation_are_the_file_s() -> None:
    holed = clip()
    union = Holed("clip", holed.frames, np.broadcast_to(holed.masks.any(axis=0), holed.masks.shape))
    one = method_file(
        input={"masks": "mask.png", "hole": "black"}, command=[*COMMAND, "--output", PICTURES, "--black-is-hole"]
    )
    np.testing.assert_array_equal(Program(one, {}).fill(holed)[0], grey(union))
    wider = Program(method_file(input={"dilation_iterations": 2}), {}).fill(holed)[0]
    changed = (wider != holed.frames).any(axis=-1)
    assert changed[holed.masks].all() and changed.sum() > holed.masks.sum()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"multiple": 16}, "6 frames of 64x48"),
        ({"multiple": 16, "fit": "resize", "filter": "opencv-bilinear"}, "6 frames of 64x48"),
        ({"width_px": 96, "height_px": 64}, "6 frames of 96x64"),
        ({"count_multiple": 8, "count_remainder": 1}, "9 frames of 54x38"),
        ({"least_frames": 20, "most_frames": 20}, "20 frames of 54x38"),
    ],
)
def test_a_program_gets_the_size_and_number_that_it_takes_and_the_clip_gets_its_own_back(
    how: dict[str, Any], told: str, tmp_path: Path
) -> None:
    holed = clip(frames=6)
    file = method_file(how="short", input=how)
    with pytest.raises(ChildFailed) as failed:  # a failure holds what the program printed
        Program(file, {}).fill(holed)
    assert told in failed.value.traceback
    frames = Program(method_file(input=how), {}).fill(holed)[0]
    assert frames.shape == holed.frames.shape
    if how.get("fit") != "resize" and "width_px" not in how:
        np.testing.assert_array_equal(frames, grey(holed))


def test_a_clip_that_is_too_long_is_a_sentence_before_anything_is_written() -> None:
    for how, sentence in (
        ({"most_frames": 3}, "it takes at most 3 frames, and the clip has 4"),
        ({"most_frames": 4, "count_multiple": 3}, "at most 4 frames, and the clip would need 6 to fit"),
    ):
        with pytest.raises(ChildFailed, match=sentence) as failed:
            Program(method_file(input=how), {}).fill(clip())
        assert failed.value.kind == "bad-input"


WRONG = {
    "short": ("error", "it left 2 of 4 frames in 'output/0000.png'"),
    "long": ("error", "it left more than 4 of 4 frames"),
    "small": ("error", "it left 0000.png of 27x19 px, and was given 54x38 px"),
    "nothing": ("error", "it left nothing at 'output/%04d.png'; its folder output is empty"),
    "elsewhere": ("error", "it left nothing at 'output/%04d.png'; there are output/other, output/other/0000.png"),
    "crash": ("error", "the program ended with status 1: RuntimeError: the layer is empty"),
    "memory": ("out-of-memory", "CUDA out of memory"),
    "killed": ("error", "the program was ended by SIGSEGV: 4 frames of 54x38"),
    "link": ("error", "it left no file of its own at 'output/0003.png', but a link, a folder or a device"),
    "pipe": ("error", "it left no file of its own at 'output/0003.png'"),
    "torn": ("error", "0003.png cannot be decoded as an image, it is damaged or cut short"),
}


@pytest.mark.parametrize("how", WRONG)
def test_whatever_a_program_does_wrong_is_one_sentence_with_what_it_printed(how: str) -> None:
    kind, sentence = WRONG[how]
    with pytest.raises(ChildFailed) as failed:
        Program(method_file(how), {}).fill(clip())
    assert failed.value.kind == kind and sentence in failed.value.message
    assert "4 frames of 54x38" in failed.value.traceback


@pytest.mark.parametrize("how", ["short", "long", "small"])
def test_a_video_that_does_not_fit_is_a_sentence(how: str) -> None:
    with pytest.raises(ChildFailed, match=r"it left (2 of 4|more than 4 of 4) frames|of 27x19 px, and was given 54x38"):
        Program(method_file(how, VIDEO, input={"frames": "clip.mp4"}), {}).fill(clip())


def test_a_time_limit_ends_the_program_and_all_that_it_has_started() -> None:
    with pytest.raises(ChildFailed, match="took longer than --time-limit 4 seconds") as failed:
        Program(method_file("hang"), {}).fill(clip(), limit_seconds=4)
    assert failed.value.kind == "time-out"


def test_what_a_program_leaves_running_is_ended_with_it() -> None:
    holed = clip()
    np.testing.assert_array_equal(Program(method_file("leaves-a-process"), {}).fill(holed)[0], grey(holed))


def test_megabytes_of_output_stop_nobody() -> None:
    holed = clip()
    np.testing.assert_array_equal(Program(method_file("chatty"), {}).fill(holed)[0], grey(holed))


def test_seconds_that_the_program_prints_are_its_time_and_the_rest_is_its_start() -> None:
    pattern = r"it took (?P<seconds>[0-9.]+) s"
    _, timing = Program(method_file("seconds", seconds=pattern), {}).fill(clip())
    assert timing is not None and timing["scope"] == "printed" and timing["seconds"] == 0.75
    assert timing["warm_up_seconds"] >= 0
    silent = Program(method_file("grey", seconds=pattern), {})
    _, timing = silent.fill(clip())
    assert timing is not None and timing["scope"] == "process"
    assert silent.notes == (
        "it printed no line in which its seconds are looked for, so that its whole process was timed",
    )


def test_a_video_that_is_encoded_again_is_told() -> None:
    program = Program(method_file("lossy", VIDEO, input={"multiple": 2}), {})
    program.fill(clip())
    assert len(program.notes) == 1 and program.notes[0].endswith("it encoded the frames again")
    assert Program(method_file(), {}).notes == ()


def test_options_environment_files_and_links_are_filled_in_and_no_shell_sees_them(tmp_path: Path) -> None:
    evil = '"; touch pwned; $(touch pwned) `touch pwned` %s {frames}'
    script = (
        "import json, os, pathlib, sys; job = pathlib.Path(sys.argv[1]); "
        "pathlib.Path(sys.argv[2]).write_text(json.dumps(dict(text=sys.argv[3], variable=os.environ['TOLD'], "
        "file=(job / 'a/note.txt').read_text(), link=(job / 'link/there').read_text(), cwd=os.getcwd(), "
        "python_path=os.environ.get('PYTHONPATH'))))"
    )
    (tmp_path / "there").write_text("linked")
    told = tmp_path / "told.json"
    file = method_file(
        command=["{python}", "-c", script, "{job}", str(told), "{text}"],
        options={"text": evil, "number": 3},
        environment={"TOLD": "{number}|{width}x{height}|{count}|{device}|{seed}"},
        files={"a/note.txt": "{{{number}}} {text}"},
        links={"link": str(tmp_path)},
        folder=str(tmp_path),
    )
    with pytest.raises(ChildFailed, match="it left nothing"):
        Program(file, {"number": 5}, device="cuda:1").fill(clip(), seed=7)
    found = json.loads(told.read_text())
    assert found["text"] == evil and found["file"] == "{5} " + evil
    assert found["variable"] == "5|54x38|4|cuda:1|7" and found["link"] == "linked"
    assert found["cwd"] == str(tmp_path) and found["python_path"] is None
    assert not list(tmp_path.rglob("pwned"))


def test_the_box_of_the_hole_has_names() -> None:
    from vibench.runner.programs.handover import given

    masks = np.zeros((2, 20, 30), bool)
    masks[0, 3:7, 5:9], masks[1, 4:10, 6:20] = True, True
    values = given(Holed("c", np.zeros((2, 20, 30, 3), np.uint8), masks), Input()).values
    assert [values[f"hole_{name}"] for name in ("x", "y", "width", "height")] == [5, 3, 15, 7]


def test_a_program_that_is_not_here_is_a_sentence_when_it_is_made() -> None:
    with pytest.raises(MissingResource, match="fake needs the program 'no-such-program'"):
        Program(method_file(command=["no-such-program", "{frames}"]), {})
    with pytest.raises(MissingResource, match=r"fake needs its checkout: write fake\[checkout=FOLDER\]"):
        Program(method_file(folder="{checkout}"), {})
    with pytest.raises(MissingResource, match="fake needs its weights at .*absent.pth"):
        _ = Program(method_file(weights=["/absent.pth"]), {}).identity


def test_a_killed_vibench_leaves_neither_processes_nor_folders(tmp_path: Path) -> None:
    """SIGKILL of the process that runs a program: nothing of it can clean up, so the launcher does."""
    place = tmp_path / "place"
    place.mkdir()
    script = tmp_path / "runs.py"
    here = Path(__file__).parent
    script.write_text(
        f"import sys, tempfile; sys.path[:0] = [{str(here)!r}, {str(here.parent / 'support')!r}]\n"
        f"tempfile.tempdir = {str(place)!r}\n"
        "from test_program import Program, clip, method_file\n"
        "Program(method_file('hang'), {}).fill(clip())\n"
    )
    process = subprocess.Popen([sys.executable, str(script)])
    try:
        until(lambda: any("fake-program-left-over" in " ".join(words(one)) for one in psutil.process_iter()), 120)
        assert list(place.glob(f"{PREFIX}*"))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    until(lambda: not list(place.iterdir()), 60)
    until(lambda: not any("fake-program-left-over" in " ".join(words(one)) for one in psutil.process_iter()), 60)
