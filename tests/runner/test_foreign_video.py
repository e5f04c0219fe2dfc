"""A method that fills one video is foreign code too: one sentence, its traceback, a status, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Outcome
from misbehaving import BEHAVIOURS, FAILED, LIMIT, SCORED
from orphans import left_over
from video_files import box, drifting

from vibench.media.frames import read_frames
from vibench.media.video import write_lossless

Command = Callable[..., Outcome]
DEADLY = ("os_exit_0", "segfault", "sys_exit_0", "base_exception", "endless", "fork_and_exit", "nothing")
UNDONE = (
    "closes_output", "prints_much", "changes_folder", "changes_locale", "changes_torch", "changes_environment",
    "leaves_thread", "leaves_process", "writes_on_input",
)  # fmt: skip
COMMANDS = {"inpaint": (), "retarget": ("--factor", "0.9", "--dilate", "0")}
FACTORIES = ("Misbehaving", "Streaming")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    write_lossless(tmp_path / "in.mkv", drifting(6))
    cv2.imwrite(str(tmp_path / "mask.png"), box())
    return tmp_path


def filled(vibench: Command, command: str, factory: str, how: str, *options: str) -> Outcome:
    method = f"misbehaving:{factory}[how={how}]"
    return vibench(command, "in.mkv", "--mask", "mask.png", "-m", method, "-o", "out.mkv", *COMMANDS[command], *options)


@pytest.mark.parametrize("how", DEADLY)
@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("command", COMMANDS)
def test_whatever_a_method_does_wrong_is_one_sentence_and_leaves_nothing(
    vibench: Command, video: Path, command: str, factory: str, how: str
) -> None:
    _, outcome, reason = BEHAVIOURS[how]
    files, before = sorted(video.iterdir()), left_over()
    limit = ("--time-limit", "2") if reason == LIMIT else ()
    status, out, error = filled(vibench, command, factory, how, *limit)
    assert outcome == FAILED and (status, out) == (2, "")
    last = error.splitlines()[-1]
    assert last.startswith(f"Error: misbehaving:{factory}[how={how}] failed: ") and reason in last
    assert "Traceback" not in error
    assert sorted(video.iterdir()) == files and left_over() <= before


@pytest.mark.parametrize("how", ["a_list", "a_generator", "a_tensor", "nothing"])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_answer_of_another_kind_is_refused_with_what_is_right(
    vibench: Command, video: Path, command: str, how: str
) -> None:
    status, _, error = filled(vibench, command, "Misbehaving", how)
    last = error.splitlines()[-1]
    assert status == 2 and BEHAVIOURS[how][2] in last and not (video / "out.mkv").exists()
    assert "it must return a numpy array of the input's shape, uint8 or float in 0..255" in last


@pytest.mark.parametrize("how", UNDONE)
@pytest.mark.parametrize("factory", FACTORIES)
def test_what_a_method_changes_or_leaves_is_undone(vibench: Command, video: Path, factory: str, how: str) -> None:
    assert BEHAVIOURS[how][1] == SCORED
    here, environment, before = os.getcwd(), dict(os.environ), left_over()
    status, out, error = filled(vibench, "inpaint", factory, how)
    assert (status, out) == (0, "6 frames: out.mkv\n"), error
    assert (os.getcwd(), dict(os.environ)) == (here, environment) and left_over() <= before
    hole = box() > 0
    made, frames = read_frames(video / "out.mkv")[0], drifting(6)
    assert (made[:, hole] == 128).all() and np.array_equal(made[:, ~hole], frames[:, ~hole])


def test_what_a_method_printed_stands_above_the_sentence_if_it_is_asked_and_steers_no_terminal(
    vibench: Command, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (video / "talks.py").write_text(
        "class M:\n def __call__(self, h):\n  print('the layer\\tis \\x1b[31mred', flush=True)\n"
        "  raise OSError('gone')\n"
    )
    words = ("inpaint", "in.mkv", "--mask", "mask.png", "-m", "talks:M", "-o", "out.mkv")
    status, _, error = vibench(*words)
    assert status == 2 and error.splitlines() == [
        "Error: talks:M failed: OSError: gone (VIBENCH_TRACEBACK=1 shows where, and what it printed)"
    ]
    monkeypatch.setenv("VIBENCH_TRACEBACK", "1")
    status, _, error = vibench(*words)
    lines = error.splitlines()
    assert status == 2 and lines[-1] == "Error: talks:M failed: OSError: gone"
    assert "OSError: gone" in lines[:-1] and "the layer       is \\x1b[31mred" in lines


def test_a_method_that_cannot_be_made_says_where_if_it_is_asked(
    vibench: Command, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBENCH_TRACEBACK", "1")
    (video / "unmade.py").write_text("class M:\n def __init__(self):\n  self.weights = open('absent.pth')\n")
    status, _, error = vibench("inpaint", "in.mkv", "--mask", "mask.png", "-m", "unmade:M", "-o", "out.mkv")
    assert status == 2 and not (video / "out.mkv").exists()
    assert "line 3, in __init__" in error and "the method unmade:M cannot be made" in error.splitlines()[-1]


@pytest.mark.parametrize("factory", FACTORIES)
def test_for_a_debugger_the_method_works_in_this_process(vibench: Command, video: Path, factory: str) -> None:
    (video / f"own_{factory}.py").write_text(
        f"import os\nfrom pathlib import Path\nfrom misbehaving import {factory}\n"
        f"class M({factory}):\n def __init__(self, **options):\n  Path('seen').write_text(str(os.getpid()))\n"
        "  super().__init__(**options)\n"
    )
    method = f"own_{factory}:M[how=half_floats]"
    words = ("inpaint", "in.mkv", "--mask", "mask.png", "-m", method, "-o", "out.mkv")
    for options, here in (((), False), (("--in-process", "--overwrite"), True)):
        assert vibench(*words, *options)[0] == 0
        assert ((video / "seen").read_text() == str(os.getpid())) == here
