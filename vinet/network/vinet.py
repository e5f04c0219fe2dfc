"""VINet: one step from a holed frame, its neighbours, the previous output and the memory to a filled frame.

Read `VINet.fill` beside figure 2 of the paper (Kim et al., CVPR 2019): flow, alignment and composition at three scales,
bottleneck and memory, decoder, and the blending of what earlier frames show.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vinet.config import VINetConfig
from vinet.kernels import warp
from vinet.network.aggregation import Aggregation, Composition, MaskEstimator, compose
from vinet.network.continuation import SmoothComposition
from vinet.network.decoder import Decoder
from vinet.network.encoder import Encoder, Features
from vinet.network.flow import FlowHead, Flows, enlarge_flow, no_flow, outside_flow, per_item, reduce_flow
from vinet.network.layers import blended
from vinet.network.memory import Bottleneck, ConvLSTM, State
from vinet.network.pixels import Neighbours, PixelComposition, PixelSources


class Previous(NamedTuple):
    """The last output as `VINet.feed_back` gives it, and the mask of the frame that it filled."""

    output: Tensor  # (B, 3, H, W)
    mask: Tensor  # (B, 1, H, W)
    known: Tensor | None = None  # (B, 1, H, W), 1 where the output holds a colour; None: everywhere

    def without_holes(self) -> "Previous":
        """The same without what was filled: its holes are 0 and unknown, as those of a neighbour are."""
        known = 1 - self.mask
        return Previous(self.output * known, self.mask, known)


class Blending(NamedTuple):
    """The last stage of a step: the output, and what was blended into the decoded image."""

    output: Tensor
    """(B, 3, H, W)."""
    pixel_mask: Tensor | None = None
    """See `Step`, as for the other two."""
    output_flow: Tensor | None = None
    output_mask: Tensor | None = None


@dataclass(frozen=True)
class Step:
    """Everything that one frame's computation leaves behind."""

    output: Tensor
    """(B, 3, H, W), the filled frame, about -1 to 1."""
    drawn: Tensor
    """(B, 3, H, W), the decoder's image, before anything was blended into it."""
    decoded: Tensor
    """(B, 3, H, W), the same with the smooth continuation, before other frames' pixels were blended in."""
    compositions: tuple[Composition, Composition, Composition]
    """Flow, aggregate, mask and composed map at 1/8, 1/4 and 1/2."""
    smooth_mask: Tensor | None
    """(B, 1, H, W), 1 = the smooth continuation of what the frame shows; None without smooth composition."""
    pixel_mask: Tensor | None
    """(B, 1, H, W), 1 = pixels of the neighbours or of the previous output; None without pixel composition."""
    output_flow: Tensor | None
    """(B, 2, H, W) to the previous output in pixels; None where `output_mask` is, or without flow warping."""
    output_mask: Tensor | None
    """(B, 1, H, W), 1 = the previous output (eq. 6); None where there is none, and with pixel composition."""
    memory: State | None
    """The ConvLSTM's state after this frame; None without memory."""

    @property
    def flows(self) -> tuple[Tensor, Tensor, Tensor]:
        """Flow (B, S, 2, h, w) of every source at 1/8, 1/4 and 1/2, in the pixels of that scale."""
        eighth, quarter, half = (per_item(scale.flow, len(self.output)) for scale in self.compositions)
        return eighth, quarter, half


