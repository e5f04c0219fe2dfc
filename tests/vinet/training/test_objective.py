"""Every stage of every recipe yields finite terms and a gradient for each parameter it trains, in bfloat16 too."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import vgg16
from training_run import photo_folder

from vinet.inference import Inpainter
from vinet.network.vinet import Previous, Step, VINet
from vinet.training import losses
from vinet.training.objective import EVERYTHING, Carried, Objective, carried_at, trained
from vinet.training.recipe import BUNDLED, Recipe, read
from vinet.training.scenes.data import Data, lead_at, shown_at
from vinet.training.scenes.scene import Scene, Shown
from vinet.training.start import network_of
from vinet.training.texture import POOLS, Texture

SMALL = ["stages.*.batch=1", "stages.*.crop_px=32", "data.clip_share=0.0", "network.start=[]"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("objective") / "photos")


def vgg16_layers() -> torch.nn.Sequential:
    """What the terms of texture look through, its weights random."""
    return vgg16(weights=None).features[: POOLS[-1] + 1]


def stages(name: str, photos: Path) -> Iterator[tuple[Objective, losses.Tensor]]:
    """Each stage's objective after one backward pass, and its loss."""
    recipe: Recipe = read(name, [*SMALL, f"data.photos={photos}"])
    data = Data(recipe, torch.device("cpu"))
    for stage in recipe.stages:
        eyes = Texture(vgg16_layers()) if stage.asks_for_texture else None
        objective = Objective(network_of(recipe.network, 0), stage, eyes)
        scene, times = data.scene(stage, objective.frames(stage.lead), (0, stage.name), 1.0)
        with torch.autocast("cpu", torch.bfloat16):
            terms = objective(scene, times, stage.lead)
        assert set(terms) >= set(stage.weights)
        loss = losses.total(terms, stage.weights)
        loss.backward()
        yield objective, loss


@pytest.mark.parametrize("name", sorted({path.stem for path in BUNDLED.glob("*-cpu.toml")}))
def test_every_stage_trains_what_it_says(name: str, photos: Path) -> None:
    for objective, loss in stages(name, photos):
        assert bool(loss.isfinite())
        parameters = dict(objective.network.named_parameters())
        without = [name for name in trained(objective.network, objective.stage) if parameters[name].grad is None]
        # A step without a previous output warps no output and meets no memory, so that nothing else may be missing.
        assert all(name.startswith("convlstm") for name in without)


