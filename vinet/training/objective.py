"""What a stage asks of a network: from a scene to named loss terms, as one module so that DDP can wrap it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vinet.network.encoder import Features
from vinet.network.flow import enlarge_flow, per_item, reduce_flow
from vinet.network.frame_network import FrameNetwork
from vinet.network.memory import State
from vinet.network.vinet import Previous, Step, VINet, beside
from vinet.training import losses
from vinet.training.recipe import Stage
from vinet.training.scenes.chance import generator
from vinet.training.scenes.given_flow import GivenFlow
from vinet.training.scenes.scene import REACH, Scene
from vinet.training.texture import Texture

Terms = dict[str, Tensor]


class Carried(NamedTuple):
    """What a frame is given of those before it; the rest is withheld from it."""

    output: bool = True
    filled: bool = True  # of the output, what had been filled in it
    memory: bool = True


EVERYTHING = Carried()


class Objective(nn.Module):
    """Loss terms of one stage.

    `network` is the module that is trained; a stage that asks for `texture` looks through it.
    """

    def __init__(self, network: VINet | FrameNetwork, stage: Stage, texture: Texture | None = None) -> None:
        super().__init__()
        self.network = network
        self.stage = stage
        self.texture = texture

    def frames(self, lead: int) -> int:
        """How many times a scene needs for this stage with `lead` frames before its targets."""
        if isinstance(self.network, FrameNetwork):
            return 1
        if self.stage.kind == "flow":
            return 2 * REACH + 1
        return self.first + lead + self.stage.targets + self.network.config.lookahead

    @property
    def first(self) -> int:
        """The first time that is filled: 0 in a clip from its start on, else that whose earliest source is at 0."""
        if isinstance(self.network, FrameNetwork) or self.stage.longest_lead:
            return 0
        config = self.network.config
        return max(config.recurrence, *(-offset for offset in config.neighbour_offsets), 0)

    def forward(self, scene: Scene, times: list[int], lead: int = 0, carried: Sequence[Carried] = ()) -> Terms:
        """Terms by their names in `recipe.WEIGHTS`.

        `times` are the sources of a flow stage, `lead` is the number of frames before the targets, `carried` is what
        each frame that is filled is given of those before it; empty for everything.
        """
        if isinstance(self.network, FrameNetwork):
            truth, mask = scene.frame(0), scene.mask(0)
            return self._reconstruction(self.network(truth * (1 - mask), mask), truth, mask)
        if self.stage.kind == "flow":
            return endpoint_terms(self.network, scene, REACH, times)
        return self._filled(self.network, scene, lead, carried)

    def _filled(self, network: VINet, scene: Scene, lead: int, carried: Sequence[Carried]) -> Terms:
        """Mean terms over the targets, after `lead` frames that only run.

        The previous output is detached before it is fed back. A network without recurrence is held against its previous
        output by the same terms, and never sees it.
        """
        given = GivenFlow(scene, self.stage.given) if network.config.given_flow else None
        previous: Previous | None = None
        memory: State | None = None
        collected: dict[str, list[Tensor]] = {}
        first_target = self.first + lead
        times = range(self.first, first_target + self.stage.targets)
        for now, kept in zip(times, carried or [EVERYTHING] * len(times), strict=True):
            mask = scene.mask(now)
            holed = colours(network, scene, now) * (1 - mask)
            with torch.set_grad_enabled(torch.is_grad_enabled() and now >= first_target):
                seen = previous if network.config.recurrence and kept.output else None
                seen = seen if seen is None or kept.filled else seen.without_holes()
                step = _step(network, scene, given, now, holed, seen, memory if kept.memory else None)
            if now >= first_target:
                for name, term in self._terms(network, scene, step, now, previous).items():
                    collected.setdefault(name, []).append(term)
            previous = network.feed_back(holed, mask, step.output.detach())
            memory = step.memory
        return {name: torch.stack(terms).mean() for name, terms in collected.items()}

    def _terms(self, network: VINet, scene: Scene, step: Step, now: int, previous: Previous | None) -> Terms:
        """Terms of one target; `previous` is the output before it."""
        truth, mask = colours(network, scene, now), scene.mask(now)
        terms = self._reconstruction(step.output, truth, mask)
        terms["decoded"] = losses.hole(step.decoded.float(), truth, mask)
        terms["drawn"] = losses.hole(step.drawn.float(), truth, mask)
        if self.stage.kind == "joint":
            terms |= head_terms(network, step, scene, now, [*_nearby(network, now), now][: network.config.sources])
        if previous is not None:
            terms |= self._temporal(network, scene, step, now, previous)
        return terms

    def _reconstruction(self, output: Tensor, truth: Tensor, mask: Tensor) -> Terms:
        """Eqs. 8 to 10, the hole's own term and, where asked for, those of texture."""
        output = output.float()
        terms = {
            "l1": losses.l1(output, truth),
            "ssim": losses.ssim_loss(output, truth),
            "hole": losses.hole(output, truth, mask),
        }
        if self.texture:
            if self.network.config.channel_order == "bgr":
                output, truth = output.flip(1), truth.flip(1)
            terms |= self.texture(output, truth, mask)
        return terms

    def _temporal(self, network: VINet, scene: Scene, step: Step, now: int, previous: Previous) -> Terms:
        """Eqs. 11 to 14 at a target that has a previous output, and how far it is from that."""
        truth, before = colours(network, scene, now), colours(network, scene, now - 1)
        short = scene.motion(now, now - 1)
        warping = losses.warping(step.output, truth, before, short.flow, short.visible)
        start = max(self.first, now - REACH)
        if now - 1 > start:
            long = scene.motion(now, start)
            beginning = colours(network, scene, start)
            warping = warping + losses.warping(step.output, truth, beginning, long.flow, long.visible)
        trusted = losses.visibility(truth, before, short.flow) * short.visible
        steady = losses.steady(step.output, previous.output, scene.mask(now), trusted, short.flow)
        terms = {"warping": warping, "steady": steady}
        own = own_flow(network, step)
        if own is not None:
            terms["flow"] = losses.flow(own, short.flow, short.visible, truth, before)
        return terms


