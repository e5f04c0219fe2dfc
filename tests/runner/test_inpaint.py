"""One video in, one video out: real files, real sound, and nothing left where something went wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import InputError, UserError
from vibench.media.frames import read_frames
from vibench.plugins import Spec
from vibench.runner.inpaint import inpaint
from vibench.runner.retarget import retarget

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


class Answers:
    """Answers in one of many wrong ways, or in one of the right ones."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, holed: Holed) -> Any:
        frames = holed.frames
        match self.kind:
            case "raises":
                raise RuntimeError("CUDA error: device-side assert triggered\nsecond line")
            case "exits":
                sys.exit(0)
            case "none":
                return None
            case "list":
                return list(frames)
            case "unit":
                return frames / 255.0
            case "nan":
                return np.where(holed.masks[..., None], np.nan, frames)
            case "small":
                return frames[:, ::2, ::2]
            case "channels first":
                return frames.transpose(0, 3, 1, 2)
            case "fewer":
                return frames[:-1]
            case "integers":
                return frames.astype(np.int64) + 1
            case _:
                return frames + 100.6


class Streams(Answers):
    """The same, frame by frame."""

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Any]:
        if self.kind == "none":
            return None  # type: ignore[return-value]
        return self.one_by_one(frames, masks)

    def one_by_one(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Any]:
        for count, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
            if self.kind == "fewer" and count:
                return
            if self.kind in ("fewer", "more"):
                yield frame
            if self.kind == "fewer":
                continue
            answer = self(Holed("x", frame[None], mask[None]))
            yield answer[0] if isinstance(answer, np.ndarray | list) and len(answer) else answer


WRONG = {
    "raises": r"(Answers|Streams)\[kind=.*\] failed: RuntimeError: CUDA error",
    "exits": r"(Answers|Streams)\[kind=.*\] failed: SystemExit: 0",
    "none": r"(Answers|Streams)\[kind=.*\] failed: .*None",
    "unit": "as if white were 1; it must return a numpy array",
    "nan": "not finite .NaN or infinite.",
    "small": r"returned uint8 \(.*24, 32, 3\); it must return uint8 or float \(.*48, 64, 3\)",
    "channels first": r"returned uint8 \(.*3, 48, 64\)",
    "fewer": r"returned uint8 \(5, 48, 64, 3\)|gave 1 frames and the video has more",
}


@pytest.mark.parametrize("factory", ["Answers", "Streams"])
@pytest.mark.parametrize("kind", WRONG)
def test_what_a_method_does_wrong_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, mask: Path, factory: str, kind: str
) -> None:
    video = write_video(tmp_path / "in.mkv", moving_texture(6))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=WRONG[kind]) as caught:
        inpaint(video, mask, Spec(f"{__name__}:{factory}", {"kind": kind}), tmp_path / "out.mkv")
    assert "\n" not in str(caught.value) and sorted(tmp_path.iterdir()) == before
    with pytest.raises(UserError, match=WRONG[kind]):
        retarget(video, mask, Spec(f"{__name__}:Answers", {"kind": kind}), tmp_path / "out.mkv", factor=0.8)


def test_a_stream_of_more_frames_than_the_video_is_refused(tmp_path: Path, mask: Path) -> None:
    video = write_video(tmp_path / "in.mkv", moving_texture(4))
    with pytest.raises(UserError, match="gave more than the 4 frames"):
        inpaint(video, mask, Spec(f"{__name__}:Streams", {"kind": "more"}), tmp_path / "out.mkv")


@pytest.mark.parametrize("factory", ["Answers", "Streams"])
@pytest.mark.parametrize(("kind", "added"), [("float", 101), ("integers", 1)])
def test_numbers_of_any_type_in_0_to_255_are_rounded(
    tmp_path: Path, mask: Path, factory: str, kind: str, added: int
) -> None:
    frames = moving_texture(3)
    inpaint(write_video(tmp_path / "in.mkv", frames), mask, Spec(f"{__name__}:{factory}", {"kind": kind}),
            tmp_path / "out.mkv")  # fmt: skip
    hole = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0
    assert (read_frames(tmp_path / "out.mkv")[0][:, hole] == added).all()


def folder_of_masks(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:05d}.png"), np.eye(48, 64, dtype=np.uint8) * 255)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: np.save(folder / "mask.npy", np.ones((4, 48, 64), bool)), "marks every pixel of every frame"),
        (lambda folder: np.save(folder / "mask.npy", np.eye(48, 64)[None].repeat(5, 0) > 0), "more masks than the 4"),
        (lambda folder: write_video(folder / "mask.mkv", np.eye(48, 64, dtype=np.uint8)[None, ..., None].repeat(5, 0)
                                    .repeat(3, -1) * 255), "more masks than the 4 frames"),
        (lambda folder: folder_of_masks(folder / "mask.folder", 5), "more masks than the 4 frames"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["in.mkv", "in.mp4"])
def test_masks_that_do_not_fit_are_told_before_anything_is_filled(
    tmp_path: Path, make: Callable[[Path], object], sentence: str, name: str
) -> None:
    video = write_video(tmp_path / name, moving_texture(4))
    make(tmp_path)

    def progress(_: int | None) -> Callable[[], None]:
        raise AssertionError("filling has begun")

    with pytest.raises(InputError, match=sentence):
        inpaint(video, next(tmp_path.glob("mask.*")), TELEA, tmp_path / "out.mkv", progress=progress)


def test_the_command_says_what_is_left_out_and_takes_a_threshold(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.mp4", moving_texture(4), sound=True)
    soft = np.zeros((48, 64), np.uint8)
    soft[16:32, 20:44] = 90
    soft[20:28, 24:40] = 180
    cv2.imwrite(str(tmp_path / "mask.png"), soft)
    command = [sys.executable, "-m", "vibench", "inpaint", str(video), "--mask", str(tmp_path / "mask.png")]
    command += ["-m", "identity", "-o", str(tmp_path / "out.mkv"), "--overwrite"]
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    assert refused.returncode == 2 and "--mask-threshold" in refused.stderr and "Traceback" not in refused.stderr
    done = subprocess.run(
        [*command, "--mask-threshold", "80", "--no-sound"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    out, _ = read_frames(tmp_path / "out.mkv")
    assert not out[:, soft > 0].any() and out[:, soft == 0].any()
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert not container.streams.audio


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
