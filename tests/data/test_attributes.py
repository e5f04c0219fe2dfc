"""Attributes of a case: DEVIL's displacement by hand, and motion where there is motion."""

from __future__ import annotations

import numpy as np
import pytest

from vibench.data.attributes import attributes_of, camera_motion, deformation, displacement
from vibench.data.synthetic import render, scenes


def test_displacement_is_the_union_over_the_frame() -> None:
    masks = np.zeros((3, 10, 10), np.bool_)
    for t in range(3):
        masks[t, 0, t : t + 2] = True
    assert displacement(masks) == 0.04


def test_a_mask_that_only_moves_does_not_deform() -> None:
    masks = np.zeros((4, 40, 60), np.bool_)
    for t in range(4):
        masks[t, 5 + t : 15 + t, 4 + 9 * t : 14 + 9 * t] = True
    assert deformation(masks) == 0
    masks[3, :, 31:] = True
    assert deformation(masks) > 0.5


@pytest.mark.parametrize("view", ["pan", "zoom", "rotate"])
def test_a_moving_camera_moves_more_than_a_still_one(view: str) -> None:
    clips = {name: render(scenes(120, 216, 12)[f"{name}-slow"]) for name in ("still", view)}
    still, moving = (camera_motion(clip.frames, clip.objects) for clip in clips.values())
    assert still is not None and moving is not None
    assert still < 0.01 < moving


def test_a_flat_clip_has_no_camera_motion_that_anyone_could_know() -> None:
    frames = np.full((3, 48, 64, 3), 90, np.uint8)
    holes = np.zeros(frames.shape[:3], np.bool_)
    holes[:, :24] = True
    assert attributes_of(frames, holes, None) == {"hole motion": 0.5, "hole deformation": 0.0}
