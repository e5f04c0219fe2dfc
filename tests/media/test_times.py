"""Time is carried, not counted: what came in is shown and heard at the same seconds in what goes out."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video_files import box, drifting, length_of, onsets_of, sound_of, times_of, write_film

from vibench.clip import Frames
from vibench.errors import InputError
from vibench.media.frames import open_frames
from vibench.media.video import as_fraction, iter_video, read_video
from vibench.media.video_writer import open_writer
from vibench.runner.inpaint import inpaint

MILLISECOND = Fraction(1, 1000)


def flash(count: int, at: int) -> Frames:
    """Black frames that are white from frame ``at`` on."""
    frames = np.zeros((count, 48, 64, 3), np.uint8)
    frames[at:] = 255
    return frames


def filled(film: Path, output: str) -> Path:
    """``film`` with a box filled, written beside it."""
    mask = film.with_name("mask.png")
    Image.fromarray(box()).save(mask)
    inpaint(film, mask, "telea", film.with_name(output))
    return film.with_name(output)


VARYING = [*range(30), *range(30, 120, 3)]  # 30 frames a second, then 10 in low light
FILMS: dict[str, tuple[str, list[int], Fraction, int]] = {
    "a phone's variable rate": ("in.mp4", VARYING, Fraction(1, 30), 30),
    "dropped frames": ("in.mp4", [0, 1, 2, 5, 6, 9, 10, 11, 20], Fraction(1, 25), 25),
    "NTSC": ("in.mp4", [1001 * t for t in range(12)], Fraction(1, 30000), 30),
    "a late first frame": ("in.mp4", [15 + t for t in range(12)], Fraction(1, 25), 25),
    "a late first frame in a transport stream": ("in.ts", [15 + t for t in range(12)], Fraction(1, 25), 25),
    "Flash": ("in.flv", [40 * t + 500 * (t > 6) for t in range(12)], Fraction(1, 1000), 25),
    "milliseconds in Matroska": ("in.mkv", [0, 33, 67, 100, 300, 333, 367, 900], Fraction(1, 1000), 30),
}


@pytest.mark.parametrize("output", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize("kind", FILMS)
def test_frames_and_sound_stay_where_they_were(tmp_path: Path, kind: str, output: str) -> None:
    name, times, base, rate = FILMS[kind]
    film = write_film(
        tmp_path / name, flash(len(times), len(times) // 2), times, base, rate=rate, beep=float(times[3] * base)
    )
    out = filled(film, output)
    with_origin = times_of(film)
    # Matroska counts in milliseconds.
    tolerance = MILLISECOND / 2 if output == "out.mkv" else 0
    assert max(abs(a - b) for a, b in zip(times_of(out), with_origin, strict=True)) <= tolerance
    (seen, heard), (seen_before, heard_before) = onsets_of(out), onsets_of(film)
    assert abs(seen - seen_before) <= tolerance + 1e-9 and abs(heard - heard_before) < 1.5e-3
    # Transport streams put 7 bytes before each packet, which other files say once.
    pairs = list(zip(sound_of(film), sound_of(out), strict=True))
    assert all(before.endswith(after) and len(before) - len(after) in (0, 7) for before, after in pairs)


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv"])
def test_the_clock_of_milliseconds_is_no_frame_rate(tmp_path: Path, output: str) -> None:
    """Matroska files with stamps in milliseconds are said to have 1000 frames a second."""
    times = [round(t * 1000 / 30) for t in range(90)]
    film = write_film(tmp_path / "in.mkv", drifting(90), times, Fraction(1, 1000), rate=1000)
    assert iter_video(film).frames_per_second == pytest.approx(30, rel=1e-3)
    assert length_of(filled(film, output)) == pytest.approx(3, abs=0.002)


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv"])
def test_a_time_lapse_stays_one(tmp_path: Path, output: str) -> None:
    film = write_film(tmp_path / "in.mp4", drifting(4), [0, 10, 20, 30], Fraction(1), rate=1)
    out = filled(film, output)
    assert times_of(out) == [0, 10, 20, 30] and length_of(out) == length_of(film) == 31
    assert len(read_video(out)[0]) == 4


def test_slow_rates_are_exact_fractions() -> None:
    assert [as_fraction(rate) for rate in (1.0, 0.5, 0.1, 2)] == [1, Fraction(1, 2), Fraction(1, 10), 2]
    assert as_fraction(1 / 3600) == Fraction(1, 3600)
    assert as_fraction(24000 / 1001) == Fraction(24000, 1001)


@pytest.mark.parametrize(("begin_ms", "end_ms"), [(0, 400), (200, 800), (200, 600)])
def test_an_edit_list_cuts_as_in_a_player(tmp_path: Path, begin_ms: int, end_ms: int) -> None:
    film = write_film(tmp_path / "in.mp4", flash(20, 8), beep=0.3)
    content = film.read_bytes()
    place = content.index(b"elst") + 12
    _, begins, rate = struct.unpack(">IiI", content[place : place + 12])
    edit = struct.pack(">IiI", end_ms - begin_ms, begins + begin_ms * 12800 // 1000, rate)
    film.write_bytes(content[:place] + edit + content[place + 12 :])
    assert len(read_video(film)[0]) == iter_video(film).count() == (end_ms - begin_ms) // 40
    out = filled(film, "out.mp4")
    assert times_of(out) == times_of(film)
    assert onsets_of(out) == onsets_of(film) and sound_of(out) == sound_of(film)


def test_the_times_of_a_source_say_how_long_each_frame_lasts(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mp4", drifting(4), [0, 1, 10, 12], options={"bf": "0"})
    shown = [(timed.begins * 25, timed.lasts * 25) for timed in iter_video(film).timed()]
    assert shown == [(0, 1), (1, 9), (10, 2), (12, 1)]


def test_an_animation_is_a_clip_with_its_times(tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in drifting(6)]
    for name, more in {"a.webp": {"lossless": True, "duration": [100, 50, 200, 100, 100, 100]},
                       "a.png": {"duration": [100, 50, 200, 100, 100, 100]}, "a.tif": {}}.items():  # fmt: skip
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], **more)
        source = open_frames(tmp_path / name)
        assert np.array_equal(np.stack(list(source)), drifting(6)) and source.frames == source.count() == 6
        begins = [timed.begins for timed in source.timed()]
        assert begins == ([Fraction(t, 24) for t in range(6)] if name == "a.tif" else
                          [Fraction(t, 1000) for t in (0, 100, 150, 350, 450, 550)])  # fmt: skip
        assert times_of(filled(tmp_path / name, "out.mp4")) == begins


def test_ogg_theora_is_read_though_packets_may_be_empty() -> None:
    """An empty packet of Theora says that the frame before is shown on; decoders of libav refuse it."""
    film = Path(__file__).parents[1] / "golden" / "theora.ogv"
    shown = list(iter_video(film).timed())
    assert len(shown) == iter_video(film).count() == 24
    assert shown[5].begins - shown[4].begins == Fraction(2, 25) and shown[1].begins == Fraction(1, 25)


def test_a_last_frame_that_is_shown_longest_is_no_sign_of_a_cut_file(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mp4", drifting(5), [0, 1, 2, 3, 4], options={"bf": "0"})
    with open_writer(tmp_path / "out.mkv", 48, 64, 25.0, time_base=Fraction(1, 25)) as writer:
        for index, frame in enumerate(iter_video(film)):
            writer.write(frame, Fraction(index, 25), Fraction(1, 25) if index < 4 else Fraction(2))
    assert length_of(tmp_path / "out.mkv") == pytest.approx(2.16)
    assert len(read_video(tmp_path / "out.mkv")[0]) == 5
    content = (tmp_path / "out.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(InputError, match="cut short"):
        read_video(tmp_path / "cut.mkv")
