"""Every stage of every bundled recipe yields finite terms and a gradient for each parameter it trains, in bfloat16 too."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training_run import photo_folder

from vinet.network import VINet
from vinet.training import losses
from vinet.training.data import Data
from vinet.training.objective import Objective, trained
from vinet.training.recipe import Recipe, read
from vinet.training.trainer import network_of

SMALL = ["stages.*.batch=1", "stages.*.crop_px=32", "data.clip_share=0.0"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("objective") / "photos")


def stages(name: str, photos: Path) -> Iterator[tuple[Objective, losses.Tensor]]:
    """Each stage's objective after one backward pass, and its loss."""
    recipe: Recipe = read(name, [*SMALL, f"data.photos={photos}"])
    data = Data(recipe, torch.device("cpu"))
    for stage in recipe.stages:
        objective = Objective(network_of(recipe.network, 0), stage)
        scene, times = data.scene(stage, objective.frames, (0, stage.name), 1.0)
        with torch.autocast("cpu", torch.bfloat16):
            terms = objective(scene, times)
        assert set(terms) >= set(stage.weights)
        loss = losses.total(terms, stage.weights)
        loss.backward()
        yield objective, loss


@pytest.mark.parametrize("name", ["compact-cpu", "compact-dis-cpu", "frame-baseline-cpu"])
def test_every_stage_trains_what_it_says(name: str, photos: Path) -> None:
    for objective, loss in stages(name, photos):
        assert bool(loss.isfinite())
        parameters = dict(objective.network.named_parameters())
        without = [name for name in trained(objective.network, objective.stage) if parameters[name].grad is None]
        # A step without a previous output warps no output and meets no memory, so that nothing else may be missing.
        assert all(name.startswith("convlstm") for name in without)


def test_a_body_stage_leaves_the_heads_alone(photos: Path) -> None:
    recipe = read("compact-cpu", [f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    assert isinstance(network, VINet)
    flow, body, joint, _ = recipe.stages
    heads = {name for name, _ in network.named_parameters() if name.startswith("flownet")}
    assert heads and heads <= set(trained(network, flow)) and not heads & set(trained(network, body))
    assert set(trained(network, joint)) == {name for name, _ in network.named_parameters()}


def unrolled(photos: Path, lead: int, targets: int) -> tuple[dict[str, float], list[bool]]:
    """Mean terms of `targets` frames after `lead`, always of one scene and one network; and which steps kept a gradient."""
    recipe = read("compact-dis-cpu", [*SMALL, f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    longest = Objective(network, dataclasses.replace(recipe.stages[1], lead=0, targets=4))
    scene, times = Data(recipe, torch.device("cpu")).scene(longest.stage, longest.frames, (0, "lead"), 1.0)
    kept: list[bool] = []
    assert isinstance(network, VINet)
    network.decoder.register_forward_hook(lambda *_: kept.append(torch.is_grad_enabled()))
    terms = Objective(network, dataclasses.replace(recipe.stages[1], lead=lead, targets=targets))(scene, times)
    return {name: float(term.detach()) for name, term in terms.items()}, kept


def test_frames_that_lead_up_only_run(photos: Path) -> None:
    """The mean over four targets is that of the first and of the three that a lead of one leaves."""
    whole, _ = unrolled(photos, 0, 4)
    first, _ = unrolled(photos, 0, 1)
    later, kept = unrolled(photos, 1, 3)
    assert kept == [False, True, True, True]
    for name in ("l1", "hole", "decoded"):
        assert 4 * whole[name] == pytest.approx(first[name] + 3 * later[name], rel=1e-4)


def test_the_decoder_s_own_term_is_the_hole_s_before_pixels_are_copied(photos: Path) -> None:
    recipe = read("compact-dis-cpu", [*SMALL, f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    objective = Objective(network, recipe.stages[0])
    scene, times = Data(recipe, torch.device("cpu")).scene(objective.stage, objective.frames, (0, "decoded"), 1.0)
    seen = []
    assert isinstance(network, VINet)
    network.decoder.register_forward_hook(lambda _, __, output: seen.append(output))
    terms = objective(scene, times)
    truth, mask = scene.frame(objective.first), scene.mask(objective.first)
    expected = ((seen[0] - truth).abs() * mask).sum() / (3 * mask.sum())
    assert float(terms["decoded"].detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    assert float(terms["decoded"].detach()) != pytest.approx(float(terms["hole"].detach()), rel=1e-2)