class VINet(nn.Module):
    """The network; its attributes have the released checkpoint's names, whose suffixes tell the scale.

    No suffix is 1/8, `_64` 1/4, `_128` 1/2 and `_256` 1/1.
    """

    def __init__(self, config: VINetConfig) -> None:
        super().__init__()
        self.config = config
        full, half, quarter, eighth = config.channels
        self.encoder1 = Encoder(config)
        if not config.shared_encoder:
            self.encoder2 = Encoder(config)
        if config.flow_encoder:
            self.flow_encoder = Encoder(config)
        if config.has_flow_heads:
            self.flownet = FlowHead(eighth, config, coarsest=True)
            self.flownet_64 = FlowHead(quarter, config)
            self.flownet_128 = FlowHead(half, config)
        self.st_agg = Aggregation(eighth, config.sources)
        self.st_agg_64 = Aggregation(quarter, config.sources)
        self.st_agg_128 = Aggregation(half, config.sources)
        if config.feature_composition:
            self.masknet = MaskEstimator(eighth)
            self.masknet_64 = MaskEstimator(quarter)
            self.masknet_128 = MaskEstimator(half)
        self.bottleneck = Bottleneck(eighth)
        if config.memory:
            self.convlstm = ConvLSTM(eighth)
        self.decoder = Decoder(config)
        if config.smooth_composition:
            self.smooth = SmoothComposition()
        if config.pixel_composition:
            self.pixels = PixelComposition()
        elif config.recurrence:
            if config.has_flow_heads:
                self.flownet_256 = FlowHead(full, config, clamp=True)
            self.masknet_256 = MaskEstimator(full)

    def step(
        self,
        current: Tensor,
        mask: Tensor,
        neighbours: Tensor,
        neighbour_masks: Tensor,
        previous: Previous | None = None,
        memory: State | None = None,
        given_flows: Tensor | None = None,
    ) -> Step:
        """Fill one frame, encoding everything it needs.

        Args:
            current: the holed frame, (B, 3, H, W) in [-1, 1], holes at 0; H and W multiples of `config.size_multiple`.
            mask: its holes, (B, 1, H, W), 1 = hole.
            neighbours: holed frames at `config.neighbour_offsets`, (B, N, 3, H, W).
            neighbour_masks: their holes, (B, N, 1, H, W).
            previous: the last step's output and mask; None at the first frame, or to switch recurrence off.
            memory: the last step's memory; None at the first frame, or to reset it.
            given_flows: flow to every source in pixels, (B, S, 2, H, W), where `config.given_flow`.
        """
        reference = self.encode_reference(current, mask)
        sources: list[Features] = []
        if self.config.neighbours:
            sources.append(self.encode_source(neighbours.flatten(0, 1), neighbour_masks.flatten(0, 1)))
        if self.config.recurrence:
            sources.append(self.encode_previous(current, mask, previous))
        around = Neighbours(neighbours, neighbour_masks)
        return self.fill(current, mask, reference, beside(sources, len(current)), around, previous, memory, given_flows)

    def encode_reference(self, current: Tensor, mask: Tensor) -> Features:
        """Features of the holed frame (B, 3, H, W) that is to be filled."""
        multiple = self.config.size_multiple
        if current.shape[-2] % multiple or current.shape[-1] % multiple:
            raise ValueError(f"height and width must be multiples of {multiple}, got {tuple(current.shape[-2:])}")
        return self._encoded(self.encoder1, current, mask)

    def encode_source(self, image: Tensor, mask: Tensor) -> Features:
        """Features of a holed neighbour (B, 3, H, W); they do not depend on which frame is being filled."""
        return self._encoded(self.encoder1 if self.config.shared_encoder else self.encoder2, image, mask)

    def encode_previous(self, current: Tensor, mask: Tensor, previous: Previous | None) -> Features:
        """Features of the previous output; at the first frame the current one stands in for it."""
        if previous is None:
            return self.encode_source(current, mask)
        if previous.known is not None:
            return self.encode_source(previous.output, 1 - previous.known)
        return self.encode_source(previous.output, previous.mask * (0.5 if self.config.double else 0.0))

    def _encoded(self, encoder: Encoder, image: Tensor, mask: Tensor) -> Features:
        features: Features = encoder(image, mask)
        return features._replace(own_for_flow=self.flow_encoder(image, mask)) if self.config.flow_encoder else features

    def fill(
        self,
        current: Tensor,
        mask: Tensor,
        reference: Features,
        sources: Features,
        neighbours: Neighbours | None,
        previous: Previous | None,
        memory: State | None,
        given_flows: Tensor | None = None,
    ) -> Step:
        """The step behind the encoders; `sources` holds B * S maps as `beside` makes them, the previous output last.

        `neighbours` are needed by pixel composition alone.
        """
        flows = self._flows(reference, sources, given_flows)
        eighth, quarter, half = self._compose_features(reference, sources, flows)
        features = self.bottleneck(reference.eighth, eighth.composed)
        if self.config.memory:
            memory = self.convlstm(features, memory)
            features = memory.hidden
        drawn: Tensor = self.decoder(features, quarter.composed, half.composed)
        decoded, smooth_mask = drawn, None
        if self.config.smooth_composition:
            decoded, smooth_mask = self.smooth(drawn, current, mask)
        if self.config.pixel_composition:
            blending = self._blend_pixels(decoded, mask, neighbours, previous, flows, given_flows)
        elif self.config.recurrence and previous is not None:
            blending = self._blend_previous(decoded, previous, reference, sources, flows, given_flows)
        else:
            blending = Blending(decoded)
        compositions = (eighth, quarter, half)
        return Step(blending.output, drawn, decoded, compositions, smooth_mask, *blending[1:], memory)

    def _flows(self, reference: Features, sources: Features, given_flows: Tensor | None) -> Flows:
        """Flow of every source at each scale, from outside or from the heads; zero without flow warping."""
        if self.config.given_flow != (given_flows is not None):
            raise ValueError("given_flows belongs to a network with given_flow, and to no other")
        if given_flows is not None:
            return outside_flow(given_flows.flatten(0, 1), self.config.double)
        return self.estimate_flows(reference, sources) if self.config.flow_warping else no_flow(sources)

    def estimate_flows(self, reference: Features, sources: Features) -> Flows:
        """Flow of B references to B * S sources, any S, coarse to fine."""
        reference, sources = reference.for_flow, sources.for_flow
        eighth = self.flownet(reference.eighth, sources.eighth)
        quarter = self.flownet_64(reference.quarter, sources.quarter, eighth)
        half = self.flownet_128(reference.half, sources.half, quarter)
        return Flows(eighth, quarter, half)

    def _compose_features(
        self, reference: Features, sources: Features, flows: Flows
    ) -> tuple[Composition, Composition, Composition]:
        """Aligned, aggregated and composed maps at 1/8, 1/4 and 1/2."""
        masks = (self.masknet, self.masknet_64, self.masknet_128) if self.config.feature_composition else (None,) * 3
        return (
            compose(reference.eighth, sources.eighth, flows.eighth, self.st_agg, masks[0]),
            compose(reference.quarter, sources.quarter, flows.quarter, self.st_agg_64, masks[1]),
            compose(reference.half, sources.half, flows.half, self.st_agg_128, masks[2]),
        )

    def _blend_pixels(
        self,
        decoded: Tensor,
        mask: Tensor,
        neighbours: Neighbours | None,
        previous: Previous | None,
        flows: Flows,
        given_flows: Tensor | None,
    ) -> Blending:
        """Blend pixels of the neighbours, and of the previous output where there is one, into the decoded image."""
        if neighbours is None:
            raise ValueError("pixel composition needs the neighbours' pixels")
        known = PixelSources.of(neighbours)
        if self.config.recurrence and previous is not None:
            known = known.with_output(previous.output, previous.mask, previous.known)
        which = slice(0, known.images.shape[1])
        if given_flows is not None:
            flow = given_flows[:, which].flatten(0, 1)  # (B * S, 2, H, W)
        else:
            flow = enlarge_flow(_select(flows.half, which, self.config.sources), 4 if self.config.double else 2)
        return Blending(*self.pixels(decoded, mask, known, flow))

    def _blend_previous(
        self,
        decoded: Tensor,
        previous: Previous,
        reference: Features,
        sources: Features,
        flows: Flows,
        given_flows: Tensor | None,
    ) -> Blending:
        """Blend the previous output, warped, into the decoded image: eq. 6.

        As released, the mask compares features aligned by the flow of 1/2; only the output itself is warped by the
        flow of 1/1, and in double mode the head at 1/1 is part of the checkpoint but not of the computation.
        """
        double = self.config.double
        flow: Tensor | None = None  # (B, 2, H, W) at the image's size
        aligned = sources.full
        half = _select(flows.half, slice(self.config.sources - 1, None), self.config.sources)
        if given_flows is not None:
            flow = given_flows[:, -1]
            aligned = warp(aligned, reduce_flow(flow, 2 if double else 1), clamp=True)
        elif self.config.flow_warping:
            aligned = warp(aligned, enlarge_flow(half, 2), clamp=True)
            flow = enlarge_flow(half, 4) if double else self.estimate_full_flow(reference, sources, half)
        mask: Tensor = self.masknet_256(reference.full, aligned)
        mask = functional.interpolate(mask, scale_factor=2, mode="nearest") if double else mask
        unmoved = torch.zeros_like(previous.output[:, :2]) if flow is None else flow
        if previous.known is not None:
            mask = mask * warp(previous.known, unmoved, clamp=True)
        output = blended(decoded, warp(previous.output, unmoved, clamp=True), mask)
        return Blending(output, output_flow=flow, output_mask=mask)

    def estimate_full_flow(self, reference: Features, sources: Features, half: Tensor) -> Tensor:
        """Flow at the encoder's full size (B * S, 2, H, W) from that at 1/2; a step needs it for one source only."""
        flow: Tensor = self.flownet_256(reference.for_flow.full, sources.for_flow.full, half)
        return flow

    def feed_back(self, current: Tensor, mask: Tensor, output: Tensor) -> Previous:
        """What the next step gets of an output (B, 3, H, W): all of it, as released.

        With pixel composition it gets the output inside the holes and the true pixels of `current` around them.
        """
        if self.config.pixel_composition:
            output = blended(current, output.clamp(-1, 1), mask)
        return Previous(output, mask)


def beside(groups: list[Features], batch: int) -> Features:
    """Sources in groups of batch * n maps -> one of batch * S: the sources of an item beside each other, in order.

    The full scale is the last group's alone: only the previous output is looked at there.
    """
    below = zip(*(group.scales[1:] for group in groups), strict=True)
    own = [group.own_for_flow for group in groups if group.own_for_flow is not None]
    half, quarter, eighth = (_interleaved(list(scales), batch) for scales in below)
    return Features(groups[-1].full, half, quarter, eighth, beside(own, batch) if own else None)


def _interleaved(groups: list[Tensor], batch: int) -> Tensor:
    """Put the maps of each item together from groups (batch * n, C, h, w) of one scale, in the layout they have."""
    items = [group.chunk(batch) for group in groups]
    return torch.cat([chunks[item] for item in range(batch) for chunks in items])


def _select(maps: Tensor, which: slice, sources: int) -> Tensor:
    """The sources `which` out of (B * sources, ...)."""
    return torch.cat([item[which] for item in maps.chunk(len(maps) // sources)])
