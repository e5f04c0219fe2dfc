"""Kept frames come out of a run as images or as a video, bit for bit where the format can do that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_run import write_run

from vibench import write_frames
from vibench.clip import Frames
from vibench.errors import InputError
from vibench.media.video import read_video
from vibench.results.store import Store


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_run(
        tmp_path_factory.mktemp("results"), ["telea", "broken"], ["a/square"], fails=[("broken", "a/square")]
    )


def images(folder: Path) -> Frames:
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])


def test_images_are_the_kept_frames(run: Store, tmp_path: Path) -> None:
    assert write_frames(run.folder, "telea", "a/square", tmp_path / "out") == 6
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{index:05d}.png" for index in range(6)]
    np.testing.assert_array_equal(images(tmp_path / "out"), run.frames("telea", "a/square"))


def test_input_truth_and_holes_come_out_too(run: Store, tmp_path: Path) -> None:
    kept = run.case_frames("a/square")
    assert kept is not None
    frames, holes, truth = kept
    for name, expected in (("input", frames), ("truth", truth), ("holes", holes[..., None] * np.full(3, 255))):
        write_frames(run.folder, name, "a/square", tmp_path / name)
        np.testing.assert_array_equal(images(tmp_path / name), expected)


def test_a_matroska_file_loses_nothing_and_an_mp4_plays(run: Store, tmp_path: Path) -> None:
    expected = run.frames("telea", "a/square")
    assert expected is not None
    assert write_frames(run.folder, "telea", "a/square", tmp_path / "out.mkv") == 6
    np.testing.assert_array_equal(read_video(tmp_path / "out.mkv")[0], expected)
    write_frames(run.folder, "telea", "a/square", tmp_path / "out.mp4")
    played, _ = read_video(tmp_path / "out.mp4")
    assert played.shape == expected.shape and np.abs(played.astype(int) - expected).mean() < 8


@pytest.mark.parametrize(
    ("method", "case", "output", "sentence"),
    [
        ("nobody", "a/square", "new", "has no method 'nobody'; its methods: telea, broken"),
        ("telea", "b/square", "new", "has no case 'b/square'; its cases: a/square"),
        ("broken", "a/square", "new", "kept no sound frames of 'broken'"),
        ("telea", "a/square", "new.gif", "end it in .mp4, .mov, .m4v or .mkv"),
        ("telea", "a/square", "full", "holds images already; name a new folder"),
    ],
)
def test_what_cannot_be_written_is_said(
    run: Store, tmp_path: Path, method: str, case: str, output: str, sentence: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.png").write_bytes(b"")
    with pytest.raises(InputError, match=sentence):
        write_frames(run.folder, method, case, tmp_path / output)
