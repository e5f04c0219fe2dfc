"""The flow of a synthetic scene is exact: frames warped by it agree where both show the same thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_run import photo_folder

from vinet.kernels import warp
from vinet.training.scenes.chance import generator
from vinet.training.scenes.photos import photos
from vinet.training.scenes.synthetic import SyntheticScene, moved, synthetic

FRAMES = 7


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return photos(str(photo_folder(tmp_path_factory.mktemp("scene") / "photos")), validation=False)


def scene(paths: tuple[Path, ...], seed: int = 3) -> SyntheticScene:
    """A scene whose light is steady; its noise is 1 % and remains."""
    made = synthetic(generator(seed), paths, 6, FRAMES, 64, 2.0, torch.device("cpu"))
    return replace(made, light=torch.zeros_like(made.light))


@pytest.mark.parametrize(("start", "end"), [(3, 4), (3, 0), (0, 6), (5, 2)])
def test_a_frame_warped_by_its_flow_is_the_other_frame(paths: tuple[Path, ...], start: int, end: int) -> None:
    made = scene(paths)
    motion = made.motion(start, end)
    error = (made.frame(start) - warp(made.frame(end), motion.flow, clamp=True)).abs().mean(1, keepdim=True)
    seen = motion.visible > 0.5
    assert 0.5 < seen.float().mean() < 1
    assert error[seen].mean() < 0.02  # noise of 1 % twice, less what bilinear sampling smooths
    still = (made.frame(start) - made.frame(end)).abs().mean(1, keepdim=True)
    assert still[seen].mean() > 3 * error[seen].mean()


def test_what_is_hidden_does_not_agree(paths: tuple[Path, ...]) -> None:
    made = scene(paths)
    motion = made.motion(0, 6)
    error = (made.frame(0) - warp(made.frame(6), motion.flow, clamp=True)).abs().mean(1, keepdim=True)
    assert error[motion.visible < 0.5].mean() > 5 * error[motion.visible > 0.5].mean()


def test_there_and_back_again_is_where_one_was(paths: tuple[Path, ...]) -> None:
    made = scene(paths)
    there, back = made.motion(1, 4), made.motion(4, 1)
    returned = there.flow + warp(back.flow, there.flow, clamp=True)
    smooth = (there.visible > 0.5) & (warp(back.visible, there.flow, clamp=True) > 0.999)
    assert returned.norm(dim=1, keepdim=True)[smooth].median() < 0.01


def test_the_object_moves_otherwise_than_the_world(paths: tuple[Path, ...]) -> None:
    made = scene(paths)
    covered = made.covered(3, made.pixels)
    assert 0.02 < covered.float().mean() < 0.5
    flow = made.motion(3, 4).flow
    worlds = (made.world.motion(3, 4, made.pixels) - made.pixels).permute(0, 3, 1, 2)
    different = (flow - worlds).norm(dim=1, keepdim=True) > 0.01
    assert not (different & ~covered).any() and different[covered].float().mean() > 0.9


def test_a_scene_depends_on_its_seed_alone(paths: tuple[Path, ...]) -> None:
    again, other = scene(paths), scene(paths, seed=4)
    assert torch.equal(scene(paths).frame(2), again.frame(2)) and torch.equal(again.frame(2), again.frame(2))
    assert not torch.equal(other.frame(2), again.frame(2))


def test_autocast_does_not_touch_places(paths: tuple[Path, ...]) -> None:
    made = scene(paths)
    plain = made.motion(0, 6).flow
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(made.motion(0, 6).flow, plain)


def test_a_homography_divides_by_the_third_coordinate() -> None:
    matrix = torch.tensor([[[2.0, 0, 1], [0, 1, 0], [0, 0.5, 1]]])
    assert moved(matrix, torch.tensor([[[[3.0, 2.0]]]])).flatten().tolist() == [3.5, 1.0]
