"""A video of any length: a method that looks ahead fills it in windows, and what does not fit is told beforehand."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from baselines.flow_propagation import FlowPropagation
from vibench.clip import Frames, Holed, Masks
from vibench.errors import InputError
from vibench.media.frames import read_frames
from vibench.runner.inpaint import check_memory, inpaint

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def video(tmp_path: Path) -> tuple[Path, Path, Frames, Masks]:
    """A folder of pictures of a panning texture, one mask for all, and both as arrays."""
    texture = np.random.default_rng(0).integers(0, 256, (48, 64 + 10, 3), np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 2)
    frames = np.stack([texture[:, t : t + 64] for t in range(10)])
    (tmp_path / "in").mkdir()
    for index, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / "in" / f"{index}.png"), frame[..., ::-1])
    mask = np.zeros((48, 64), np.uint8)
    mask[16:32, 20:44] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    return tmp_path / "in", tmp_path / "mask.png", frames, np.broadcast_to(mask > 0, frames.shape[:3])


def test_a_method_that_works_in_windows_is_streamed_and_fills_a_short_video_as_a_whole(
    video: tuple[Path, Path, Frames, Masks], tmp_path: Path
) -> None:
    folder, mask, frames, masks = video
    said: list[str] = []
    inpaint(folder, mask, "flow_propagation", tmp_path / "out.mkv", say=said.append)
    filled, _ = read_frames(tmp_path / "out.mkv")
    holed = np.where(masks[..., None], np.uint8(0), frames)
    np.testing.assert_array_equal(filled, FlowPropagation()(Holed("video", holed, masks)))
    assert said == []


def host(streams: bool, **described: float) -> Any:
    return SimpleNamespace(streams=streams, described=described)


def source(frames: int | None, height: int = 720, width: int = 1280) -> Any:
    return SimpleNamespace(frames=frames, height=height, width=width)


def test_what_a_window_holds_is_said_where_the_video_is_longer() -> None:
    said: list[str] = []
    windowed = host(True, window_bytes=640 * 2**20, bytes_per_pixel=6)
    check_memory(windowed, source(100), said.append)
    check_memory(windowed, source(None), said.append)
    check_memory(host(True), source(100_000), said.append)
    assert said == []
    check_memory(windowed, source(300), said.append)
    assert len(said) == 1 and said[0].startswith("the method fills windows of at most 121 frames, in 0.7 GB of memory")


def test_a_method_that_takes_the_whole_video_says_what_that_takes_and_is_refused_what_is_not_there() -> None:
    said: list[str] = []
    check_memory(host(False), source(20), said.append)
    assert said == []
    check_memory(host(False), source(200), said.append)
    assert said == ["the method takes the whole video at once: 1.3 GB of memory at least"]
    frames = psutil.virtual_memory().total // (7 * 720 * 1280) + 1
    with pytest.raises(InputError, match=rf"whose {frames} frames of 1280x720 need at least .* GB are free; cut it"):
        check_memory(host(False), source(frames), said.append)


def test_a_program_fills_a_video_too(video: tuple[Path, Path, Frames, Masks], tmp_path: Path) -> None:
    folder, mask, frames, masks = video
    file = tmp_path / "grey.toml"
    command = ["{python}", str(SUPPORT / "fake_program.py"), "--frames", "{frames}", "--masks", "{masks}"]
    words = ", ".join(f'"{word}"' for word in [*command, "--output", "{output}/%04d.png", "--level", "{level}"])
    file.write_text(
        f'name = "grey"\ntitle = "Grey"\nlicence = "none"\npython = "{sys.executable}"\ncommand = [{words}]\n'
        '[options]\nlevel = 128\n[output]\nframes = "{output}/%04d.png"\n'
    )
    inpaint(folder, mask, f"{file}[level=90]", tmp_path / "out.mkv")
    np.testing.assert_array_equal(read_frames(tmp_path / "out.mkv")[0], np.where(masks[..., None], 90, frames))
