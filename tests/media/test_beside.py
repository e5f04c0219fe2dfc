"""What lies beside the pictures is copied where the container can hold it, and said where it cannot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Disposition
from PIL import Image
from video_files import box, drifting, sound_of, write_film

from vibench.errors import InputError
from vibench.media.video import iter_video, read_video, write_lossless
from vibench.runner.inpaint import inpaint

CHAPTERS = [
    {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
    {"id": 2, "start": 500, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "Two"}},
]


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    Image.fromarray(box()).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def film_of_two_languages(path: Path, subtitles: str | None = None) -> Path:
    """A film with a title, two chapters, an English and a German sound track, and English subtitles where asked."""
    plain = write_film(path.with_name("plain.mp4"), drifting(25), beep=0.2)
    with av.open(str(plain)) as source, av.open(str(path), "w") as container:
        container.metadata["title"] = "My film"
        container.set_chapters(CHAPTERS)
        kinds = (source.streams.video[0], source.streams.audio[0], source.streams.audio[0])
        kept = [container.add_stream_from_template(stream) for stream in kinds]
        kept[1].metadata["language"], kept[2].metadata["language"] = "eng", "deu"
        words = container.add_mux_stream(subtitles) if subtitles else None
        if words is not None:
            words.time_base, words.metadata["language"] = Fraction(1, 1000), "eng"
        for target, stream in zip(kept, kinds, strict=True):
            with av.open(str(plain)) as again:
                for packet in again.demux(again.streams[stream.index]):
                    if packet.dts is not None:
                        packet.stream = target
                        container.mux(packet)
        if words is not None:
            packet = av.Packet(b"\x00\x05hello" if subtitles == "mov_text" else b"hello")
            packet.stream, packet.time_base, packet.pts, packet.dts = words, Fraction(1, 1000), 200, 200
            packet.duration = 400
            container.mux(packet)
    return path


def said_of(film: Path, mask: Path, output: Path, **options: bool) -> list[str]:
    said: list[str] = []
    inpaint(film, mask, "telea", output, say=said.append, **options)
    return said


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv"])
@pytest.mark.parametrize("output", ["out.mp4", "out.mov", "out.mkv"])
def test_every_sound_track_the_title_and_the_chapters_are_kept(
    tmp_path: Path, mask: Path, name: str, output: str
) -> None:
    film = film_of_two_languages(tmp_path / name)
    assert said_of(film, mask, tmp_path / output) == []
    with av.open(str(tmp_path / output)) as container:
        assert container.metadata["title"] == "My film"
        # QuickTime writes German by its other code.
        german = "ger" if output == "out.mov" else "deu"
        assert [track.language for track in container.streams.audio] == ["eng", german]
        chapters = [(part["start"] * part["time_base"], part["metadata"]["title"]) for part in container.chapters()]
        assert chapters == [(0, "One"), (Fraction(1, 2), "Two")]
    assert all(sound_of(tmp_path / output, track) == sound_of(film, track) for track in (0, 1))


@pytest.mark.parametrize(
    ("name", "codec", "output", "kept"),
    [
        ("in.mkv", "subrip", "out.mkv", True),
        ("in.mkv", "subrip", "out.mp4", False),
        ("in.mp4", "mov_text", "out.mp4", True),
        ("in.mp4", "mov_text", "out.mkv", False),
    ],
)
def test_subtitles_are_kept_or_said_to_be_left_out(
    tmp_path: Path, mask: Path, name: str, codec: str, output: str, kept: bool
) -> None:
    film = film_of_two_languages(tmp_path / name, codec)
    said = said_of(film, mask, tmp_path / output)
    with av.open(str(tmp_path / output)) as container:
        shown = [bytes(packet) for track in container.streams.subtitles for packet in container.demux(track)]
    assert any(b"hello" in packet for packet in shown) == kept
    assert len(said) == (not kept) and all(
        "the subtitle track 3" in sentence and "eng" in sentence for sentence in said
    )


def test_sound_that_no_output_can_hold_names_a_way(tmp_path: Path, mask: Path) -> None:
    film = write_film(tmp_path / "in.wmv", drifting(10), codec="wmv2", beep=0.1, sound="wmav2", base=Fraction(1, 25))
    for suffix in (".mp4", ".mov", ".m4v", ".mkv"):
        with pytest.raises(
            InputError, match=r"sound of .* cannot be kept in .* \(wmav2\); leave it out with --no-sound"
        ):
            said_of(film, mask, tmp_path / f"out{suffix}")
        said_of(film, mask, tmp_path / f"out{suffix}", sound=False)
        assert not iter_video(tmp_path / f"out{suffix}").has_audio


def test_sound_that_another_format_holds_names_the_format(tmp_path: Path, mask: Path) -> None:
    film = write_film(tmp_path / "in.webm", drifting(10), codec="libvpx-vp9", beep=0.1, sound="libopus")
    with pytest.raises(InputError, match=r"write .mkv or .mp4, or leave it out with --no-sound"):
        said_of(film, mask, tmp_path / "out.mov")


def test_a_cover_picture_is_not_the_film(tmp_path: Path, mask: Path) -> None:
    film = tmp_path / "in.mp4"
    with av.open(str(film), "w") as container:
        cover = container.add_stream("mjpeg", rate=25)
        cover.height, cover.width, cover.pix_fmt, cover.disposition = 16, 16, "yuvj420p", Disposition.attached_pic
        seen = container.add_stream("libx264", rate=25)
        seen.height, seen.width, seen.pix_fmt = 48, 64, "yuv420p"
        container.mux(cover.encode(av.VideoFrame.from_ndarray(drifting(1, 16, 16)[0], "rgb24")))
        for frame in drifting(3):
            container.mux(seen.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux([*seen.encode(), *cover.encode()])
    assert read_video(film)[0].shape == (3, 48, 64, 3)
    assert any("holds 2 video streams" in sentence for sentence in said_of(film, mask, tmp_path / "out.mp4"))


def test_the_digest_of_a_lossless_file_is_not_copied(tmp_path: Path, mask: Path) -> None:
    write_lossless(tmp_path / "in.mkv", drifting(3))
    said_of(tmp_path / "in.mkv", mask, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert not [key for key in container.metadata if "VIBENCH" in key.upper()]
