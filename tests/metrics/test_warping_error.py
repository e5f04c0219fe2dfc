from collections.abc import Callable

import numpy as np
import pytest
from golden_metrics import EXPECTED, case_of, golden_case, golden_composite, noisy_pair

from vibench.clip import Case, ExactFlow
from vibench.errors import InputError
from vibench.metrics import warping_error
from vibench.metrics.flow.motion import Motion, warp
from vibench.metrics.warping_error import (
    WarpedDifference,
    devil_exact,
    dis,
    exact,
    exact_motion,
    flicker_dis,
    grey_levels,
    own_dis,
    touches_hole,
    warped_differences,
)

LAI = EXPECTED["lai_warping_error"]


@pytest.mark.parametrize("clip", ["composite", "truth"])
def test_warping_error_reaches_the_digits_of_its_authors(clip: str) -> None:
    case = golden_case()
    series = exact().measure(golden_composite() if clip == "composite" else case.frames, case)["frame"]
    np.testing.assert_allclose(series.values, LAI[clip]["per_pair"], rtol=0, atol=1e-9)
    assert series.mean == pytest.approx(LAI[clip]["clip"], abs=1e-9)


def test_the_mean_is_devil_s_warping_error_too() -> None:
    mean = exact().measure(golden_composite(), golden_case())["frame"].mean
    assert mean == pytest.approx(EXPECTED["devil"]["warp_error"], abs=1e-9)


def test_a_4x4_clip_by_hand() -> None:
    """One pixel to the right; the last column leaves the frame, one visible pixel differs by 51 of 255 in red."""
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    frames[0, :, 0] = 10
    frames[1, :, 1] = 10
    frames[1, 2, 1, 0] = 61
    flow = np.zeros((1, 4, 4, 2), np.float32)
    flow[..., 0] = 1
    visible = np.ones((1, 4, 4), bool)
    visible[..., 3] = False
    holes = np.zeros((2, 4, 4), bool)
    holes[0, 2, :] = True
    regions = (None, holes, np.zeros_like(holes))
    whole, inside, nowhere = warped_differences(frames, Motion(flow, visible), regions)
    assert whole == pytest.approx([0.2**2 / (12 * 3)], rel=1e-5)
    assert inside == pytest.approx([0.2**2 / (3 * 3)], rel=1e-5)
    assert nowhere == [None]


def test_a_perfectly_warped_clip_with_exact_flow_has_no_error() -> None:
    flow = np.zeros((5, 80, 90, 2), np.float32)
    flow[..., 0], flow[..., 1] = 2, -1
    _, clip = noisy_pair(0, frames=1)
    frames = [clip[0]]
    for step in flow:
        frames.insert(0, np.rint(warp(frames[0].astype(np.float32), step)).astype(np.uint8))
    truth = np.stack(frames)
    case = Case("shifted", truth, np.ones(truth.shape[:3], bool), truth, ExactFlow(flow, -flow))
    measured = exact().measure(truth, case)
    assert measured["frame"].mean == pytest.approx(0, abs=1e-9)
    assert measured["hole"].mean == pytest.approx(0, abs=1e-9)
    assert exact().measure(np.roll(truth, 1, axis=0), case)["frame"].mean > 1e-4


def test_the_truth_has_a_floor_below_a_worse_clip_for_estimated_flow() -> None:
    case = golden_case()
    metric = dis()
    assert metric.info.has_floor
    floor, error = (metric.measure(frames, case) for frames in (case.frames, golden_composite()))
    for region in ("frame", "hole"):
        assert 0 < floor[region].mean < error[region].mean


def test_hole_and_the_rest_make_the_frame() -> None:
    case, metric = golden_case(), exact()
    motion = exact_motion(case.frames, case)
    inside, outside = motion.visible & case.holes[:-1], motion.visible & ~case.holes[:-1]
    hole, rest = np.array(warped_differences(golden_composite(), motion, (case.holes, ~case.holes)))
    counts = inside.sum((1, 2)), outside.sum((1, 2))
    together = (hole * counts[0] + rest * counts[1]) / (counts[0] + counts[1])
    np.testing.assert_allclose(metric.measure(golden_composite(), case)["frame"].values, together, rtol=1e-6)