def _nearby(network: VINet, now: int) -> list[int]:
    """Times of the neighbours, reflected at the scene's first frame as inference does."""
    return [abs(now + offset) for offset in network.config.neighbour_offsets]


def _step(
    network: VINet,
    scene: Scene,
    given: GivenFlow | None,
    now: int,
    holed: Tensor,
    previous: Previous | None,
    memory: State | None,
) -> Step:
    """One step of the network on a scene, as inference takes it; `holed` is the frame at `now` with its hole at 0."""
    nearby = _nearby(network, now)
    around_masks = torch.stack([scene.mask(time) for time in nearby], dim=1)
    around = torch.stack([colours(network, scene, time) for time in nearby], dim=1) * (1 - around_masks)
    flows = None
    if given:  # as in inference, nothing has moved before the first frame
        before = now - 1 if previous else now
        flows = given.between(now, [*nearby, before] if network.config.recurrence else nearby)
    return network.step(holed, scene.mask(now), around, around_masks, previous, memory, flows)


def colours(network: VINet, scene: Scene, time: int) -> Tensor:
    """A true frame (B, 3, H, W) in the network's channel order."""
    frame = scene.frame(time)
    return frame.flip(1) if network.config.channel_order == "bgr" else frame


def own_flow(network: VINet, step: Step) -> Tensor | None:
    """The network's flow (B, 2, H, W) to the previous output; None where it estimates none."""
    if not (network.config.has_flow_heads and network.config.recurrence):
        return None
    if step.output_flow is not None:
        return step.output_flow.float()
    return enlarge_flow(step.flows[2][:, -1].float(), 4 if network.config.double else 2)


def estimated(network: VINet, scene: Scene, now: int, times: list[int]) -> list[Tensor]:
    """Flow (B * S, 2, h, w) from the frame at `now` to those at `times`, all holed, at 1/8, 1/4, 1/2 and maybe 1/1."""
    mask = scene.mask(now)
    reference = network.encode_reference(colours(network, scene, now) * (1 - mask), mask)
    masks = torch.stack([scene.mask(time) for time in times], dim=1).flatten(0, 1)
    frames = torch.stack([colours(network, scene, time) for time in times], dim=1).flatten(0, 1)
    encoded = network.encode_source(frames * (1 - masks), masks)
    sources: Features = beside([encoded], len(mask))
    flows = [*network.estimate_flows(reference, sources)]
    if hasattr(network, "flownet_256"):
        flows.append(network.estimate_full_flow(reference, sources, flows[-1]))
    return [flow.float() for flow in flows]


def endpoint_terms(network: VINet, scene: Scene, now: int, times: list[int]) -> Terms:
    """End-point loss of the heads alone, all scales measured in the image's pixels."""
    truth = torch.stack([scene.motion(now, time).flow for time in times], dim=1).flatten(0, 1)
    flows = estimated(network, scene, now, times)
    return {"endpoint": _endpoint(flows, truth)}


def head_terms(network: VINet, step: Step, scene: Scene, now: int, times: list[int]) -> Terms:
    """The same for the flows that a step has used; with no previous output the last source is the frame itself."""
    truth = torch.stack([scene.motion(now, time).flow for time in times], dim=1).flatten(0, 1)
    return {"endpoint": _endpoint([flow.flatten(0, 1).float() for flow in step.flows], truth)}


def _endpoint(flows: list[Tensor], truth: Tensor) -> Tensor:
    height = truth.shape[-2]
    terms = []
    for flow in flows:
        factor = height // flow.shape[-2]
        smaller = reduce_flow(truth, factor) if factor > 1 else truth
        terms.append(losses.endpoint(factor * flow, factor * smaller))
    return torch.stack(terms).sum()


def carried_at(stage: Stage, frames: int, position: tuple[object, ...]) -> list[Carried]:
    """What each of so many filled frames is given at `position` of a training."""
    if not (stage.drop_output or stage.drop_holes or stage.drop_memory):
        return []
    draws = torch.rand(frames, 2, generator=generator(*position, "carried")).tolist()
    no_fill = stage.drop_output + stage.drop_holes
    return [Carried(of >= stage.drop_output, of >= no_fill, memory >= stage.drop_memory) for of, memory in draws]


def trained(network: VINet | FrameNetwork, stage: Stage) -> list[str]:
    """Names of the parameters that a stage trains, less its frozen ones.

    A flow stage trains the heads and their encoder, a body stage all others. Without heads a body stage trains the
    encoder too; with them, it would move the features that the heads have learnt to match.
    """
    names = [name for name, _ in network.named_parameters() if not name.startswith(stage.frozen)]
    own = isinstance(network, VINet) and network.config.flow_encoder
    for_flow = [name for name in names if name.startswith(("flownet", "flow_encoder" if own else "encoder"))]
    if stage.kind == "flow":
        return for_flow
    if stage.kind == "body" and any(name.startswith("flownet") for name in names):
        return [name for name in names if name not in for_flow]
    return names


def flow_at_full_size(flows: list[Tensor], height: int, batch: int) -> Tensor:
    """The finest of `estimated`, enlarged to the image: (B, S, 2, H, W)."""
    finest = flows[-1]
    factor = height // finest.shape[-2]
    return per_item(enlarge_flow(finest, factor) if factor > 1 else finest, batch)
