"""Masks that lie beside clips: every kind finds its clip and its frames, and what fits nowhere is one sentence."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from far_servers import forget, upload
from made_pairs import HEIGHT, WIDTH, made, write_part
from PIL import Image

from vibench.clip import Clip
from vibench.data.copy import check_dataset
from vibench.data.dataset import Dataset
from vibench.data.layouts import OPENERS, open_clips, open_dataset
from vibench.data.silhouettes import with_masks
from vibench.errors import InputError
from vibench.protocol import load_protocol

CLIP = made(0, 12)


def clips_and_masks(folder: Path, suffix: str = "") -> Dataset:
    write_part(folder / "clips" / "cats", CLIP.input, suffix)
    return open_dataset(f"folder:{folder / 'clips'}")


def read(data: Dataset, folder: Path, limit: int | None = None) -> Clip:
    return with_masks(data, folder / "masks").load("cats", limit)


def write_masks(folder: Path, *numbers: int, form: str = "{:05d}.png") -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        Image.fromarray(np.where(CLIP.masks[number], 255, 0).astype(np.uint8)).save(folder / form.format(number))


@pytest.mark.parametrize("name", ["cats", "cats_mask", "cats-masks"])
@pytest.mark.parametrize("suffix", ["", ".mp4"])
def test_masks_find_their_clip_by_its_name(name: str, suffix: str, tmp_path: Path) -> None:
    write_part(tmp_path / "masks" / name, CLIP.masks, suffix)
    clip = read(clips_and_masks(tmp_path), tmp_path)
    np.testing.assert_array_equal(clip.objects, CLIP.masks)
    assert clip.annotated is None
    data = open_dataset(f"folder:{tmp_path / 'clips'}")
    np.testing.assert_array_equal(read(data, tmp_path, 5).objects, CLIP.masks[:5])


def test_one_mask_for_all_frames_an_array_and_masks_of_the_only_clip(tmp_path: Path) -> None:
    data = clips_and_masks(tmp_path)
    (tmp_path / "masks").mkdir()
    np.save(tmp_path / "masks" / "cats.npy", CLIP.masks)
    np.testing.assert_array_equal(read(data, tmp_path).objects, CLIP.masks)
    (tmp_path / "masks" / "cats.npy").unlink()
    Image.fromarray(np.where(CLIP.masks[0], 255, 0).astype(np.uint8)).save(tmp_path / "masks" / "cats.png")
    np.testing.assert_array_equal(read(data, tmp_path).objects, np.broadcast_to(CLIP.masks[0], CLIP.masks.shape))
    write_masks(tmp_path / "alone", *range(12))
    np.testing.assert_array_equal(with_masks(data, tmp_path / "alone").load("cats").objects, CLIP.masks)


@pytest.mark.parametrize("form", ["{:05d}.png", "mask_{:d}.png"])
@pytest.mark.parametrize("video", [False, True])
def test_masks_of_some_frames_find_them_by_name_or_number(form: str, video: bool, tmp_path: Path) -> None:
    data = clips_and_masks(tmp_path, ".mkv" if video else "")
    write_masks(tmp_path / "masks" / "cats", 0, 5, 10, form=form)
    clip = read(data, tmp_path)
    assert clip.objects is not None and clip.annotated is not None
    assert np.flatnonzero(clip.annotated).tolist() == [0, 5, 10]
    np.testing.assert_array_equal(clip.objects[[0, 5, 10]], CLIP.masks[[0, 5, 10]])
    assert not np.delete(clip.objects, [0, 5, 10], axis=0).any()
    few = read(data, tmp_path, 6)
    assert few.annotated is not None and np.flatnonzero(few.annotated).tolist() == [0, 5]


def test_numbers_from_one_are_those_of_the_frames_of_a_video(tmp_path: Path) -> None:
    data = clips_and_masks(tmp_path, ".mkv")
    write_masks(tmp_path / "masks" / "cats", 1, 6, 11)
    clip = read(data, tmp_path)
    assert clip.annotated is not None and np.flatnonzero(clip.annotated).tolist() == [0, 5, 10]


def test_palette_images_keep_the_numbers_of_their_objects(tmp_path: Path) -> None:
    data = clips_and_masks(tmp_path)
    (tmp_path / "masks" / "cats").mkdir(parents=True)
    for t in range(12):
        labels = CLIP.masks[t].astype(np.uint8) * 3
        labels[40:44, 50:60] = 1
        picture = Image.fromarray(labels, mode="P")
        picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 9, 9, 128])
        picture.save(tmp_path / "masks" / "cats" / f"{t:05d}.png")
    clip = read(data, tmp_path)
    assert clip.labels is not None and set(np.unique(clip.labels)) == {0, 1, 3}
    np.testing.assert_array_equal(clip.objects, clip.labels > 0)


def odd_frame(folder: Path) -> None:
    write_masks(folder / "cats", 0, 1, form="{:05d}.png")
    (folder / "cats" / "00001.png").rename(folder / "cats" / "00077.png")


def other_size(folder: Path) -> None:
    (folder / "cats").mkdir(parents=True)
    for t in range(12):
        Image.fromarray(np.full((HEIGHT // 2, WIDTH // 2), 255, np.uint8)).save(folder / "cats" / f"{t:05d}.png")


def twice(folder: Path) -> None:
    write_masks(folder / "cats", 0, 1)
    write_part(folder / "cats_mask", CLIP.masks, ".mp4")


def too_short(folder: Path) -> None:
    write_part(folder / "cats", CLIP.masks[:7], ".mp4")


def of_others(folder: Path) -> None:
    write_masks(folder / "dogs", 0, 1)


def all_black(folder: Path) -> None:
    write_part(folder / "cats", np.zeros_like(CLIP.masks), ".mp4")


FAULTS = {
    odd_frame: r"00077.png has no frame of its name",
    other_size: r"is 32x24 and the frames of the clip are 64x48",
    twice: r"cats and cats_mask.mp4 in .* are both masks of one clip; keep one",
    too_short: r"holds 7 masks and the clip has more frames",
    of_others: r"it has no masks in .*masks; name them cats/, cats.mp4, cats.png or cats.npy",
    all_black: r"marks no pixel in any frame",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_fits_nowhere_is_one_sentence(fault: object, tmp_path: Path) -> None:
    data = clips_and_masks(tmp_path)
    fault(tmp_path / "masks")  # type: ignore[operator]
    with pytest.raises(InputError, match=FAULTS[fault]):  # type: ignore[index]
        read(data, tmp_path)


def test_there_must_be_a_folder_and_masks_without_a_clip_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = clips_and_masks(tmp_path)
    with pytest.raises(InputError, match="--masks must name a folder"):
        with_masks(data, tmp_path / "absent")
    write_masks(tmp_path / "masks" / "dogs", 0, 1)
    with caplog.at_level(logging.WARNING):
        with_masks(data, tmp_path / "masks")
    assert "passed over the masks of dogs: there is no such clip" in caplog.text


def test_youtube_vos_has_labels_in_every_fifth_frame_of_its_training_clips(tmp_path: Path) -> None:
    for t, frame in enumerate(CLIP.input):
        for folder, picture in (
            ("train_all_frames/JPEGImages/0a1b", frame),
            ("train/Annotations/0a1b", CLIP.masks[t].astype(np.uint8) * 2),
        ):
            if t % 5 == 0 or "JPEG" in folder:
                place = tmp_path / folder / (f"{t:05d}" + (".jpg" if "JPEG" in folder else ".png"))
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(place)
    clip = open_dataset("youtube-vos-2018", tmp_path, "train").load("0a1b")
    assert clip.annotated is not None and np.flatnonzero(clip.annotated).tolist() == [0, 5, 10]


def test_masks_of_ones_own_take_the_place_of_a_data_set_s(tmp_path: Path) -> None:
    """DAVIS with the test masks that a paper publishes."""
    from davis_layout import write_davis

    from vibench.data.dataset import card_of

    card = card_of("davis-2016").model_copy(update={"splits": {"validation": {"ant": 3}}, "sizes_px": {}})
    root = write_davis(tmp_path / "davis", {"ant": 3})
    (tmp_path / "test_masks" / "ant").mkdir(parents=True)
    for t in range(3):
        mask = np.zeros((24, 32), np.uint8)
        mask[20:, t : t + 4] = 255
        Image.fromarray(mask).save(tmp_path / "test_masks" / "ant" / f"{t:05d}.png")
    clip = with_masks(OPENERS["davis"](card, root, None), tmp_path / "test_masks").load("ant")
    assert clip.objects is not None and clip.objects.sum() == 3 * 16 and not clip.objects[:, :20].any()


def test_masks_and_clips_at_a_url_are_what_they_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate(("cats", "dogs")):
        write_part(tmp_path / "far" / "clips" / name, made(seed).input)
        write_part(tmp_path / "far" / "masks" / name, made(seed).masks)
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path / "cache"))
    forget()
    upload(tmp_path / "far", "memory://far")
    told = [*check_dataset("folder:clips", "memory://far", masks="masks")]
    assert told == [*check_dataset("folder:clips", "memory://far", masks="memory://far/masks")]
    assert told[:2] == [*check_dataset("folder:memory://far/clips", masks="memory://far/masks")][:2]
    here = [*check_dataset("folder:clips", tmp_path / "far", masks="masks")]
    assert [line for line in told if line.startswith("ok")] == ["ok     cats", "ok     dogs"] == here[:2]
    protocol = load_protocol("folder:clips")
    for name in ("cats", "dogs"):
        far = open_clips(protocol.with_masks("memory://far/masks"), Path("memory://far")).load(name)
        near = open_clips(protocol.with_masks("masks"), tmp_path / "far").load(name)
        assert far.objects is not None and near.objects is not None
        assert (far.objects == near.objects).all() and (far.frames == near.frames).all()
