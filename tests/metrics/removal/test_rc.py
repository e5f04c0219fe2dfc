"""RC-S and RC-T: the digits of PROVE's own code, the laws that its definition promises, and what it cannot see."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from golden_removal import EXPECTED, array, clip, largest, tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from vibench.clip import Case, Frames
from vibench.metrics.networks import dinov2
from vibench.metrics.removal import rc

LEVELS, IMAGES = EXPECTED["rc"]["feature_level"], EXPECTED["rc"]["image_level"]
TARGET_PX = {"square": 336, "wide": 336, "tall": 448}


def features(name: str) -> tuple[rc.Tokens, rc.Tokens]:
    first, second = (np.moveaxis(array("rc_features.npz", f"{name}_t{t}"), 0, -1) for t in (0, 1))
    return first, second


def grey(name: str, t: int) -> rc.Grey:
    return np.asarray(array("rc_features.npz", f"{name}_mask{t}"), np.uint8)


@pytest.mark.parametrize("name", TARGET_PX)
def test_windows_of_one_frame_reach_the_original_s_digits(name: str) -> None:
    hole, expected = rc.hole_tokens(grey(name, 0), TARGET_PX[name]), LEVELS[name]
    assert int(hole.sum()) == expected["hole_tokens"] and list(hole.shape) == expected["tokens_hw"]
    found = list(rc.spatial_windows(features(name)[0], hole))
    assert largest(found, expected["float64"]["windows_in_out_mmd"]) < 1e-11
    assert rc.spatial_coherence(features(name)[0], hole) == pytest.approx(expected["float64"]["rc_s"], abs=1e-12)


@pytest.mark.parametrize("name", TARGET_PX)
def test_windows_of_two_frames_reach_the_original_s_digits(name: str) -> None:
    holes = [rc.hole_tokens((grey(name, t) > 127).astype(np.uint8), TARGET_PX[name]) for t in (0, 1)]
    found = [(window.inside, window.distance) for window in rc.temporal_windows(*features(name), holes[0] & holes[1])]
    expected = LEVELS[name]["float64"]
    assert largest(found, expected["rc_t_windows_n_mmd"]) < 1e-11
    assert rc.temporal_incoherence(*features(name), holes[0] & holes[1]) == pytest.approx(expected["rc_t"], abs=1e-12)


def test_the_kernel_alone_reaches_the_original_s_digits() -> None:
    first, second = (tokens.reshape(-1, 12) for tokens in features("square"))
    assert rc.discrepancy(first[:7], second[5:40]) == pytest.approx(LEVELS["kernel_alone"]["float64"], abs=1e-12)


def test_boxes_are_the_original_s() -> None:
    masks, found = clip("masks"), []
    for mask in masks:
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
        parts = [labels == label for label in range(1, count)]
        found.append([[*rc.square_around(part), int(part.sum())] for part in parts])
    assert found == IMAGES["boxes_per_frame_x0_y0_x1_y1"]
    pairs = [list(rc.square_around(masks[t] | masks[t + 1])) for t in range(5)]
    assert pairs == IMAGES["boxes_per_pair"]


@pytest.mark.parametrize(("side", "became"), [(71, 447), (55, 447), (110, 447), (96, 448), (64, 448)])
def test_a_size_in_floating_point_loses_a_pixel_that_is_padded(side: int, became: int) -> None:
    larger = rc.enlarged(np.full((side, side, 3), 255, np.uint8))
    assert larger.shape == (448, 448, 3)
    assert int((larger[0] == 255).all(axis=-1).sum()) == became


@pytest.fixture(scope="module")
def spatial() -> rc.RC:
    pytest.importorskip("transformers")
    return rc.spatial(tiny("dinov2"))


@pytest.fixture(scope="module")
def temporal() -> rc.RC:
    pytest.importorskip("transformers")
    return rc.temporal(tiny("dinov2"))


def of_output(metric: rc.RC, frames: Frames | None = None) -> tuple[float | None, ...]:
    shown = clip("output") if frames is None else frames
    return metric.measure(shown, Case("golden", shown, clip("masks")[: len(shown)], None))["hole"].values


def test_tokens_of_the_tiny_network_are_the_original_s(spatial: rc.RC) -> None:
    expected = IMAGES["tokens_check"]
    left, top, right, bottom = expected["crop"]
    found = dinov2.last_hidden_state(spatial._backbone, rc.enlarged(clip("output")[0][top:bottom, left:right]))
    assert list(found.shape) == expected["shape"]
    assert largest(found[[0, 1, -1], :8], [expected[f"{n}_first8"] for n in ("token0", "token1", "last_token")]) < 5e-6


def test_a_clip_reaches_the_original_s_digits(spatial: rc.RC, temporal: rc.RC) -> None:
    expected = IMAGES["float32_features_float64_kernel"]
    assert largest(of_output(spatial), expected["rc_s_per_frame"]) < 1e-6
    assert largest(of_output(temporal), expected["rc_t_per_pair"]) < 1e-6
    case = Case("golden", clip("output"), clip("masks"), None)
    assert spatial.measure(case.frames, case)["hole"].mean == pytest.approx(expected["rc_s_clip"], abs=1e-6)
    assert temporal.measure(case.frames, case)["hole"].mean == pytest.approx(expected["rc_t_clip"], abs=1e-6)


def test_soft_edges_make_tokens_of_the_hole_as_in_the_original(spatial: rc.RC) -> None:
    pairs = zip(clip("output"), clip("soft_masks"), strict=True)
    found = [rc.rc_s(frame, mask, spatial._tokens) for frame, mask in pairs]
    assert largest(found, IMAGES["soft_masks_float32_features_float64_kernel"]["rc_s_per_frame"]) < 1e-6


def test_holes_without_known_tokens_have_no_score(spatial: rc.RC) -> None:
    frame, mask = clip("output")[0], clip("masks")[0].astype(np.uint8) * 255
    everything = np.full(mask.shape, 255, np.uint8)
    noise = np.where(mask > 0, mask, np.uint8(1))
    corner = np.zeros_like(mask)
    corner[:40, :40] = corner[60:80, 50:70] = 255
    expected = IMAGES["edge_cases_frame0"]
    assert [rc.rc_s(frame, hole, spatial._tokens) for hole in (everything, noise, corner)] == list(expected.values())
    assert rc.rc_s(frame, np.zeros_like(mask), spatial._tokens) is None


def test_frames_larger_than_their_masks_are_resized_to_them_first(spatial: rc.RC, temporal: rc.RC) -> None:
    large = array("output_larger.npz", "output")
    frames = np.stack([cv2.resize(frame, (144, 96), interpolation=cv2.INTER_LINEAR) for frame in large])
    case = Case("larger", frames, clip("masks")[:3], None)
    expected = IMAGES["script_with_output_larger_than_masks"]
    # The script computes its kernel in float32, of which so many digits are left.
    assert spatial.measure(frames, case)["hole"].mean == pytest.approx(expected["rc_s"], abs=2e-5)
    assert temporal.measure(frames, case)["hole"].mean == pytest.approx(expected["rc_t"], abs=5e-4)


def test_only_81_frames_are_looked_at(spatial: rc.RC, temporal: rc.RC) -> None:
    frames, holes = (np.repeat(clip(name)[:1], 83, axis=0) for name in ("output", "masks"))
    case = Case("long", frames, holes, None)
    for metric, name in ((spatial, "frames"), (temporal, "pairs")):
        values = metric.measure(frames, case)["hole"].values
        count = IMAGES["of_83_frames_scored"][name]
        assert sum(value is not None for value in values) == count and set(values[count:]) == {None}
        assert len(values) == (83 if name == "frames" else 82)


def test_a_clip_that_stands_still_is_perfectly_coherent_in_time(temporal: rc.RC) -> None:
    frames, holes = (np.repeat(clip(name)[:1], 3, axis=0) for name in ("output", "masks"))
    values = temporal.measure(frames, Case("still", frames, holes, None))["hole"].values
    assert values == pytest.approx((0.0, 0.0), abs=1e-9)


def test_the_object_left_in_is_worse_than_the_true_background_and_than_a_fill(spatial: rc.RC, temporal: rc.RC) -> None:
    true, left_in, filled = (of_output(spatial, clip(name)) for name in ("truth", "input", "output"))
    means = [np.mean([value for value in values if value is not None]) for values in (true, filled, left_in)]
    assert means[2] < min(means[:2]) - 0.2
    true, left_in, filled = (of_output(temporal, clip(name)) for name in ("truth", "input", "output"))
    means = [np.mean([value for value in values if value is not None]) for values in (true, filled, left_in)]
    assert means[2] > max(means[:2])


def test_what_lies_outside_the_square_does_not_count(spatial: rc.RC) -> None:
    frames = clip("output")[5:6].copy()
    box = rc.square_around(clip("masks")[5])
    outside = np.ones(frames.shape[1:3], bool)
    outside[box.top : box.bottom, box.left : box.right] = False
    changed = frames.copy()
    changed[0][outside] = 0
    assert box.left > 0
    cases = [Case("one", shown, clip("masks")[5:6], None) for shown in (frames, changed)]
    one, other = (spatial.measure(case.frames, case)["hole"].values for case in cases)
    assert one == other


VECTORS = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).normal(size=(20, 6)).astype(np.float32)
)


@settings(max_examples=25)
@given(VECTORS, st.integers(2, 18), st.floats(0.1, 50))
def test_discrepancy_is_symmetric_not_negative_zero_for_equal_sets_and_blind_to_length(
    vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]], count: int, factor: float
) -> None:
    first, second = vectors[:count], vectors[count:]
    distance = rc.discrepancy(first, second)
    assert distance == pytest.approx(rc.discrepancy(second, first), abs=1e-9)
    assert distance > -1e-9
    assert rc.discrepancy(first, first[::-1]) == pytest.approx(0, abs=1e-9)
    assert rc.discrepancy(first * np.float32(factor), second) == pytest.approx(distance, abs=1e-4)


@settings(max_examples=50)
@given(st.integers(4, 60), st.integers(4, 60), st.data())
def test_a_square_holds_the_hole_where_the_frame_can_and_lies_in_the_frame(
    height: int, width: int, data: st.DataObject
) -> None:
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    hole = np.zeros((height, width), bool)
    hole[top:bottom, left:right] = True
    box = rc.square_around(hole)
    assert box.right - box.left == box.bottom - box.top <= min(height, width)
    assert box.left >= 0 and box.right <= width and box.top >= 0 and box.bottom <= height
    if max(bottom - top, right - left) <= min(height, width):
        assert box.left <= left and right <= box.right and box.top <= top and bottom <= box.bottom
