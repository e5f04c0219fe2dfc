"""`vinet train-merge` from photos to weights that the method takes, at toy size."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_run import photo_folder

from vibench.clip import Holed
from vinet import weights
from vinet.choice import Choice
from vinet.errors import VINetError
from vinet.method import VINetMethod
from vinet.training.merge import MergeRecipe, new_merge, train_merge

TOY = MergeRecipe(scenes=2, clip_share=0.0, size_px=48, shortest=4, longest=5, steps=12, batch=2, pixels=64)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(photo_folder(tmp_path_factory.mktemp("merge") / "photos"))


@pytest.fixture(scope="module")
def trained(photos: str) -> Path:
    return train_merge(TOY, Choice(), photos, "", (), Path(photos).parent / "run")


def test_a_trained_merge_says_how_it_was_made_and_fills_a_clip(trained: Path) -> None:
    file = weights.read(trained)
    assert file.notes["network_sha256"] == Choice().load()[1].sha256  # type: ignore[union-attr]
    assert (file.notes["scenes"], file.notes["size_px"], file.notes["steps"]) == ("2", "48", "12")
    untrained = new_merge(TOY.seed).state_dict()
    assert any(not np.allclose(file.tensors[name].numpy(), untrained[name].numpy()) for name in untrained)
    frames = np.random.default_rng(0).integers(0, 256, (4, 40, 56, 3), dtype=np.uint8)
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, 10:20, 10:20] = True
    holed = Holed("noise", np.where(masks[..., None], 0, frames).astype(np.uint8), masks)
    method = VINetMethod(directions="both", merge=str(trained))
    filled = method(holed)
    assert np.array_equal(filled[~masks], frames[~masks]) and filled[masks].any()
    assert method.describe()["content_sha256"] == file.sha256


def test_every_step_has_a_row_and_a_blend_that_a_person_can_draw(trained: Path) -> None:
    with (trained.parent / "losses.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows] == list(range(TOY.steps))
    assert all(0 < float(row["blend"]) < 2 for row in rows)


def test_scenes_are_filled_once_and_the_same_recipe_makes_the_same_weights(trained: Path, photos: str) -> None:
    scenes = {path: path.stat().st_mtime_ns for path in (trained.parent / "scenes").glob("*.npz")}
    before = weights.read(trained).tensors
    again = weights.read(train_merge(TOY, Choice(), photos, "", (), trained.parent)).tensors
    assert len(scenes) == TOY.scenes and all(torch.equal(again[name], before[name]) for name in before)
    assert {path: path.stat().st_mtime_ns for path in (trained.parent / "scenes").glob("*.npz")} == scenes


def test_a_merge_is_not_trained_for_random_weights(photos: str, tmp_path: Path) -> None:
    with pytest.raises(VINetError, match="not for weights=random"):
        train_merge(replace(TOY, scenes=1), Choice("random"), photos, "", (), tmp_path)
