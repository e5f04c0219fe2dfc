"""Real programs end in one table with ours: ffmpeg's filters, and IOPaint, whose model cv2 is our telea to the bit."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from listening import Silent

from baselines.navier_stokes import NavierStokes
from baselines.telea import Telea
from vibench.clip import Holed
from vibench.data.layouts import open_dataset
from vibench.masks import stationary_square
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.results.run import Run
from vibench.runner.programs.factory import ProgramFactory, named_method
from vibench.runner.programs.method_file import FOLDER
from vibench.runner.programs.program import Program
from vibench.runner.run import run

IOPAINT = os.environ.get("VIBENCH_IOPAINT_PYTHON", "")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
needs_iopaint = pytest.mark.skipif(
    not IOPAINT, reason="VIBENCH_IOPAINT_PYTHON names no Python of an environment with IOPaint"
)

PROTOCOL = Protocol.model_validate(
    {
        "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3,
        "data": {"dataset": "bundled", "clips": ["carphone"], "frames": 4},
        "holes": [{"name": "square", "generator": "stationary-square"}],
        "scoring": {"metrics": ["psnr"]},
    }
)  # fmt: skip


def holed() -> Holed:
    frames = open_dataset("bundled").load("carphone", limit_frames=4).frames
    masks = stationary_square(*frames.shape[:3], 3)
    return Holed("carphone", np.where(masks[..., None], np.uint8(0), frames), masks)


def program(name: str, **options: str) -> Program:
    found = named_method(Spec(name, options))
    assert found is not None and isinstance(found.factory, ProgramFactory)
    return found.factory.host(dict(found.spec.options), "cpu", 1)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["ffmpeg-delogo", "ffmpeg-removelogo"])
def test_ffmpeg_fills_the_hole_smoothly_and_touches_the_rest_by_no_more_than_yuv_does(name: str) -> None:
    clip = holed()
    filled = program(name).fill(clip)[0].astype(int)
    assert np.abs(filled - clip.frames)[~clip.masks].mean() < 3
    black = clip.frames[clip.masks]
    assert (black == 0).all() and filled[clip.masks].mean() > 40, "what was black is not any more"
    inside = filled[:, :, 1:] - filled[:, :, :-1]
    both = clip.masks[:, :, 1:] & clip.masks[:, :, :-1]
    assert np.abs(inside)[both].mean() < np.abs(inside)[~both].mean(), "smoother than the picture"


@needs_ffmpeg
def test_programs_and_our_methods_end_in_one_table_that_says_what_was_timed(tmp_path: Path) -> None:
    method_file = shutil.copy(FOLDER / "ffmpeg-delogo.toml", tmp_path / "mine.toml")
    done = run(PROTOCOL, f"{method_file},telea", output=tmp_path / "out", listener=Silent())
    assert done.methods == ("ffmpeg-delogo", "telea") and not done.failures
    records = {record.method: record for record in done.store.records()}
    assert {name: record.timing and record.timing.scope for name, record in records.items()} == {
        "ffmpeg-delogo": "process", "telea": "call"
    }  # fmt: skip
    assert "of 255 levels on average" in records["ffmpeg-delogo"].notes[0] and not records["telea"].notes
    assert {"version", "licence", "program"} <= done.info.methods[0].facts.keys()
    assert done.info.methods[0].facts["version"].startswith("ffmpeg version")
    said = "\n".join(footnotes(done))
    assert "‡ times of a whole process" in said and "ffmpeg-delogo, on carphone/square: it changed" in said


def footnotes(done: Run) -> list[str]:
    from vibench.report import numbers
    from vibench.results.table import tabulate

    table = tabulate(done.results)
    assert numbers.speed_texts(table.row("ffmpeg-delogo"))[0].endswith("‡")
    assert not numbers.speed_texts(table.row("telea"))[0].endswith("‡")
    return numbers.footnotes(table)


@needs_iopaint
@pytest.mark.parametrize(("flag", "ours"), [("INPAINT_TELEA", Telea), ("INPAINT_NS", NavierStokes)])
def test_iopaint_s_cv2_is_ours_pixel_for_pixel(flag: str, ours: type[Telea | NavierStokes]) -> None:
    told = subprocess.run([IOPAINT, "-c", "import cv2, numpy; print(cv2.__version__)"], capture_output=True, check=True)
    assert told.stdout
    clip = holed()
    found = program("iopaint-cv2", python=IOPAINT, flag=flag).fill(clip)[0]
    np.testing.assert_array_equal(found, ours(radius_px=3.0)(clip))
