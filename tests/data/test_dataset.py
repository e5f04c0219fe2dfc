"""Data sets by name: cards tell the truth, clips come one at a time, and what is wrong is said in one sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from davis_layout import write_davis
from PIL import Image

from vibench.clip import digest
from vibench.data.dataset import Card, card_of, cards, read_card
from vibench.data.layouts import open_dataset, open_davis
from vibench.errors import InputError
from vibench.files import bundled
from vibench.media.video import write_lossless

CLIPS = {"bear": 3, "cow": 4}


@pytest.fixture
def card() -> Card:
    return card_of("davis-2016").model_copy(update={"splits": {"validation": CLIPS}})


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    return write_davis(tmp_path, CLIPS)


def test_every_card_is_read_and_says_licence_and_source() -> None:
    names = {card.name for card in cards()}
    assert {"bundled", "davis-2016", "folder", "synthetic", "video"} <= names
    for card in cards():
        assert card.licence and card.source and card.title
        assert card.name == (bundled("datasets") / "cards" / f"{card.name}.toml").stem
        assert not card.splits or card.default_split in card.splits


def test_the_bundled_clips_are_what_their_card_says() -> None:
    data = open_dataset("bundled")
    assert len(data.clip_names()) >= 4
    folder = bundled("datasets") / "bundled"
    for name, file in data.card.files.items():
        clip = data.load(name)
        assert hashlib.sha256((folder / file.path).read_bytes()).hexdigest() == file.sha256
        assert digest(clip.frames) == file.frames_sha256
        assert len(clip.frames) == data.frame_counts[name]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6e6


def test_the_bundled_clips_move_and_have_no_scene_cut() -> None:
    data = open_dataset("bundled")
    for name in data.clip_names():
        change = np.abs(np.diff(data.load(name).frames.astype(int), axis=0)).mean(axis=(1, 2, 3))
        assert change.min() > 1 and change.max() < 3 * np.median(change), name


def test_the_attribution_travels_with_the_clips() -> None:
    text = (bundled("datasets") / "bundled" / "LICENSE.md").read_text()
    assert "(c) copyright 2008, Blender Foundation / www.bigbuckbunny.org" in text
    assert "Redistribution and use in source and binary forms" in text


def test_davis_gives_frames_and_silhouettes(davis: Path, card: Card) -> None:
    data = open_davis(card, davis, None)
    assert data.clip_names() == ["bear", "cow"]
    clip = data.load("cow")
    assert clip.frames.shape == (4, 24, 32, 3) and clip.objects is not None
    assert clip.objects.sum(axis=(1, 2)).tolist() == [80] * 4
    assert data.load("cow", limit_frames=2).frames.shape[0] == 2


def test_the_real_davis_has_the_frames_its_card_says(shared_data: Path) -> None:
    data = open_dataset("davis-2016", shared_data / "davis")
    assert len(data.clip_names()) == 20 and sum(count or 0 for count in data.frame_counts.values()) == 1376
    clip = data.load("dog", limit_frames=2)
    assert clip.frames.shape == (2, 480, 854, 3) and clip.objects is not None and 0.01 < clip.objects.mean() < 0.5


def test_a_wrong_directory_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no folder JPEGImages/480p; --data must hold"):
        open_dataset("davis-2016", tmp_path)
    with pytest.raises(InputError, match="there is nothing at"):
        open_dataset("davis-2016", tmp_path / "absent")
    with pytest.raises(InputError, match="does not travel with vibench: give its folder with --data"):
        open_dataset("davis-2016")


def test_a_missing_clip_is_one_sentence_and_the_others_still_load(davis: Path, card: Card) -> None:
    (davis / "JPEGImages/480p/bear").rename(davis / "JPEGImages/480p/bears")
    data = open_davis(card, davis, None)
    with pytest.raises(InputError, match="clip 'bear' is missing: there is no folder .*480p/bear"):
        data.load("bear")
    assert len(data.load("cow").frames) == 4


@pytest.mark.parametrize(
    ("file", "kind"), [("JPEGImages/480p/cow/00003.jpg", "frames"), ("Annotations/480p/cow/00003.png", "annotations")]
)
def test_one_frame_less_is_one_sentence(davis: Path, card: Card, file: str, kind: str) -> None:
    (davis / file).unlink()
    with pytest.raises(InputError, match=f"clip 'cow' has 3 {kind} in .*, and its card says 4; get it again"):
        open_davis(card, davis, None).load("cow")


def test_an_annotation_of_another_size_is_one_sentence(davis: Path, card: Card) -> None:
    Image.new("L", (16, 12)).save(davis / "Annotations/480p/cow/00001.png")
    with pytest.raises(InputError, match="annotation .*00001.png is 16x12 and the frames of the clip are 32x24"):
        open_davis(card, davis, None).load("cow")


def test_an_annotation_of_another_frame_is_one_sentence(davis: Path, card: Card) -> None:
    """Equal in number, not in name: paired by place, each silhouette would lie on the frame before its own."""
    for number in (3, 2):
        file = davis / f"Annotations/480p/cow/{number:05d}.png"
        file.rename(file.with_name(f"{number + 1:05d}.png"))
    with pytest.raises(InputError, match="clip 'cow': .*00003.png stands where the frame 00002.jpg needs one"):
        open_davis(card, davis, None).load("cow")


def test_a_frame_of_another_size_is_one_sentence(davis: Path, card: Card) -> None:
    Image.new("RGB", (16, 12)).save(davis / "JPEGImages/480p/cow/00002.jpg")
    with pytest.raises(InputError, match="frame .*00002.jpg is 16x12 and the frames of the clip are 32x24"):
        open_davis(card, davis, None).load("cow")


def test_a_corrupt_jpeg_fails_its_clip_only(davis: Path, card: Card) -> None:
    broken = davis / "JPEGImages/480p/cow/00002.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    data = open_davis(card, davis, None)
    with pytest.raises(InputError, match=r"00002.jpg cannot be decoded as an image, it is damaged or cut short"):
        data.load("cow")
    assert len(data.load("bear").frames) == 3
    assert len(data.load("cow", limit_frames=2).frames) == 2


def test_palette_annotations_count_every_object(davis: Path, card: Card) -> None:
    labels = np.zeros((24, 32), dtype=np.uint8)
    labels[2:6], labels[10:12] = 1, 2
    picture = Image.fromarray(labels, mode=None)
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    for t in range(4):
        picture.save(davis / f"Annotations/480p/cow/{t:05d}.png")
    clip = open_davis(card, davis, None).load("cow")
    assert clip.objects is not None and np.array_equal(clip.objects[0], labels > 0)


def test_a_folder_of_videos_and_image_folders_is_a_data_set(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), dtype=np.uint8)
    write_lossless(tmp_path / "clip10.mkv", frames)
    (tmp_path / "clip9").mkdir()
    Image.fromarray(frames[0]).save(tmp_path / "clip9" / "0.png")
    (tmp_path / "readme.txt").write_text("no clip")
    data = open_dataset(f"folder:{tmp_path}")
    assert data.clip_names() == ["clip9", "clip10"]
    assert np.array_equal(data.load("clip10").frames, frames)
    assert np.array_equal(data.load("clip9").frames, frames[:1])
    assert np.array_equal(open_dataset(f"video:{tmp_path}/clip10.mkv").load("clip10", 2).frames, frames[:2])
    assert open_dataset("folder:clip9", tmp_path).clip_names() == ["clip9"]


def test_two_clips_of_one_name_are_one_sentence(tmp_path: Path) -> None:
    for suffix in ("mkv", "avi"):
        write_lossless(tmp_path / f"same.{suffix}", np.zeros((1, 16, 16, 3), dtype=np.uint8))
    with pytest.raises(InputError, match="two clips in .* differ in their suffix only"):
        open_dataset(f"folder:{tmp_path}")


def test_synthetic_clips_know_everything() -> None:
    data = open_dataset("synthetic", split="small")
    clip = data.load("pan-fast", limit_frames=3)
    assert clip.frames.shape == (3, 96, 128, 3)
    assert clip.objects is not None and clip.background is not None
    assert clip.flow is not None and clip.background_flow is not None
    assert set(data.card.splits["all"]) == set(data.clip_names())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("davis2016", "no data set is called 'davis2016'; did you mean 'davis-2016'"),
        ("xyz", "no data set is called 'xyz'; there are bundled, "),
        ("folder:", "data set 'folder' needs a place: write folder:PATH"),
        ("video", "data set 'video' needs a place: write video:PATH"),
    ],
)
def test_an_unknown_name_is_one_sentence(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        open_dataset(name)


def test_an_unknown_split_or_clip_is_one_sentence() -> None:
    with pytest.raises(InputError, match="data set 'bundled' has no split 'test'; there are all"):
        open_dataset("bundled", split="test")
    with pytest.raises(InputError, match="data set 'bundled' has no clip 'rabit'; did you mean 'rabbit'"):
        open_dataset("bundled").load("rabit")


def test_a_broken_card_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("name = 'x'\ntitel = 'typing error'\n")
    with pytest.raises(InputError, match=r"x.toml is not a card of a data set"):
        read_card(tmp_path / "x.toml")
