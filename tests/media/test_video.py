"""Video files in and out: exact where they promise it, one sentence where they cannot be read."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibench.clip import Frames
from vibench.errors import InputError
from vibench.media.frames import open_frames, read_frames
from vibench.media.images import image_files
from vibench.media.masks import open_masks, paired, read_masks
from vibench.media.video import as_fraction, iter_video, read_lossless, read_video, write_lossless
from vibench.media.video_writer import open_writer


def noise(frames: int, height: int, width: int, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def smooth(frames: int, height: int, width: int) -> Frames:
    """A colourful gradient drifting by 2 px a frame: what lossy codecs handle well."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        np.stack([128 + 100 * np.sin((x + 2 * t) / 17 + c) * np.cos(y / 23) for c in range(3)], -1)
        for t in range(frames)
    ]
    return np.stack(planes).astype(np.uint8)


def encode(path: Path, frames: Frames, codec: str = "libx264", pix_fmt: str = "yuv420p", tone: bool = False) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pix_fmt
        sound = container.add_stream("pcm_mulaw" if path.suffix == ".avi" else "aac", rate=16000) if tone else None
        if sound is not None:
            samples = np.zeros((1, 16000 * len(frames) // 25), dtype=np.int16)
            piece = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            piece.sample_rate = 16000
            container.mux(sound.encode(piece))
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
        if sound is not None:
            container.mux(sound.encode())
    return path


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(16, 50), st.integers(16, 50), st.integers(0, 9), st.floats(1, 120))
def test_lossless_files_return_every_bit(
    tmp_path_factory: pytest.TempPathFactory, frames: int, height: int, width: int, seed: int, rate: float
) -> None:
    path = tmp_path_factory.mktemp("lossless") / "clip.mkv"
    clip = noise(frames, height, width, seed)
    write_lossless(path, clip, rate)
    assert np.array_equal(read_lossless(path), clip)
    assert read_video(path)[1] == pytest.approx(rate, rel=2e-3)


def test_a_lossless_file_with_one_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_lossless(path, noise(5, 37, 51))
    whole = path.read_bytes()
    for place in range(1000, len(whole), len(whole) // 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError):
            read_lossless(path)


def test_a_torn_lossless_file_is_noticed_wherever_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_lossless(path, noise(5, 37, 51))
    whole = path.read_bytes()
    # The last bytes are an index that reading does without.
    for end in range(0, len(whole) * 19 // 20, len(whole) // 9):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError):
            read_lossless(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.mkv"
    write_lossless(path, noise(2, 16, 16))
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_lossless(path, noise(3, 16, 16))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_says_what_it_holds_and_can_be_read_again_and_again(tmp_path: Path) -> None:
    video = iter_video(encode(tmp_path / "a.mp4", smooth(9, 48, 64), tone=True))
    assert (video.height, video.width, video.frames_per_second, video.frames, video.has_audio) == (48, 64, 25, 9, True)
    first, second = np.stack(list(video)), np.stack(list(video))
    assert np.array_equal(first, second) and len(first) == 9


def test_a_limit_reads_the_beginning(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", smooth(9, 48, 64))
    assert np.array_equal(read_video(path, limit=4)[0], read_video(path)[0][:4])


def test_decoding_does_not_depend_on_how_many_threads_libav_would_take(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", smooth(20, 144, 176))
    alone, _ = read_video(path)
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        from vibench.media.look import BIT_EXACT

        many = [
            frame.reformat(format="rgb24", interpolation=BIT_EXACT).to_ndarray() for frame in container.decode(video=0)
        ]
    assert np.array_equal(alone, np.stack(many))


def test_yuv_comes_back_in_its_colours(tmp_path: Path) -> None:
    clip = smooth(5, 64, 96)
    decoded, _ = read_video(encode(tmp_path / "a.mp4", clip, pix_fmt="yuv444p"))
    assert np.abs(decoded.astype(int) - clip).mean() < 2


def test_odd_sizes_are_read_as_they_are(tmp_path: Path) -> None:
    assert read_video(encode(tmp_path / "odd.avi", smooth(3, 47, 63), "ffv1", "bgr0"))[0].shape == (3, 47, 63, 3)


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_a_rotation_written_in_the_file_is_applied(tmp_path: Path, angle: int, turns: int) -> None:
    path = encode(tmp_path / "a.mp4", smooth(2, 48, 64))
    upright, _ = read_video(path)
    _write_rotation(path, angle)
    assert np.array_equal(read_video(path)[0], np.rot90(upright, -turns, axes=(1, 2)))


def _write_rotation(path: Path, degrees_clockwise: int) -> None:
    """Overwrite the display matrix in the track header, the way phones write it."""
    content = path.read_bytes()
    identity = b"".join(n.to_bytes(4, "big") for n in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    place = content.index(identity, content.index(b"tkhd"))
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees_clockwise]
    entries = (cosine, sine, 0, -sine, cosine, 0)
    turned = b"".join((n * 0x10000 & 0xFFFFFFFF).to_bytes(4, "big") for n in entries)
    path.write_bytes(content[:place] + turned + content[place + 24 :])


def test_a_variable_frame_rate_gives_each_frame_once(tmp_path: Path) -> None:
    path, clip = tmp_path / "a.mkv", noise(4, 16, 16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "bgr0"
        for time, frame in zip((0, 1, 10, 12), clip, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format="bgr0")
            picture.pts, picture.time_base = time, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    assert np.array_equal(read_video(path)[0], clip)


def test_the_usual_frame_rates_are_exact_fractions() -> None:
    assert as_fraction(30000 / 1001) == Fraction(30000, 1001)
    assert as_fraction(29.97) == Fraction(30000, 1001)
    assert [as_fraction(rate) for rate in (24.0, 25, 12.5, 60)] == [24, 25, Fraction(25, 2), 60]


@pytest.mark.parametrize(("name", "size"), [("out.mp4", (48, 64)), ("odd.mov", (47, 63)), ("out.mkv", (47, 64))])
def test_a_written_video_looks_like_its_frames_and_keeps_the_sound(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    clip = smooth(20, *size)
    source = encode(tmp_path / "source.mp4", smooth(20, 48, 64), tone=True)
    with open_writer(tmp_path / name, *size, 25.0, audio_from=source) as writer:
        for frame in clip:
            writer.write(frame)
    video = iter_video(tmp_path / name)
    decoded = np.stack(list(video))
    assert decoded.shape == clip.shape and video.has_audio and video.frames_per_second == 25
    worst = 0 if name.endswith("mkv") else 3
    assert np.abs(decoded.astype(int) - clip).mean() <= worst
    kept, whole = _sound_packets(tmp_path / name), _sound_packets(source)
    # AAC packets are 64 ms here: the last one may begin after the last frame ends.
    assert kept == whole[: len(kept)] and len(kept) >= len(whole) - 1


def _sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_sound_ends_where_the_frames_end(tmp_path: Path) -> None:
    source = encode(tmp_path / "source.mp4", smooth(50, 48, 64), tone=True)
    with open_writer(tmp_path / "out.mp4", 48, 64, 25.0, audio_from=source) as writer:
        for frame in islice(iter_video(source), 10):
            writer.write(frame)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(0.4, abs=0.1)


def test_sound_that_the_file_cannot_hold_is_one_sentence(tmp_path: Path) -> None:
    source = encode(tmp_path / "source.avi", smooth(5, 48, 64), "ffv1", "bgr0", tone=True)
    with (
        pytest.raises(InputError, match=r"sound of .*source.avi cannot be kept in .*out.mp4"),
        open_writer(tmp_path / "out.mp4", 48, 64, 25.0, audio_from=source),
    ):
        pass
    assert not (tmp_path / "out.mp4").exists()


def test_an_interrupted_video_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / "out.mp4", 48, 64, 25.0) as writer:
        writer.write(smooth(1, 48, 64)[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_frames_come_from_a_video_a_folder_or_an_image(tmp_path: Path) -> None:
    from PIL import Image

    clip = noise(11, 20, 30)
    for index, frame in enumerate(clip):
        Image.fromarray(frame).save(tmp_path / f"frame{index}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._frame0.png").write_text("a stray of another system")
    assert [file.name for file in image_files(tmp_path)][:3] == ["frame0.png", "frame1.png", "frame2.png"]
    assert np.array_equal(read_frames(tmp_path)[0], clip)
    assert np.array_equal(read_frames(tmp_path / "frame3.png")[0], clip[3:4])
    assert open_frames(tmp_path).frames == 11


def test_grey_transparent_and_palette_images_become_rgb(tmp_path: Path) -> None:
    from PIL import Image

    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert (read_frames(tmp_path / "grey.png")[0][0] == grey[..., None]).all()
    clear = np.full((16, 16, 4), 200, dtype=np.uint8)
    clear[:8, :, 3] = 0
    clear[8:, :, 3] = 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert read_frames(tmp_path / "clear.png")[0][0, :, 0, 0].tolist() == [0] * 8 + [200] * 8
    Image.fromarray(noise(1, 16, 16)[0] // 128 * 255).quantize(8).save(tmp_path / "palette.png")
    assert (read_frames(tmp_path / "palette.png")[0] == noise(1, 16, 16) // 128 * 255).all()


def test_masks_of_every_kind_are_the_same_masks(tmp_path: Path) -> None:
    from PIL import Image

    masks = np.zeros((3, 32, 48), dtype=np.bool_)
    for t in range(3):
        masks[t, 8 : 20 + t, 10:30] = True
    np.save(tmp_path / "bool.npy", masks)
    np.save(tmp_path / "bytes.npy", masks.astype(np.uint8) * 255)
    for index, mask in enumerate(masks):
        (tmp_path / "folder").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "folder" / f"{index}.png")
    encode(tmp_path / "masks.mp4", masks[..., None].repeat(3, -1).astype(np.uint8) * 255)
    for name in ("bool.npy", "bytes.npy", "folder"):
        assert np.array_equal(read_masks(tmp_path / name, 3, 32, 48), masks), name
    assert (read_masks(tmp_path / "masks.mp4", 3, 32, 48) != masks).mean() < 0.01
    still = read_masks(tmp_path / "folder" / "1.png", 5, 32, 48)
    assert np.array_equal(still, masks[[1] * 5])
    np.save(tmp_path / "still.npy", masks[0])
    assert np.array_equal(read_masks(tmp_path / "still.npy", 4, 32, 48), masks[[0] * 4])


def test_frames_and_masks_stream_in_pairs(tmp_path: Path) -> None:
    masks = np.zeros((3, 16, 16), dtype=np.bool_)
    masks[:, 2:5] = True
    np.save(tmp_path / "masks.npy", masks)
    pairs = list(paired(noise(3, 16, 16), open_masks(tmp_path / "masks.npy", 16, 16)))
    assert len(pairs) == 3 and all(np.array_equal(mask, masks[0]) for _, mask in pairs)
