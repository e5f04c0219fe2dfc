"""ReMOVE: the digits of its authors' code, whole and cropped, and the laws of a cosine of means."""

from __future__ import annotations

import numpy as np
import pytest
from golden_removal import EXPECTED, clip, largest, rules, tiny

from vibench.clip import Case, Frames
from vibench.metrics.networks import sam
from vibench.metrics.removal import remove as module
from vibench.metrics.removal.remove import ReMOVE, crop_around, hole_cells, remove

LEVEL, IMAGES = EXPECTED["remove"]["feature_level"], EXPECTED["remove"]["image_level"]
FRAMES = IMAGES["frames"]


def grey(t: int) -> module.Grey:
    return np.asarray(clip("masks")[t], np.uint8) * 255


def drawn() -> sam.Features:
    return np.asarray(rules().feature_map("remove/features", 256, 64, 64), np.float32)


def test_given_features_reach_the_original_s_digits() -> None:
    whole = [remove(drawn(), hole_cells(grey(t))) for t in FRAMES]
    assert largest(whole, LEVEL["whole"]["float64"]) < 1e-12
    crops = [crop_around(grey(t)) for t in FRAMES]
    cropped = [remove(drawn(), hole_cells(crop.cut(grey(t)))) for t, crop in zip(FRAMES, crops, strict=True) if crop]
    assert largest(cropped, LEVEL["crop"]["float64"]) < 1e-12


def test_crops_and_cells_are_the_original_s() -> None:
    crops = [crop_around(grey(t)) for t in FRAMES]
    assert [list(crop or ()) for crop in crops] == IMAGES["crop_boxes_x_y_size"]
    sizes = [list(crop.cut(clip("output")[t]).shape[:2]) for t, crop in zip(FRAMES, crops, strict=True) if crop]
    assert sizes == IMAGES["crop"]["image_hw_seen"]
    assert [int(hole_cells(grey(t)).sum()) for t in FRAMES] == IMAGES["whole"]["hole_cells_of_4096"]
    cut = [crop.cut(grey(t)) for t, crop in zip(FRAMES, crops, strict=True) if crop]
    assert [int(hole_cells(mask).sum()) for mask in cut] == IMAGES["crop"]["hole_cells_of_4096"]


@pytest.fixture(scope="module")
def whole() -> ReMOVE:
    pytest.importorskip("transformers")
    return module.whole(tiny("sam_encoder"))


@pytest.fixture(scope="module")
def cropped() -> ReMOVE:
    pytest.importorskip("transformers")
    return module.cropped(tiny("sam_encoder"))


def values(metric: ReMOVE, frames: Frames) -> tuple[float | None, ...]:
    return metric.measure(frames, Case("golden", frames, clip("masks"), None))["hole"].values


@pytest.mark.parametrize("how", ["whole", "crop"])
def test_a_clip_reaches_the_original_s_digits(how: str, whole: ReMOVE, cropped: ReMOVE) -> None:
    found = values(whole if how == "whole" else cropped, clip("output"))
    assert largest([found[t] for t in FRAMES], IMAGES[how]["float64"]) < 1e-6
    assert found[3] is None  # it has no hole; with --crop the original ends in a TypeError
    assert found[4] == pytest.approx(IMAGES[f"tiny_mask_{how}"], abs=1e-6)


def test_features_of_the_tiny_encoder_are_the_original_s(whole: ReMOVE) -> None:
    found, expected = sam.features(whole._backbone, clip("output")[0]), IMAGES["features_check"]
    assert list(found.shape) == expected["shape"]
    assert largest(found[0, 0, :6], expected["at_c0_first_row_first6"]) < 5e-6
    assert largest(found[5, 20, 10:16], expected["at_c5_y20_x10to15"]) < 5e-6
    assert found.mean() == pytest.approx(expected["mean"], abs=1e-6)


def test_only_255_is_hole_in_a_soft_mask(whole: ReMOVE) -> None:
    soft, frame = clip("soft_masks")[0], clip("output")[0]
    cells = hole_cells(soft)
    assert int(cells.sum()) == IMAGES["soft_mask_frame0_whole"]["cells"]
    found = remove(sam.features(whole._backbone, frame), cells)
    assert found == pytest.approx(IMAGES["soft_mask_frame0_whole"]["float32"], abs=1e-6)
    crop = crop_around(soft)
    assert crop is not None and list(crop) == IMAGES["soft_mask_frame0_crop"]["box"]
    features = sam.features(whole._backbone, np.ascontiguousarray(crop.cut(frame)))
    found = remove(features, hole_cells(crop.cut(soft)))
    assert found == pytest.approx(IMAGES["soft_mask_frame0_crop"]["float32"], abs=1e-6)


def test_it_is_one_for_uniform_features_blind_to_scale_and_symmetric_in_hole_and_rest() -> None:
    cells = hole_cells(grey(0))
    assert remove(np.ones((8, 64, 64), np.float32), cells) == pytest.approx(1)
    assert remove(7 * drawn(), cells) == pytest.approx(remove(drawn(), cells))
    assert remove(drawn(), ~cells) == pytest.approx(remove(drawn(), cells))


def test_no_hole_and_nothing_but_hole_have_no_value() -> None:
    assert remove(drawn(), np.zeros((64, 64), bool)) is None and remove(drawn(), np.ones((64, 64), bool)) is None
    assert crop_around(np.zeros((9, 9), np.uint8)) is None


def test_the_object_left_in_is_worse_than_the_true_background(whole: ReMOVE, cropped: ReMOVE) -> None:
    for metric in (whole, cropped):
        clips = (clip(name)[:1] for name in ("truth", "input"))
        true, left_in = (metric.measure(one, Case("one", one, clip("masks")[:1], None))["hole"].mean for one in clips)
        assert true is not None and left_in is not None and left_in < true - 0.01
