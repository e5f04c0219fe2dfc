"""Synthetic clips keep their promise: what is called exact is exact."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from warping import warped

from vibench.clip import Clip, ExactFlow, Flows, digest
from vibench.data.synthetic import Scene, render, scenes
from vibench.errors import InputError

CAMERAS = ("still", "pan", "zoom", "rotate")


def clip(camera: str, seed: int = 1, frames: int = 4) -> Clip:
    return render(Scene("test", 96, 144, frames, camera, 0.013, 0.02, 0.4, seed))  # type: ignore[arg-type]


def flow_of(made: Clip) -> ExactFlow:
    assert made.flow is not None
    return made.flow


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_the_next_frame_warped_back_is_this_frame_up_to_interpolation(camera: str, seed: int) -> None:
    """Bound: root mean square 4 of 255 levels over visible pixels; a flow that is half a pixel off gives more."""
    made = clip(camera, seed)
    flow = flow_of(made)
    assert flow.visible is not None
    for t in range(3):
        seen = flow.visible[t]
        exact = _error(made, t, flow.forward, seen)
        shifted = _error(made, t, flow.forward + np.float32(0.5), seen)
        assert exact < 4 and exact < 0.8 * shifted


def _error(made: Clip, t: int, flow: Flows, seen: NDArray[np.bool_]) -> float:
    difference = warped(made.frames[t + 1], flow[t]) - made.frames[t]
    return float(np.sqrt(np.mean(difference[seen] ** 2)))


@pytest.mark.parametrize("camera", CAMERAS)
def test_there_and_back_ends_where_it_began(camera: str) -> None:
    flow = flow_of(clip(camera))
    assert flow.visible is not None
    for t in range(3):
        back = warped(flow.backward[t], flow.forward[t])
        assert np.abs(back + flow.forward[t])[flow.visible[t]].max() < 1e-3


@pytest.mark.parametrize("camera", CAMERAS)
def test_frames_equal_the_background_outside_the_object_and_nowhere_inside_all_of_it(camera: str) -> None:
    made = clip(camera)
    assert made.background is not None and made.objects is not None
    assert np.array_equal(made.frames[~made.objects], made.background[~made.objects])
    assert (made.frames != made.background)[made.objects].mean() > 0.5
    assert 0.02 < made.objects.mean() < 0.3


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_background_moves_by_its_own_flow(camera: str) -> None:
    made = clip(camera)
    assert made.background is not None and made.background_flow is not None and made.objects is not None
    seen = made.background_flow.visible
    assert seen is not None
    difference = warped(made.background[1], made.background_flow.forward[0]) - made.background[0]
    assert np.sqrt(np.mean(difference[seen[0]] ** 2)) < 4
    outside = ~made.objects[0]
    assert np.array_equal(flow_of(made).forward[0][outside], made.background_flow.forward[0][outside])


def test_a_still_camera_has_no_flow_and_a_pan_has_one_for_all() -> None:
    still, pan = clip("still").background_flow, clip("pan").background_flow
    assert still is not None and pan is not None
    assert np.abs(still.forward).max() < 1e-6
    assert np.ptp(pan.forward, axis=(1, 2)).max() < 1e-4
    assert np.hypot(*pan.forward[0, 0, 0]) == pytest.approx(0.013 * 96, rel=1e-4)


def test_pixels_that_leave_the_frame_are_not_visible() -> None:
    made = clip("pan")
    flow = flow_of(made)
    assert flow.visible is not None
    target = np.arange(144) + flow.forward[0, ..., 0]
    leaves = (target < 0) | (target > 143)
    assert leaves.any() and not flow.visible[0][leaves].any()


def test_what_the_object_will_cover_is_not_visible() -> None:
    made = clip("still", frames=2)
    flow = flow_of(made)
    assert made.objects is not None and flow.visible is not None
    covered = made.objects[1] & ~made.objects[0]
    assert covered.any() and not flow.visible[0][covered].any()


def test_the_same_scene_is_the_same_clip_and_another_seed_another() -> None:
    first = digest(clip("zoom", 3).frames)
    render.cache_clear()
    assert digest(clip("zoom", 3).frames) == first
    assert digest(clip("zoom", 4).frames) != first


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_shorter_clip_is_the_beginning_of_a_longer_one(camera: str, seed: int) -> None:
    long, short = clip(camera, seed, frames=5), clip(camera, seed, frames=2)
    assert np.array_equal(long.frames[:2], short.frames)


def test_a_scene_without_object_is_its_background() -> None:
    made = render(Scene("empty", 48, 64, 2, object_size=0))
    assert made.objects is not None and made.background is not None
    assert not made.objects.any() and np.array_equal(made.frames, made.background)


def test_one_frame_and_small_odd_sizes_work() -> None:
    made = render(Scene("tiny", 17, 31, 1))
    assert made.frames.shape == (1, 17, 31, 3) and flow_of(made).forward.shape == (0, 17, 31, 2)


def test_the_named_scenes_differ_in_camera_and_object_speed() -> None:
    named = scenes(240, 432, 30)
    assert len(named) == 10 and all(name == scene.name for name, scene in named.items())
    assert len({(scene.camera, scene.camera_speed, scene.object_speed) for scene in named.values()}) == 10


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"height": 8}, "at least 16x16 px and 1 frame, not 432x8"),
        ({"frames": 0}, "1 frame, not 432x240 and 0"),
        ({"camera": "dolly"}, "no camera motion 'dolly'; there are still, pan"),
        ({"camera_speed": 2.0}, "camera_speed=2.0 must be from 0 to 0.2"),
        ({"object_size": 0.95}, "object_size=0.95 must be 0"),
    ],
)
def test_an_impossible_scene_is_one_sentence(options: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Scene("bad", **options)  # type: ignore[arg-type]
