"""Real clips: cut at random, their flow computed once, validation apart by name."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from vinet.errors import VINetError
from vinet.kernels import warp
from vinet.training.scenes import clips
from vinet.training.scenes.chance import generator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos of a smooth texture that moves two pixels a frame to the left."""
    texture = np.random.default_rng(0).uniform(0, 255, (12, 24, 3))
    wide = torch.nn.functional.interpolate(
        torch.from_numpy(texture).permute(2, 0, 1)[None], size=(64, 128), mode="bicubic"
    )
    levels = wide[0].clamp(0, 255).byte().permute(1, 2, 0).numpy()
    for name in ("one", "two"):
        with av.open(str(tmp_path / f"{name}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=24)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "bgr0"
            for t in range(8):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(levels[:, 2 * t : 2 * t + 96]), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return tmp_path


def scene(folder: Path) -> clips.RealScene:
    paths = clips.videos(str(folder), (), validation=False)
    return clips.real(generator(1), paths, 2, 6, 48, folder / "cache", torch.device("cpu"))


def test_the_split_is_by_name(folder: Path) -> None:
    assert [path.stem for path in clips.videos(str(folder), ("two",), validation=False)] == ["one"]
    assert [path.stem for path in clips.videos(str(folder), ("two",), validation=True)] == ["two"]
    with pytest.raises(VINetError, match="three"):
        clips.videos(str(folder), ("three",), validation=False)


def test_flow_is_that_of_the_video(folder: Path) -> None:
    made = scene(folder)
    motion = made.motion(1, 3)
    assert motion.flow.shape == (2, 2, 48, 48)
    assert (motion.flow[:, :, 12:-12, 12:-12].mean((0, 2, 3)) - torch.tensor([-4.0, 0.0])).norm() < 0.5
    error = (made.frame(1) - warp(made.frame(3), motion.flow, clamp=True)).abs().mean(1, keepdim=True)
    assert error[motion.visible > 0.5].mean() < (made.frame(1) - made.frame(3)).abs().mean() / 3


def test_flow_is_computed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scene(folder).motion(0, 2).flow
    monkeypatch.setattr(clips.cv2.DISOpticalFlow, "create", None)
    assert torch.equal(scene(folder).motion(0, 2).flow, first)


def test_a_clip_that_is_too_small_is_named(folder: Path) -> None:
    paths = clips.videos(str(folder), (), validation=False)
    with pytest.raises(VINetError, match="this stage needs 6 of 80 px"):
        clips.real(generator(1), paths, 1, 6, 80, folder / "cache", torch.device("cpu"))


def test_what_is_no_video_is_named(folder: Path) -> None:
    (folder / "bad.mp4").write_text("no video")
    with pytest.raises(VINetError, match="bad.mp4"):
        clips.video(folder / "bad.mp4")