def test_the_hole_that_flow_touches_reaches_devil_s_digits() -> None:
    measured = devil_exact().measure(golden_composite(), golden_case())
    assert measured["frame"].mean == pytest.approx(EXPECTED["devil"]["warp_error"], abs=1e-9)
    assert measured["hole"].mean == pytest.approx(EXPECTED["devil"]["warp_error_mask"], abs=1e-8)


def test_flow_touches_the_hole_where_it_begins_or_ends_in_it() -> None:
    flow = np.zeros((1, 1, 5, 2), np.float32)
    flow[..., 0] = 1.5
    holes = np.array([[[True, False, False, False, False]], [[False, False, False, True, False]]])
    motion = Motion(flow, np.ones((1, 1, 5), bool))
    assert touches_hole(holes, motion).tolist() == [[[True, True, True, False, False]]]


def without_truth(case: Case) -> Case:
    return Case(case.name, case.frames, case.holes, None)


@pytest.mark.parametrize("factory", [own_dis, flicker_dis])
def test_steadiness_on_the_output_s_own_flow_needs_no_truth(factory: Callable[[], WarpedDifference]) -> None:
    case, metric = without_truth(golden_case()), factory()
    assert metric.info.needs == set()
    shimmering = golden_composite()
    shimmering[::2][case.holes[::2]] //= 2
    steady, unsteady = (metric.measure(frames, case)["hole"].mean for frames in (case.frames, shimmering))
    assert steady is not None
    assert unsteady is not None
    assert unsteady > 2 * steady > 0


def test_a_clip_that_stands_still_does_not_flicker() -> None:
    frames = np.repeat(golden_case().frames[:1], 3, axis=0)
    measured = flicker_dis().measure(frames, case_of(frames))
    assert measured["frame"].mean == pytest.approx(0, abs=1e-2)


def test_flicker_is_in_grey_levels() -> None:
    flow, visible = np.zeros((1, 4, 4, 2), np.float32), np.ones((1, 4, 4), bool)
    frames = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (100, 110)])
    assert warped_differences(frames, Motion(flow, visible), cost=grey_levels)[0] == pytest.approx([10], rel=1e-4)


def test_exact_asks_for_exact_flow_and_dis_for_the_truth() -> None:
    assert exact().info.needs == {"truth", "exact-flow"}
    assert dis().info.needs == {"truth"}
    frames, truth = noisy_pair(0)
    with pytest.raises(ValueError, match="has no exact flow"):
        exact().measure(frames, case_of(truth))


@pytest.mark.parametrize("name", ["exact", "dis"])
def test_a_clip_of_one_frame_is_refused_with_a_reason(name: str) -> None:
    whole = golden_case()
    assert whole.flow is not None
    nothing = ExactFlow(whole.flow.forward[:0], whole.flow.backward[:0])
    case = Case("one", whole.frames[:1], whole.holes[:1], whole.frames[:1], nothing)
    with pytest.raises(InputError, match="the clip has one frame"):
        getattr(warping_error, name)().measure(case.frames, case)


def test_the_function_looks_at_frames_and_their_motion() -> None:
    frames, _ = noisy_pair(6, frames=3)
    motion = Motion(np.zeros((2, 80, 90, 2), np.float32), np.ones((2, 80, 90), bool))
    assert warped_differences(frames, motion)
    with pytest.raises(InputError, match=r"frames are float64 .* in 0..1"):
        warped_differences(frames / 255, motion)
    for wrong in (frames[:2], frames[:1], frames[:, :79]):
        with pytest.raises(InputError, match="pass T - 1 flows of T frames"):
            warped_differences(wrong, motion)