def test_a_body_stage_leaves_the_heads_and_what_feeds_them_alone(photos: Path) -> None:
    recipe = read("compact-cpu", [f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    assert isinstance(network, VINet)
    flow, body, joint, _ = recipe.stages
    everything = {name for name, _ in network.named_parameters()}
    for_flow = {name for name in everything if name.startswith(("flownet", "encoder"))}
    assert set(trained(network, flow)) == for_flow and set(trained(network, body)) == everything - for_flow
    assert set(trained(network, joint)) == everything
    given = network_of(read("compact-dis-cpu").network, 0)
    assert set(trained(given, body)) == {name for name, _ in given.named_parameters()}


def test_a_flow_stage_trains_the_heads_own_encoder_and_frozen_parameters_are_left_alone(photos: Path) -> None:
    recipe = read("flow-cpu", [f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    heads = {name for name, _ in network.named_parameters() if name.startswith(("flownet", "flow_encoder"))}
    flow = recipe.stages[0]
    assert set(trained(network, flow)) == heads
    body = flow.model_copy(update={"kind": "body"})
    everything = {name for name, _ in network.named_parameters()}
    assert set(trained(network, body)) == everything - heads
    unrolled_stage = flow.model_copy(update={"kind": "unrolled", "targets": 2, "frozen": ("flow",)})
    assert set(trained(network, unrolled_stage)) == everything - heads


def test_without_recurrence_the_same_terms_hold_an_output_against_the_one_before_which_the_network_never_sees(
    photos: Path,
) -> None:
    recipe = read("finetune-cpu", [*SMALL, f"data.photos={photos}", "network.switches.recurrence=false"])
    stage = recipe.stages[0].model_copy(update={"longest_lead": 0})
    network = network_of(recipe.network, 0)
    assert isinstance(network, VINet)
    seen: list[Previous | None] = []
    fill = network.fill

    def watched(*arguments: Any, **named: Any) -> Step:
        seen.append(arguments[5])
        return fill(*arguments, **named)

    network.fill = watched  # type: ignore[method-assign]
    objective = Objective(network, stage)
    scene, times = Data(recipe, torch.device("cpu")).scene(stage, objective.frames(1), (0, "blind"), 1.0)
    terms = objective(scene, times, 1)
    assert seen == [None] * (1 + stage.targets)
    assert {"warping", "steady"} <= set(terms) and float(terms["steady"].detach()) > 0


def unrolled(photos: Path, lead: int, targets: int) -> tuple[dict[str, float], list[bool]]:
    """Mean terms of `targets` frames after `lead`, of one scene and network, and which steps kept a gradient."""
    recipe = read("compact-dis-cpu", [*SMALL, f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    longest = Objective(network, recipe.stages[1].model_copy(update={"targets": 4}))
    scene, times = Data(recipe, torch.device("cpu")).scene(longest.stage, longest.frames(0), (0, "lead"), 1.0)
    kept: list[bool] = []
    assert isinstance(network, VINet)
    network.decoder.register_forward_hook(lambda *_: kept.append(torch.is_grad_enabled()))
    terms = Objective(network, recipe.stages[1].model_copy(update={"targets": targets}))(scene, times, lead)
    return {name: float(term.detach()) for name, term in terms.items()}, kept


def test_frames_that_lead_up_only_run(photos: Path) -> None:
    """The mean over four targets is that of the first and of the three that a lead of one leaves."""
    whole, _ = unrolled(photos, 0, 4)
    first, _ = unrolled(photos, 0, 1)
    later, kept = unrolled(photos, 1, 3)
    assert kept == [False, True, True, True]
    for name in ("l1", "hole", "decoded"):
        assert 4 * whole[name] == pytest.approx(first[name] + 3 * later[name], rel=1e-4)


def test_a_clip_from_its_first_frame_on_is_filled_as_inference_fills_it(photos: Path) -> None:
    """To rounding, outputs in a training are those of `Inpainter`: reflection, flow and recurrence."""
    recipe = read("compact-dis-cpu", [*SMALL, f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    assert isinstance(network, VINet)
    stage = recipe.stages[2]
    objective = Objective(network, stage)
    scene, times = Data(recipe, torch.device("cpu")).scene(stage, objective.frames(2), (0, "clip"), 1.0)
    count = 2 + stage.targets
    outputs: list[torch.Tensor] = []
    fed_back = network.feed_back

    def watched(holed: torch.Tensor, mask: torch.Tensor, output: torch.Tensor) -> Previous:
        outputs.append(output)
        return fed_back(holed, mask, output)

    network.feed_back = watched  # type: ignore[method-assign]
    with torch.no_grad():
        objective(scene, times, 2)
    del network.feed_back  # the class has its own again
    frames, holes = [], []
    for time in range(objective.frames(2)):
        levels = ((scene.frame(time)[0] + 1) * 127.5).round().byte().permute(1, 2, 0)
        frames.append(levels.numpy())
        holes.append(scene.mask(time)[0, 0].numpy() > 0.5)
    steps = list(islice(Inpainter(network).steps(frames, holes), count))
    assert len(outputs) == count
    for trained_on, inferred in zip(outputs, steps, strict=True):
        # Frames have been rounded to bytes on the way, and recurrence passes that on.
        assert float((trained_on - inferred.step.output).abs().mean()) < 0.01


def test_leads_are_drawn_from_none_to_the_longest_and_mostly_short() -> None:
    stage = read("compact-dis-cpu").stages[2]
    leads = [lead_at(stage, (0, stage.name, step, 0)) for step in range(2000)]
    assert min(leads) == 0 and max(leads) == stage.longest_lead == 24
    # The share of draws up to n is the square root of (n + 1) / 25.
    for most, share in ((0, 0.2), (3, 0.4), (8, 0.6)):
        assert np.mean(np.array(leads) <= most) == pytest.approx(share, abs=0.04)
    fixed = stage.model_copy(update={"lead": 4, "longest_lead": 0})
    assert {lead_at(fixed, (0, "a", step, 0)) for step in range(50)} == {4}


def test_the_decoder_s_own_term_is_the_hole_s_before_pixels_are_copied(photos: Path) -> None:
    recipe = read("compact-dis-cpu", [*SMALL, f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    objective = Objective(network, recipe.stages[0])
    scene, times = Data(recipe, torch.device("cpu")).scene(objective.stage, objective.frames(0), (0, "decoded"), 1.0)
    seen = []
    assert isinstance(network, VINet)
    network.decoder.register_forward_hook(lambda _, __, output: seen.append(output))
    terms = objective(scene, times)
    truth, mask = scene.frame(objective.first), scene.mask(objective.first)
    expected = ((seen[0] - truth).abs() * mask).sum() / (3 * mask.sum())
    assert float(terms["decoded"].detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    assert float(terms["decoded"].detach()) != pytest.approx(float(terms["hole"].detach()), rel=1e-2)


def test_the_drawn_term_teaches_a_decoder_that_the_smooth_continuation_hides(photos: Path) -> None:
    """A share of the continuation that reached 1 in training hides the decoder from every other term, for good."""
    switches = "network.switches={given_flow=true,smooth_composition=true}"
    recipe = read("compact-dis-cpu", [*SMALL, switches, f"data.photos={photos}"])
    network = network_of(recipe.network, 0)
    assert isinstance(network, VINet)
    last = [layer for layer in network.smooth.blend.modules() if isinstance(layer, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight.zero_()
        assert last.bias is not None
        last.bias.fill_(200.0)
    objective = Objective(network, recipe.stages[0])
    scene, times = Data(recipe, torch.device("cpu")).scene(objective.stage, objective.frames(0), (0, "drawn"), 1.0)
    terms = objective(scene, times)
    weights = list(network.decoder.parameters())
    moved = {
        name: sum(float(part.abs().sum()) for part in torch.autograd.grad(terms[name], weights, retain_graph=True))
        for name in ("decoded", "drawn")
    }
    assert moved["decoded"] == 0 and moved["drawn"] > 0


def clip_and_objective(photos: Path, **switches: bool) -> tuple[Objective, Scene]:
    """A network on given flow that fills three frames after two, and a scene for it."""
    settings = [f"network.switches.{name}={str(value).lower()}" for name, value in switches.items()]
    recipe = read("compact-dis-cpu", [*SMALL, f"data.photos={photos}", *settings])
    stage = recipe.stages[2].model_copy(update={"targets": 3})
    objective = Objective(network_of(recipe.network, 0), stage)
    scene, _ = Data(recipe, torch.device("cpu")).scene(stage, objective.frames(2), (0, "carried"), 1.0)
    return objective, scene


def test_what_a_frame_is_not_given_of_those_before_it_does_not_reach_it(photos: Path) -> None:
    objective, scene = clip_and_objective(photos)
    network = objective.network
    assert isinstance(network, VINet)
    kept = [Carried(), Carried(output=False), Carried(filled=False), Carried(memory=False), Carried()]
    outputs, given = [torch.empty(0)], []
    fill = network.fill

    def watched(*arguments: Any, **named: Any) -> Step:
        given.append(arguments[5:7])
        step = fill(*arguments, **named)
        outputs.append(step.output.detach())
        return step

    network.fill = watched  # type: ignore[method-assign]
    objective(scene, [], 2, kept)
    assert [previous is None for previous, _ in given] == [True, True, False, False, False]
    assert [memory is None for _, memory in given] == [True, False, False, True, False]
    for now in (2, 3, 4):
        previous, hole = given[now][0], scene.mask(now - 1) > 0.5
        whole = network.feed_back(scene.frame(now - 1) * ~hole, hole.float(), outputs[now])
        if now == 2:
            assert torch.equal(previous.output, whole.output * ~hole) and torch.equal(
                previous.known, 1.0 - hole.float()
            )
        else:
            assert torch.equal(previous.output, whole.output) and previous.known is None


@pytest.mark.parametrize("pixel_composition", [True, False])
def test_without_what_was_filled_an_output_is_the_same_whatever_was_filled(
    photos: Path, pixel_composition: bool
) -> None:
    objective, scene = clip_and_objective(photos, pixel_composition=pixel_composition)
    network = objective.network
    assert isinstance(network, VINet)
    mask, holed = scene.mask(0), scene.frame(0) * (1 - scene.mask(0))
    around = torch.stack([holed] * network.config.neighbours, dim=1)
    masks = torch.stack([mask] * network.config.neighbours, dim=1)
    still = torch.zeros(1, network.config.sources, 2, *mask.shape[-2:])

    def output(previous: Previous) -> torch.Tensor:
        with torch.no_grad():
            return network.step(holed, mask, around, masks, previous, None, still).output

    one, other = (Previous(holed + mask * value, mask) for value in (-1.0, 0.7))
    assert not torch.equal(output(one), output(other))
    assert torch.equal(output(one.without_holes()), output(other.without_holes()))


def test_what_is_withheld_is_drawn_by_its_chances_and_nothing_is_without_them() -> None:
    stage = read("finetune-cpu").stages[0]
    assert carried_at(stage, 9, (0, "a")) == []
    some = stage.model_copy(update={"drop_output": 0.25, "drop_holes": 0.25, "drop_memory": 0.1})
    drawn = carried_at(some, 4000, (0, "a"))
    assert drawn == carried_at(some, 4000, (0, "a")) and drawn != carried_at(some, 4000, (0, "b"))
    assert EVERYTHING in drawn
    shares = np.mean([[not c.output, c.output and not c.filled, not c.memory] for c in drawn], axis=0)
    assert shares == pytest.approx([0.25, 0.25, 0.1], abs=0.03)
    never = stage.model_copy(update={"drop_output": 1.0, "drop_memory": 1.0})
    assert set(carried_at(never, 500, (0, "a"))) == {Carried(False, False, False)}


def test_a_clip_that_is_shown_first_has_its_holes_afterwards(photos: Path) -> None:
    objective, scene = clip_and_objective(photos)
    stage = objective.stage.model_copy(update={"longest_shown": 6})
    assert {shown_at(stage, (step,)) for step in range(200)} == set(range(7))
    assert shown_at(objective.stage, (0,)) == 0
    later = Shown(scene, 2)
    assert not later.mask(1).any() and torch.equal(later.mask(2), scene.mask(2)) and later.mask(2).any()
    assert torch.equal(later.frame(1), scene.frame(1))
    assert torch.equal(later.motion(3, 0).flow, scene.motion(3, 0).flow)
