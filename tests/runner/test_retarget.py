"""Retargeting: the object keeps its pixels and its place, the background is squeezed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import box, drifting, sound_of, times_of, write_film

from vibench.errors import InputError
from vibench.media.frames import read_frames
from vibench.media.video import write_lossless
from vibench.plugins import Spec
from vibench.runner.retarget import pasted, retarget


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A red square of 20 px that moves over a grey ramp, (T, 60, 120, 3), and its silhouettes."""
    ramp = np.repeat(np.linspace(20, 200, 120).astype(np.uint8)[None, :, None], 60, axis=0).repeat(3, axis=2)
    frames, masks = np.stack([ramp] * 5), np.zeros((5, 60, 120), np.uint8)
    for t in range(5):
        frames[t, 20:40, 30 + 8 * t : 50 + 8 * t] = (250, 10, 10)
        masks[t, 20:40, 30 + 8 * t : 50 + 8 * t] = 255
    return frames, masks


@pytest.mark.parametrize(("axis", "size"), [("width", (60, 60)), ("height", (30, 120))])
def test_the_object_keeps_its_size_and_relative_place_and_the_background_is_squeezed(
    tmp_path: Path, axis: str, size: tuple[int, int]
) -> None:
    frames, masks = scene()
    write_lossless(tmp_path / "in.mkv", frames, 12)
    np.save(tmp_path / "mask.npy", masks)
    paths = tmp_path / "in.mkv", tmp_path / "mask.npy", Spec("last_seen"), tmp_path / "out.mkv"
    assert retarget(*paths, factor=0.5, axis=axis, dilation_iterations=1) == 5  # type: ignore[arg-type]
    out, rate = read_frames(tmp_path / "out.mkv")
    assert out.shape == (5, *size, 3) and rate == 12
    for t in range(5):
        red = (out[t, ..., 0] > 200) & (out[t, ..., 1] < 60)
        y, x = np.nonzero(red)
        assert 18 <= np.ptp(y) + 1 <= 20 and 18 <= np.ptp(x) + 1 <= 20
        centre = (29.5 * size[0] / 60, (39.5 + 8 * t) * size[1] / 120)
        assert abs(y.mean() - centre[0]) <= 1 and abs(x.mean() - centre[1]) <= 1
    ramp = cv2.resize(frames[0, :5], (size[1], 5), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(out[0, 1, 2:-2], ramp[1, 2:-2], atol=1)


def test_an_object_at_the_border_stays_whole() -> None:
    frame, thing = np.zeros((40, 80, 3), np.uint8), np.zeros((40, 80), bool)
    thing[10:20, 0:24] = True
    frame[thing] = 255
    squeezed = pasted(np.zeros((40, 40, 3), np.uint8), frame, thing)
    assert squeezed[14:16, 0:20].min() == 255 and squeezed[12:18, 2:22].min() > 230 and not squeezed[:, 25:].any()


@pytest.mark.parametrize(
    ("options", "sentence"), [({"factor": 2.0}, "from 0.1 to 1"), ({"factor": 0.1}, "squeeze less"), ({"factor": 0.5,
    "axis": "depth"}, "width or height")],
)  # fmt: skip
def test_what_cannot_be_squeezed_is_one_sentence(tmp_path: Path, options: dict[str, object], sentence: str) -> None:
    frames, masks = scene()
    write_lossless(tmp_path / "in.mkv", frames, 12)
    np.save(tmp_path / "mask.npy", masks)
    with pytest.raises(InputError, match=sentence):
        retarget(tmp_path / "in.mkv", tmp_path / "mask.npy", Spec("telea"), tmp_path / "out.mkv", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out.mkv").exists()


def test_the_input_is_never_written_over(tmp_path: Path) -> None:
    frames, masks = scene()
    write_lossless(tmp_path / "in.mkv", frames, 12)
    np.save(tmp_path / "mask.npy", masks)
    before = (tmp_path / "in.mkv").read_bytes()
    with pytest.raises(InputError, match="is also the input; name another file"):
        retarget(tmp_path / "in.mkv", tmp_path / "mask.npy", Spec("telea"), tmp_path / "." / "in.mkv", factor=0.8)
    assert (tmp_path / "in.mkv").read_bytes() == before


def test_times_and_sound_are_kept(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mp4", drifting(8), [0, 1, 2, 6, 7, 8, 9, 20], beep=0.3)
    cv2.imwrite(str(tmp_path / "mask.png"), box())
    retarget(film, tmp_path / "mask.png", Spec("telea"), tmp_path / "out.mp4", factor=0.8)
    assert times_of(tmp_path / "out.mp4") == times_of(film)
    assert sound_of(tmp_path / "out.mp4") == sound_of(film)
