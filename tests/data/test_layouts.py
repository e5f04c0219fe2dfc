"""A folder is a data set of every video that people have, and what is passed over is said."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from PIL import Image
from video_files import drifting, write_film

from vibench.data.layouts import open_dataset


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".ts", "libx264"), (".flv", "libx264"), (".3gp", "libx264"), (".mts", "libx264"), (".m2ts", "libx264"),
     (".wmv", "wmv2"), (".mpg", "mpeg2video"), (".vob", "mpeg2video"), (".webm", "libvpx-vp9"), (".dv", "dvvideo")],
)  # fmt: skip
def test_every_common_video_is_a_clip(tmp_path: Path, suffix: str, codec: str) -> None:
    frames = drifting(6, 576, 720) if codec == "dvvideo" else drifting(6)
    write_film(tmp_path / f"a{suffix}", frames, codec=codec)
    write_film(tmp_path / "b.mp4", drifting(6))
    data = open_dataset(f"folder:{tmp_path}")
    assert data.clip_names() == ["a", "b"] and len(data.load("a").frames) >= 5


def test_what_is_passed_over_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_film(tmp_path / "a.mp4", drifting(3))
    (tmp_path / "nested" / "frames").mkdir(parents=True)
    Image.fromarray(drifting(1)[0]).save(tmp_path / "nested" / "frames" / "0.png")
    (tmp_path / "notes.txt").write_text("not a video")
    (tmp_path / ".hidden").write_text("nobody's business")
    with caplog.at_level(logging.WARNING):
        assert open_dataset(f"folder:{tmp_path}").clip_names() == ["a"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: passed over nested, notes.txt: neither folders of images nor video files"
    ]


def test_clips_beside_images_are_passed_over_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A preview in a folder of clips makes the folder itself the clip; nobody must find that out from the mean."""
    write_film(tmp_path / "a.mp4", drifting(3))
    Image.fromarray(drifting(1)[0]).save(tmp_path / "preview.png")
    with caplog.at_level(logging.WARNING):
        assert open_dataset(f"folder:{tmp_path}").clip_names() == [tmp_path.name]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: passed over a.mp4: {tmp_path.name} itself is the clip"
    ]
