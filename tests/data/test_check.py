"""Checking a data set: sound ones pass, and whatever is wrong is one sentence that says where to get the data."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from davis_layout import write_davis
from PIL import Image
from sintel_layout import write_sintel

from vibench.data.copy import check_dataset, problems
from vibench.data.dataset import Card, Dataset, card_of
from vibench.data.layouts import OPENERS, open_dataset, read_flow
from vibench.errors import InputError

CLIPS = {"bear": 3, "cow": 4}


def opened(layout_of: str, root: Path, size: tuple[int, int] = (32, 24)) -> Dataset:
    card = card_of(layout_of)
    split = card.default_split
    card = card.model_copy(update={"splits": {split: CLIPS}, "sizes_px": {split: size}})
    return OPENERS[card.layout](card, root, None)


def faults(data: Dataset) -> list[str]:
    return [problem for _, problem in problems(data, None) if problem]


def test_the_bundled_and_small_synthetic_sets_are_as_their_cards_say() -> None:
    assert list(check_dataset("bundled", None))[-1] == "4 clips of 'bundled' are as its card says"
    assert len(list(check_dataset("synthetic", None, "small"))) == 11


def test_made_sets_in_the_official_layouts_pass(tmp_path: Path) -> None:
    assert faults(opened("davis-2016", write_davis(tmp_path / "davis", CLIPS))) == []
    assert faults(opened("sintel", write_sintel(tmp_path / "sintel", CLIPS))) == []


def test_one_clip_of_the_real_davis_passes(shared_data: Path) -> None:
    card = card_of("davis-2016")
    clips = {name: count for name, count in card.clips(None).items() if name == "libby"}
    data = OPENERS["davis"](card.model_copy(update={"splits": {"validation": clips}}), shared_data / "davis", None)
    assert [*problems(data, None)] == [("libby", None)]


def test_each_fault_is_said_and_the_other_clip_still_checked(tmp_path: Path) -> None:
    root = write_davis(tmp_path, CLIPS)
    damaged = root / "JPEGImages" / "480p" / "cow" / "00002.jpg"
    damaged.write_bytes(damaged.read_bytes()[:200])
    assert [(clip, bool(problem)) for clip, problem in problems(opened("davis-2016", root), None)] == [
        ("bear", False),
        ("cow", True),
    ]
    assert "cannot be decoded" in faults(opened("davis-2016", root))[0]


def test_another_size_than_the_card_s_is_said(tmp_path: Path) -> None:
    data = opened("davis-2016", write_davis(tmp_path, CLIPS), size=(854, 480))
    assert faults(data)[0] == "clip 'bear' is 32x24 px, and its card says 854x480"


def test_a_wrong_number_of_clips_is_said(tmp_path: Path) -> None:
    clip = tmp_path / "test_all_frames" / "JPEGImages" / "0a1b"
    clip.mkdir(parents=True)
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(clip / "00000.jpg")
    data = open_dataset("youtube-vos-2018", tmp_path)
    assert faults(data) == ["there are 1 clips, and 'youtube-vos-2018' test has 508"]


def test_the_end_says_where_to_get_the_data_and_its_licence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder JPEGImages/480p.*get it from https://.*licence: the terms of use"):
        list(check_dataset("davis-2016", tmp_path))
    (tmp_path / "test_all_frames" / "JPEGImages" / "empty").mkdir(parents=True)
    with pytest.raises(InputError, match="are not as its card says; get it from"):
        list(check_dataset("youtube-vos-2018", tmp_path))


def test_a_sintel_flow_file_reads_the_same_in_opencv(tmp_path: Path) -> None:
    root = write_sintel(tmp_path, {"alley": 2})
    path = root / "training" / "flow" / "alley" / "frame_0001.flo"
    assert np.array_equal(read_flow(path), cv2.readOpticalFlow(str(path)))


def test_a_card_without_sizes_checks_none(tmp_path: Path) -> None:
    data = opened("davis-2016", write_davis(tmp_path, CLIPS))
    card: Card = data.card.model_copy(update={"sizes_px": {}})
    assert faults(Dataset(card, data.frame_counts, data.read)) == []
