"""What a file says about how its samples are shown is carried into the output, or refused in one sentence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace
from PIL import Image
from video_files import box, drifting, write_film

from vibench.errors import InputError
from vibench.media.frames import open_frames, read_frames
from vibench.media.video import iter_video, read_video
from vibench.runner.inpaint import inpaint


def fill(film: Path, output: str = "out.mp4", say: list[str] | None = None) -> Path:
    """``film`` with a box filled, written beside it."""
    source = open_frames(film)
    Image.fromarray(box(source.height, source.width)).save(film.with_name("mask.png"))
    out = film.with_name(output)
    inpaint(film, film.with_name("mask.png"), "telea", out, say=[].append if say is None else say.append)
    return out


def tags_of(path: Path) -> tuple[int, int, int, int]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range


def aspect_of(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        return container.streams.video[0].sample_aspect_ratio or Fraction(1)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turns_and_mirrors_are_applied(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    frames = drifting(2)
    film = write_film(tmp_path / "in.mov", frames, codec="qtrle", pixels="rgb24", turn=(degrees, mirrored))
    upright = np.rot90(frames, degrees // 90, axes=(1, 2))
    assert np.array_equal(read_video(film)[0], upright[:, :, ::-1] if mirrored else upright)
    out = fill(film, "out.mkv")
    kept = box(*upright.shape[1:3]) == 0
    assert np.array_equal(read_video(out)[0][:, kept], read_video(film)[0][:, kept])


def test_a_turn_that_is_no_quarter_is_refused(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mov", drifting(1), codec="qtrle", pixels="rgb24", turn=(30, False))
    with pytest.raises(InputError, match="is turned by 30 degrees; only quarter turns"):
        read_video(film)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_photo_is_applied(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    shape = drifting(1)[0]
    Image.fromarray(shape).save(tmp_path / "a.png", exif=exif)
    undone = {1: shape, 2: shape[:, ::-1], 3: shape[::-1, ::-1], 4: shape[::-1], 5: shape.transpose(1, 0, 2),
              6: np.rot90(shape, -1), 7: np.rot90(shape, 2).transpose(1, 0, 2), 8: np.rot90(shape)}  # fmt: skip
    assert np.array_equal(read_frames(tmp_path / "a.png")[0][0], undone[orientation])


@pytest.mark.parametrize("output", ["out.mp4", "out.mov"])
def test_pixels_that_are_not_square_stay_so(tmp_path: Path, output: str) -> None:
    film = write_film(tmp_path / "in.mp4", drifting(3), tags={"sample_aspect_ratio": Fraction(64, 45)})
    assert aspect_of(fill(film, output)) == Fraction(64, 45)


def test_the_pixels_of_a_turned_video_are_turned_too(tmp_path: Path) -> None:
    tags = {"sample_aspect_ratio": Fraction(4, 3)}
    film = write_film(tmp_path / "in.mp4", drifting(3), tags=tags, turn=(90, False))
    assert aspect_of(fill(film)) == Fraction(3, 4)


def test_pixels_that_are_not_square_are_refused_where_they_cannot_be_said(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mp4", drifting(3), tags={"sample_aspect_ratio": Fraction(64, 45)})
    with pytest.raises(InputError, match=r"not square \(64:45\), which is not written in .*mkv; write .mp4 or .mov"):
        fill(film, "out.mkv")


TAGS = {
    "full range": {"color_range": 2, "colorspace": 6, "color_primaries": 6, "color_trc": 6},
    "PAL": {"color_range": 1, "colorspace": 5, "color_primaries": 5, "color_trc": 6},
    "BT.709": {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1},
    "BT.2020 of standard range": {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 14},
    "Display P3": {"color_range": 1, "colorspace": 1, "color_primaries": 12, "color_trc": 13},
}


@pytest.mark.parametrize("name", TAGS)
def test_colour_tags_are_carried_and_the_colours_stay(tmp_path: Path, name: str) -> None:
    tags = TAGS[name]
    film = write_film(tmp_path / "in.mp4", drifting(3), tags=tags)
    out = fill(film)
    assert (
        tags_of(out)
        == tags_of(film)
        == tuple(tags[key] for key in ("colorspace", "color_primaries", "color_trc", "color_range"))
    )
    kept = box() == 0
    difference = read_video(out)[0].astype(int) - read_video(film)[0]
    assert np.abs(difference[:, kept]).mean() < 2
    lossless = fill(film, "out.mkv")
    assert np.array_equal(read_video(lossless)[0][:, kept], read_video(film)[0][:, kept])
    assert tags_of(lossless)[1:3] == tags_of(film)[1:3]


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_hdr_is_refused_by_name(tmp_path: Path, transfer: int, name: str, pixels: str) -> None:
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    film = write_film(tmp_path / "in.mp4", drifting(3), tags=tags, pixels=pixels)
    depth = 10 if "10" in pixels else 8
    with pytest.raises(InputError, match=rf"is HDR \({name}, BT.2020, {depth} bit\); .* convert it first") as caught:
        fill(film)
    assert len(str(caught.value)) < 400


def test_deep_colour_is_cut_to_8_bits_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    fill(write_film(tmp_path / "in.mkv", drifting(3), codec="ffv1", pixels="yuv420p10le"), say=said)
    assert any("has 10 bits a channel; they are cut to 8" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((720, 1280), Colorspace.ITU709),
        ((1280, 720), Colorspace.ITU709),
        ((576, 1024), Colorspace.ITU601),
    ],
)
def test_untagged_video_has_the_colours_that_players_show(
    tmp_path: Path, size: tuple[int, int], matrix: Colorspace
) -> None:
    scene = np.zeros((1, *size, 3), np.uint8)
    scene[:, :, : size[1] // 2], scene[:, :, size[1] // 2 :] = (191, 0, 1), (20, 180, 190)
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1", "preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        picture = av.VideoFrame.from_ndarray(scene[0], "rgb24")
        container.mux(stream.encode(picture.reformat(format="yuv420p", dst_colorspace=matrix)))
        container.mux(stream.encode())
    assert tags_of(tmp_path / "in.mp4")[0] == 2
    places = (0, size[0] // 2, [size[1] // 4, size[1] * 3 // 4])
    assert np.abs(read_video(tmp_path / "in.mp4")[0][places].astype(int) - scene[places]).max() <= 4
    out = fill(tmp_path / "in.mp4")
    assert tags_of(out) == (1, 1, 1, 1)
    assert np.abs(read_video(out)[0][places].astype(int) - scene[places]).max() <= 6


@pytest.mark.parametrize("field", ["tff", "bff"])
def test_interlaced_video_is_refused_in_words(tmp_path: Path, field: str) -> None:
    film = write_film(tmp_path / "in.mp4", drifting(3), options={"x264-params": f"{field}=1"})
    with pytest.raises(InputError, match=r"is interlaced .*: deinterlace it first, for example with ffmpeg -vf bwdif"):
        fill(film)
    assert len(read_video(film)[0]) == 3


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "png"), ("a.mov", "qtrle"), ("a.mkv", "ffv1"), ("a.gif", "gif")])
def test_what_is_transparent_is_black_as_in_images_and_said(tmp_path: Path, name: str, codec: str) -> None:
    frames = np.concatenate([drifting(3), np.full((3, 48, 64, 1), 255, np.uint8)], -1)
    frames[:, :, :32, 3] = 0
    if codec == "gif":
        pictures = [Image.fromarray(frame) for frame in frames]
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=40, disposal=2)
    else:
        pixels = {"png": "rgba", "qtrle": "argb", "ffv1": "bgra"}[codec]
        write_film(tmp_path / name, frames, codec=codec, pixels=pixels)
    video = iter_video(tmp_path / name)
    assert not np.stack(list(video))[:, :, :31].any() and np.stack(list(video))[:, :, 33:].any()
    said: list[str] = []
    fill(tmp_path / name, say=said)
    assert any("has transparency; it is put over black" in sentence for sentence in said)


def test_half_transparent_video_is_darkened_as_half_transparent_images_are(tmp_path: Path) -> None:
    frames = np.concatenate([drifting(1), np.full((1, 48, 64, 1), 128, np.uint8)], -1)
    write_film(tmp_path / "a.mkv", frames, codec="ffv1", pixels="bgra")
    Image.fromarray(frames[0]).save(tmp_path / "a.png")
    assert np.array_equal(read_video(tmp_path / "a.mkv")[0], read_frames(tmp_path / "a.png")[0])
