"""Images are opened by content and by the listed formats only, with the depth that the file has."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from video_files import drifting

from vibench.errors import InputError
from vibench.media.frames import open_frames
from vibench.media.images import pictures_in, read_image, read_labels, read_mask

DEEP = np.arange(16 * 24 * 3, dtype=np.uint16).reshape(16, 24, 3) * 50


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.ppm", "a.webp"])
def test_eight_bits_are_read_as_they_are(tmp_path: Path, name: str) -> None:
    Image.fromarray(drifting(1)[0]).save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    assert np.array_equal(read_image(tmp_path / name), drifting(1)[0])


@pytest.mark.parametrize(
    ("name", "channels"),
    [("rgb.png", 3), ("rgba.png", 4), ("grey.png", 1), ("rgb.tif", 3), ("rgba.tif", 4), ("grey.tif", 1),
     ("rgb.ppm", 3), ("grey.pgm", 1)],
)  # fmt: skip
def test_sixteen_bits_are_refused_whatever_pillow_makes_of_them(tmp_path: Path, name: str, channels: int) -> None:
    deep = {1: DEEP[..., 0], 3: DEEP, 4: np.dstack([DEEP, DEEP[..., :1]])}[channels]
    cv2.imwrite(str(tmp_path / name), deep)
    for read in (read_image, read_labels, read_mask):
        with pytest.raises(InputError, match=rf"{name} has more than 8 bits a channel .*; convert it to 8 bits"):
            read(tmp_path / name)


def test_grey_with_alpha_of_sixteen_bits_is_refused(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + struct.pack(">8H", *[300, 65535] * 4) for _ in range(4))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 4, 0, 0, 0))
    picture = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(picture)
    with pytest.raises(InputError, match="more than 8 bits a channel"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_postscript_starts_no_program(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")

    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", started)
    with pytest.raises(InputError, match=f"{name} cannot be decoded as an image"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("form", ["GIF", "ICO", "TGA", "PDF", "PCX"])
def test_other_formats_under_a_name_of_ours_are_refused(tmp_path: Path, form: str) -> None:
    Image.fromarray(drifting(1)[0]).save(tmp_path / "other", format=form)
    (tmp_path / "other").rename(tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png cannot be decoded as an image"):
        read_image(tmp_path / "a.png")


def test_an_animation_where_one_picture_is_needed_is_refused(tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in drifting(3)]
    for name in ("a.png", "a.webp", "a.tif"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
        assert pictures_in(tmp_path / name) == 3
        for read in (read_image, read_labels, read_mask):
            with pytest.raises(InputError, match=f"{name} holds 3 pictures .an animation or a stack., where one"):
                read(tmp_path / name)


def test_a_folder_with_two_files_of_one_name_is_refused(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "b.jpg"):
        Image.fromarray(drifting(1)[0]).save(tmp_path / name)
    with pytest.raises(InputError, match=r"holds b.jpg and b.png: one picture twice, or two films"):
        open_frames(tmp_path)


def test_labels_are_indices_and_0_is_the_background(tmp_path: Path) -> None:
    labels = np.zeros((16, 24), np.uint8)
    labels[2:6, 3:9], labels[8:12, 3:9] = 1, 2
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette([255, 255, 255, 128, 0, 0, 0, 0, 0] + [0] * 759)
    picture.save(tmp_path / "a.png")
    assert np.array_equal(read_labels(tmp_path / "a.png"), labels)
