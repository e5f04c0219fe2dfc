"""Everything a user can hand to the readers that they cannot use: one sentence each, before memory is taken."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vibench.errors import InputError
from vibench.media.frames import read_frames
from vibench.media.masks import read_masks
from vibench.media.video import read_video, write_lossless

Make = Callable[[Path], Path]


def saved(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], name: str) -> Make:
    """Write ``array`` as an image or .npy file of that name."""

    def make(folder: Path) -> Path:
        path = folder / name
        if path.suffix == ".npy":
            np.save(path, array)
        else:
            Image.fromarray(array).save(path)
        return path

    return make


def written(content: bytes, name: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def folder_of(*makes: Make) -> Make:
    def make(folder: Path) -> Path:
        inside = folder / "inside"
        inside.mkdir()
        for one in makes:
            one(inside)
        return inside

    return make


def cut_video(folder: Path) -> Path:
    path = folder / "cut.mkv"
    write_lossless(path, np.random.default_rng(0).integers(0, 256, (8, 32, 48, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return path


def sound_only(folder: Path) -> Path:
    import wave

    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    return folder / "sound.wav"


def png_that_claims(width: int, height: int) -> bytes:
    """A decompression bomb: a header of a huge picture and a few bytes of data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


def npy_that_claims(shape: tuple[int, ...]) -> bytes:
    """A .npy header that promises far more than the file holds."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + bytes(10)


def pickled(folder: Path) -> Path:
    np.save(folder / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return folder / "pickled.npy"


GREY = np.full((16, 24), 128, dtype=np.uint8)
COLOUR = np.zeros((16, 24, 3), dtype=np.uint8)
HOLE = np.zeros((16, 24), dtype=np.bool_)
HOLE[2:5, 3:9] = True
STEPS = (np.arange(16 * 24, dtype=np.uint32).reshape(16, 24) % 256).astype(np.uint8)

FRAMES: dict[str, tuple[Make, str]] = {
    "nothing there": (lambda folder: folder / "absent.mp4", "there is nothing at .*absent.mp4"),
    "an empty file": (written(b"", "a.mp4"), "a.mp4 cannot be decoded as video"),
    "text named .mp4": (written(b"hello " * 99, "a.mp4"), "a.mp4 cannot be decoded as video"),
    "text named .png": (written(b"hello " * 99, "a.png"), "a.png cannot be decoded as an image"),
    "a video cut short": (cut_video, "cut.mkv (ends after|cannot be decoded|frame)"),
    "a sound file": (sound_only, "sound.wav holds no video stream"),
    "a playlist of other files": (
        written(b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "a.m3u8"),
        "a.m3u8 (is a playlist|cannot be decoded)",
    ),
    "an empty folder": (folder_of(), "inside holds no images"),
    "a folder of other files": (folder_of(written(b"x", "notes.txt")), "inside holds no images"),
    "frames of two sizes": (
        folder_of(saved(COLOUR, "0.png"), saved(COLOUR[:8], "1.png")),
        "1.png is 24x8 and the frames",
    ),
    "a 16 bit image": (saved(GREY.astype(np.uint16) * 257, "deep.png"), "deep.png has more than 8 bits a channel"),
    "a floating point image": (saved(GREY.astype(np.float32), "float.tif"), "float.tif has more than 8 bits"),
    "a cut PNG": (written(png_that_claims(64, 64), "cut.png"), "cut.png cannot be decoded as an image"),
    "a decompression bomb": (
        written(png_that_claims(60_000, 60_000), "bomb.png"),
        "bomb.png says it has .* at most|bomb.png says it has more",
    ),
}

MASKS: dict[str, tuple[Make, str]] = {
    "nothing there": (lambda folder: folder / "mask.png", "there is no mask at .*mask.png"),
    "a grey picture": (saved(STEPS, "a.png"), "a.png is not a binary mask: it holds 256 values from 0 to 255"),
    "two values without 0": (
        saved(np.where(HOLE, 255, 7).astype(np.uint8), "a.png"),
        "it holds 2 values from 7 to 255",
    ),
    "a coloured picture": (saved(COLOUR + np.array([1, 2, 3], dtype=np.uint8), "a.png"), "a.png is a coloured image"),
    "a photo as JPEG": (saved(GREY, "a.jpg"), "a.jpg is not a mask: 100% of it is neither black nor white"),
    "another size": (saved(HOLE[:8], "a.png"), "mask .*a.png is 24x8 and the frames of the clip are 24x16"),
    "nothing marked": (saved(HOLE & False, "a.png"), "marks no pixel in any frame"),
    "everything marked": (saved(HOLE | True, "a.png"), "marks every pixel of every frame.* is it inverted"),
    "an empty folder": (folder_of(), "mask folder .*inside holds no images"),
    "too few": (folder_of(saved(HOLE, "0.png"), saved(HOLE, "1.png")), "holds 2 masks and the clip has more frames"),
    "too many": (folder_of(*[saved(HOLE, f"{t}.png") for t in range(4)]), "holds more masks than the 3 frames"),
    "too few in an array": (saved(np.stack([HOLE, HOLE]), "a.npy"), "holds 2 masks and the clip has more frames"),
    "floats in an array": (
        saved(HOLE.astype(np.float64), "a.npy"),
        r"a.npy holds float64 \(16, 24\); a mask is bool or uint8",
    ),
    "four dimensions": (saved(COLOUR[None] == 0, "a.npy"), "a mask is bool or uint8, .frames, height, width."),
    "zero frames in an array": (saved(np.zeros((0, 16, 24), dtype=np.bool_), "a.npy"), r"holds bool \(0, 16, 24\)"),
    "grey in an array": (saved(STEPS[None].repeat(3, 0), "a.npy"), "a.npy is not a binary mask"),
    "pickled objects": (pickled, "pickled.npy is not a whole .npy array"),
    "an array that lies about its size": (
        written(npy_that_claims((2**20, 2**12, 2**12)), "a.npy"),
        "a.npy is not a whole .npy array",
    ),
    "a cut array": (written(b"\x93NUMPY\x01\x00", "a.npy"), "a.npy is not a whole .npy array"),
    "text named .npy": (written(b"hello", "a.npy"), "a.npy is not a whole .npy array"),
    "no video": (written(b"hello", "a.mp4"), "a.mp4 cannot be decoded as video"),
}


@pytest.mark.parametrize("case", FRAMES)
def test_frames_that_cannot_be_used_are_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    make, reason = FRAMES[case]
    with pytest.raises(InputError) as caught:
        read_frames(make(tmp_path))
    assert re.search(reason, str(caught.value)), str(caught.value)
    assert_one_sentence(str(caught.value))


@pytest.mark.parametrize("case", MASKS)
def test_masks_that_cannot_be_used_are_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    make, reason = MASKS[case]
    with pytest.raises(InputError) as caught:
        read_masks(make(tmp_path), 3, 16, 24)
    assert re.search(reason, str(caught.value)), str(caught.value)
    assert_one_sentence(str(caught.value))


def assert_one_sentence(text: str) -> None:
    assert "\n" not in text and "Traceback" not in text and len(text) < 400


def test_a_clip_larger_than_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lossless(tmp_path / "a.mkv", np.zeros((5, 16, 16, 3), dtype=np.uint8))
    monkeypatch.setattr("vibench.media.video.MAX_CLIP_BYTES", 3 * 16 * 16 * 3)
    with pytest.raises(InputError, match="limit it to fewer than 4 frames, or use a method that streams"):
        read_video(tmp_path / "a.mkv")
    assert len(read_video(tmp_path / "a.mkv", limit=3)[0]) == 3


def test_a_video_wider_than_allowed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lossless(tmp_path / "a.mkv", np.zeros((1, 16, 80, 3), dtype=np.uint8))
    monkeypatch.setattr("vibench.media.video.MAX_SIDE_PX", 64)
    with pytest.raises(InputError, match="says it is 80x16; at most 64 px a side"):
        read_video(tmp_path / "a.mkv")
