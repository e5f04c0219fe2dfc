"""Paired sets are read in the layouts that benchmarks publish, and pictures that are no pair are found."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_pairs import HEIGHT, WIDTH, made, write_pairs, write_part
from PIL import Image

from vibench.clip import Clip
from vibench.data.copy import check_dataset, problems
from vibench.data.dataset import card_of
from vibench.data.layouts import OPENERS, open_dataset
from vibench.errors import InputError

# (place of the input, of the truth, of the masks) of one clip, and the clip's name and group.
LAYOUTS = {
    "ROSE-Bench": (
        ("shadow/Unedited/example-1", "shadow/Edited/example-1", "shadow/Masked/example-1"),
        "shadow-example-1", "shadow",
    ),
    "ROSE's training set": (
        ("Env1/Env1_Unedited/0001", "Env1/Env1_Edited/0001", "Env1/Env1_Masked/0001"), "Env1-0001", "Env1",
    ),
    "VOR-Eval": (("FG_BG/REAL_1", "BG/REAL_1", "MASK/REAL_1"), "REAL_1", ""),
    "BeyondMasks": (("objects_added/1", "object_not_present/1", "masks/1"), "1", ""),
    "PROVE, as its script is told": (("inputs/a", "gt/a", "masks/a"), "a", ""),
    "EffectWorld": (("source/a", "target/a", "mask/a"), "a", ""),
    "DiffuEraser's examples": (("example1/video", None, "example1/mask"), "example1", ""),
    "one's own, clip by clip": (("cats/input", "cats/truth", "cats/masks"), "cats", ""),
    "masks with a suffix": (("input/cats", "truth/cats", "masks/cats_mask"), "cats", ""),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["", ".mp4"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_layout_is_read_as_it_lies(layout: str, suffix: str, tmp_path: Path) -> None:
    places, name, group = LAYOUTS[layout]
    for place, part in zip(places, made(), strict=True):
        if place is not None:
            write_part(tmp_path / place, part, suffix)
    data = open_dataset(f"pairs:{tmp_path}")
    assert data.clip_names() == [name]
    clip = data.load(name)
    assert dict(clip.attributes) == ({"group": group} if group else {})
    assert clip.objects is not None and (clip.background is None) == (places[1] is None)
    expected = made()
    np.testing.assert_array_equal(clip.objects, expected.masks)
    for ours, true in ((clip.frames, expected.input), (clip.background, expected.truth)):
        if ours is not None:
            # A codec loses colour along the edges of the box.
            assert np.median(np.abs(ours.astype(int) - true)) <= (8 if suffix else 0)
    if clip.background is not None:
        assert np.abs(clip.frames.astype(int) - clip.background)[clip.objects].mean() > 50
    assert len(data.places(name)) == 3 - (places[1] is None)
    assert len(data.load(name, 2).frames) == 2


def test_many_clips_come_in_natural_order_and_one_mask_may_hold_for_all_frames(tmp_path: Path) -> None:
    write_pairs(tmp_path, ("clip10", "clip2"))
    shutil.rmtree(tmp_path / "masks" / "clip2")
    Image.fromarray(np.where(made().masks[0], 255, 0).astype(np.uint8)).save(tmp_path / "masks" / "clip2.png")
    data = open_dataset(f"pairs:{tmp_path}")
    assert data.clip_names() == ["clip2", "clip10"]
    objects = data.load("clip2").objects
    assert objects is not None and (objects == made().masks[0]).all()


def test_a_card_says_what_a_set_calls_its_parts(tmp_path: Path) -> None:
    for place, part in zip(("before", "after", "what"), made(), strict=True):
        write_part(tmp_path / place / "a", part)
    with pytest.raises(InputError, match=r"holds no pairs: no folder has an input and masks.*\(input: input, inputs"):
        open_dataset(f"pairs:{tmp_path}")
    parts = {"input": "before", "truth": "after", "masks": "what"}
    card = card_of("pairs").model_copy(update={"name": "mine", "parts": parts})
    assert OPENERS["pairs"](card, tmp_path, None).load("a").background is not None


def test_two_clips_of_one_name_are_refused(tmp_path: Path) -> None:
    for group, name in (("a", "b-c"), ("a-b", "c")):
        for place, part in zip(("input", "masks"), (made().input, made().masks), strict=True):
            write_part(tmp_path / group / place / name, part)
    with pytest.raises(InputError, match="two clips in .* are both called 'a-b-c'"):
        open_dataset(f"pairs:{tmp_path}")


def test_what_belongs_to_no_input_and_what_lacks_a_truth_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pairs(tmp_path, ("ant", "bee"))
    shutil.rmtree(tmp_path / "input" / "bee")
    with caplog.at_level(logging.WARNING):
        assert open_dataset(f"pairs:{tmp_path}").clip_names() == ["ant"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / part}: passed over the {part} of bee: there is no such input" for part in ("truth", "masks")
    ]
    caplog.clear()
    shutil.rmtree(tmp_path / "truth")
    with caplog.at_level(logging.WARNING):
        open_dataset(f"pairs:{tmp_path}")
    assert f"{tmp_path}: nobody knows the truth of 1 of 1 clips" in caplog.text


# What is no pair.


def spoilt(root: Path, how: str) -> None:
    """Spoil the clip ``bee`` of a set."""
    truth, masks = root / "truth" / "bee", root / "masks" / "bee"
    if how in ("another clip's truth", "another clip's mask"):
        place = truth if how.endswith("truth") else masks
        shutil.rmtree(place)
        content = made(3).truth if how.endswith("truth") else np.roll(made(1).masks, (18, 30), (1, 2))
        write_part(place, content)
    elif how == "another length":
        (truth / "00003.png").unlink()
    elif how == "another size":
        for file in truth.iterdir():
            Image.open(file).resize((WIDTH // 2, HEIGHT // 2)).save(file)
    elif how == "no truth":
        shutil.rmtree(truth)
    elif how == "no masks":
        shutil.rmtree(masks)
    elif how == "a mask of another size":
        for file in masks.iterdir():
            Image.open(file).resize((WIDTH // 2, HEIGHT // 2)).save(file)
    elif how == "a truth seen from elsewhere":
        shutil.rmtree(truth)
        write_part(truth, np.roll(made(1).truth, 12, axis=2))


FAULTS = {
    "another clip's truth": r"outside the mask its input and truth differ by \d\d\.\d grey levels in frame \d, and 12",
    "another clip's mask": r"its mask does not mark what is to be removed: input and truth differ by \d+\.\d grey",
    "another length": "its input has 4 frames and its truth 3",
    "another size": "its input is 64x48 px and its truth 32x24",
    "no truth": "it has no truth: nothing in .*truth is called bee",
    "no masks": "it has no masks: nothing in .*masks is called bee",
    "a mask of another size": "is 32x24 and the frames of the clip are 64x48",
    "a truth seen from elsewhere": r"they are no pair, are shifted in time",
}


@pytest.mark.parametrize("how", FAULTS)
def test_the_mixed_up_pair_is_found_and_no_other(how: str, tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "set")
    spoilt(root, how)
    found = {clip: problem for clip, problem in problems(open_dataset(f"pairs:{root}"), None) if problem}
    assert set(found) == {"bee"}
    assert re.search(FAULTS[how], found["bee"])
    with pytest.raises(InputError, match="1 of 4 clips of 'pairs:.*' cannot be used as they are"):
        list(check_dataset(f"pairs:{root}"))


def test_a_sound_set_passes_with_its_shadows_and_a_codec_s_noise(tmp_path: Path) -> None:
    for seed, name in enumerate(("ant", "bee")):
        for place, part in zip(("input", "truth", "masks"), made(seed), strict=True):
            write_part(tmp_path / place / name, part, ".mp4")
    assert list(check_dataset(f"pairs:{tmp_path}")) == [
        "ok     ant",
        "ok     bee",
        f"2 clips of 'pairs:{tmp_path}' are sound",
    ]


def test_how_much_a_pair_may_differ_is_the_user_s_to_say(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "set", ("ant",))
    for file in (root / "truth" / "ant").iterdir():
        Image.fromarray(np.clip(np.asarray(Image.open(file)).astype(int) + 20, 0, 255).astype(np.uint8)).save(file)
    with pytest.raises(InputError, match="1 of 1 clips"):
        list(check_dataset(f"pairs:{root}"))
    assert len(list(check_dataset(f"pairs:{root}", most_difference=25))) == 2


def test_a_listed_number_of_frames_is_compared_for_every_layout(tmp_path: Path) -> None:
    write_part(tmp_path / "a", made().input)
    card = card_of("folder").model_copy(update={"splits": {"all": {"a": 9}}})
    data = OPENERS["folder"](card, tmp_path, None)
    assert [problem for _, problem in problems(data, None)] == ["clip 'a' has 4 frames, and its card says 9"]
    assert isinstance(data.load("a"), Clip)
