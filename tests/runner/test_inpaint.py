"""One video in, one video out: real files, real sound, and nothing left where something went wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import InputError
from vibench.media.frames import read_frames
from vibench.plugins import Spec
from vibench.runner.inpaint import inpaint

TELEA = Spec("telea")


def moving_texture(frames: int = 12, height: int = 48, width: int = 64) -> Frames:
    texture = np.random.default_rng(0).integers(0, 256, (height, width + frames, 3), np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 2)
    return np.stack([texture[:, t : t + width] for t in range(frames)])


def write_video(path: Path, frames: Frames, rate: int = 12, sound: bool = False) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0" if path.suffix == ".mkv" else "yuv420p"
        heard = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
        if heard is not None:
            tone = np.sin(np.arange(16000 * len(frames) // rate) / 6).astype(np.float32)[None]
            audio = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
            audio.sample_rate, audio.pts, audio.time_base = 16000, 0, Fraction(1, 16000)
            container.mux(heard.encode(audio))
            container.mux(heard.encode())
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    picture = np.zeros((48, 64), np.uint8)
    picture[16:32, 20:44] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), picture)
    return tmp_path / "mask.png"


def test_the_hole_is_filled_and_everything_else_kept(tmp_path: Path, mask: Path) -> None:
    frames = moving_texture()
    video = write_video(tmp_path / "in.mkv", frames)
    assert inpaint(video, mask, TELEA, tmp_path / "out.mkv") == 12
    out, rate = read_frames(tmp_path / "out.mkv")
    hole = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0
    assert rate == 12
    assert np.array_equal(out[:, ~hole], frames[:, ~hole])
    holed = np.where(hole[..., None], 0, frames[3]).astype(np.uint8)
    assert np.array_equal(out[3], cv2.inpaint(holed, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA))


def test_sound_is_copied_packet_by_packet(tmp_path: Path, mask: Path) -> None:
    video = write_video(tmp_path / "in.mp4", moving_texture(24), sound=True)
    inpaint(video, mask, TELEA, tmp_path / "out.mp4")

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    kept = packets(tmp_path / "out.mp4")
    assert len(kept) > 10
    assert kept == packets(video)[: len(kept)]


def test_a_method_that_needs_the_whole_clip_gives_what_its_call_gives(tmp_path: Path, mask: Path) -> None:
    from baselines.last_seen import LastSeen

    frames = moving_texture(6)
    masks = np.zeros((6, 48, 64), np.uint8)
    for t in range(6):
        masks[t, 10:20, 5 * t : 5 * t + 20] = 1
    np.save(tmp_path / "masks.npy", masks)
    inpaint(write_video(tmp_path / "in.mkv", frames), tmp_path / "masks.npy", Spec("last_seen"), tmp_path / "out.mkv")
    cut = np.where(masks[..., None] > 0, 0, frames).astype(np.uint8)
    assert np.array_equal(read_frames(tmp_path / "out.mkv")[0], LastSeen()(Holed("x", cut, masks > 0)))


def test_dilation_grows_the_hole_by_a_cross(tmp_path: Path, mask: Path) -> None:
    frames = moving_texture(2)
    video = write_video(tmp_path / "in.mkv", frames)
    inpaint(video, mask, Spec("identity"), tmp_path / "out.mkv", dilation_iterations=3)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    grown = cv2.dilate(cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE), cross, iterations=3) > 0
    out, _ = read_frames(tmp_path / "out.mkv")
    assert not out[:, grown].any()
    assert np.array_equal(out[:, ~grown], frames[:, ~grown])


class LookAhead:
    """Streams with a look-ahead of two frames and counts how far it was allowed to read."""

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        waiting: list[Frame] = []
        for frame, _ in zip(frames, masks, strict=True):
            assert (frame == 0).any()
            waiting.append(frame)
            if len(waiting) == 3:
                yield waiting.pop(0)
        yield from waiting

    def __call__(self, holed: Holed) -> Frames:
        raise AssertionError("a method that streams must be streamed")


def test_a_look_ahead_keeps_frames_and_originals_together(tmp_path: Path, mask: Path) -> None:
    frames = moving_texture(7)
    video = write_video(tmp_path / "in.mkv", frames)
    inpaint(video, mask, Spec(f"{__name__}:LookAhead"), tmp_path / "out.mkv")
    hole = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0
    assert np.array_equal(read_frames(tmp_path / "out.mkv")[0], np.where(hole[..., None], 0, frames))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"video": "absent.mp4"}, "there is nothing at"),
        ({"mask": "absent.png"}, "there is no mask"),
        ({"mask": "small.png"}, "they must have one size"),
        ({"mask": "empty.png"}, "marks no pixel"),
        ({"mask": "short.npy"}, "holds 3 masks and the clip has more frames"),
        ({"output": "out.txt"}, "does not say a video format"),
        ({"output": "in.mkv"}, "is also the input"),
        ({"video": "mask.png", "output": "mask.png"}, "is also the input"),
    ],
)
def test_files_that_do_not_fit_are_one_sentence_and_leave_nothing(
    tmp_path: Path, mask: Path, change: dict[str, str], sentence: str
) -> None:
    write_video(tmp_path / "in.mkv", moving_texture(4))
    cv2.imwrite(str(tmp_path / "small.png"), np.full((24, 32), 255, np.uint8))
    cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((48, 64), np.uint8))
    np.save(tmp_path / "short.npy", np.ones((3, 48, 64), bool))
    before = sorted(tmp_path.iterdir())
    names = {"video": "in.mkv", "mask": "mask.png", "output": "out.mkv"} | change
    with pytest.raises(InputError, match=sentence):
        inpaint(tmp_path / names["video"], tmp_path / names["mask"], TELEA, tmp_path / names["output"])
    assert sorted(tmp_path.iterdir()) == before


def test_a_killed_process_leaves_nothing_under_the_name(tmp_path: Path, mask: Path) -> None:
    video = write_video(tmp_path / "in.mkv", moving_texture(200))
    command = [sys.executable, "-m", "vibench", "inpaint", str(video), "--mask", str(mask), "-m", "biharmonic"]
    process = subprocess.Popen([*command, "-o", str(tmp_path / "out.mkv")], stderr=subprocess.PIPE)
    for _ in range(600):
        if list(tmp_path.glob(".out.*.partial.mkv")) or process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert process.returncode == -9, "it ended before it could be killed"
    assert not (tmp_path / "out.mkv").exists()
