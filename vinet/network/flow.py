"""Flow from the reference to its sources at three scales, coarse to fine: match, estimate, refine."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vinet.config import VINetConfig
from vinet.kernels import CANDIDATES, RANGE_PX, evidence, warp
from vinet.network.encoder import Features
from vinet.network.layers import draw, linear, plain

CONTEXT_DILATIONS = (1, 2, 4, 8, 16, 1, 1)
SMALL = 0.01
"""Gain of the layers that add to a flow: an untrained head hardly moves the estimate that it was given."""


class Flows(NamedTuple):
    """Flow of every source in the pixels of each scale, sources beside each other in the batch."""

    eighth: Tensor  # (B * S, 2, H / 8, W / 8)
    quarter: Tensor  # (B * S, 2, H / 4, W / 4)
    half: Tensor  # (B * S, 2, H / 2, W / 2)


class FlowHead(nn.Module):
    """Flow at one scale; `coarsest` heads start from nothing, the others from the flow of the scale below."""

    def __init__(self, channels: int, config: VINetConfig, *, coarsest: bool = False, clamp: bool = False) -> None:
        super().__init__()
        self.clamp = clamp
        self.normalised = config.normalised_correlation
        started = not coarsest or config.soft_argmax
        if coarsest and config.soft_argmax:
            # Correlation of normalised features lies in about -1..1; at 10 one good match outweighs 80 poor ones.
            self.sharpness = nn.Parameter(torch.tensor(10.0))
        self.flow_estimator = FlowEstimator(channels + CANDIDATES + 2 * started, config)

    def forward(self, reference: Tensor, source: Tensor, coarser: Tensor | None = None) -> Tensor:
        """Flow (B * S, 2, H, W) of `reference` (B, C, H, W) to `source` (B * S, C, H, W).

        `coarser` is the flow of the scale below, (B * S, 2, H / 2, W / 2); without it this is the coarsest scale.
        """
        if self.normalised:
            reference, source = functional.instance_norm(reference), functional.instance_norm(source)
        start = None
        if coarser is not None:
            start = enlarge_flow(coarser, 2)
            source = warp(source, start, clamp=self.clamp)
        seen = evidence(reference, source, start)  # (B * S, C + 81 [+ 2], H, W)
        if hasattr(self, "sharpness"):
            start = soft_argmax(seen[:, -CANDIDATES:], self.sharpness)
            seen = torch.cat([seen, start], dim=1)
        flow: Tensor = self.flow_estimator(seen)
        return flow if start is None else start + flow


def enlarge_flow(flow: Tensor, factor: int) -> Tensor:
    """Bilinear enlargement of a flow in pixels: `factor` times the size, `factor` times the vectors."""
    return factor * functional.interpolate(flow, scale_factor=factor, mode="bilinear", align_corners=False)


def soft_argmax(costs: Tensor, sharpness: Tensor) -> Tensor:
    """Expected displacement (B, 2, H, W) in pixels under the softmax of a cost volume (B, 81, H, W)."""
    weights = torch.softmax(sharpness * costs, dim=1)
    return torch.einsum("bkhw,kc->bchw", weights, displacements(costs))


def displacements(like: Tensor) -> Tensor:
    """(81, 2): the displacement (dx, dy) in pixels behind each channel of a cost volume, on the device of `like`."""
    steps = torch.arange(-RANGE_PX, RANGE_PX + 1, device=like.device, dtype=like.dtype)
    dy, dx = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([dx, dy], dim=-1).flatten(0, 1)


class FlowEstimator(nn.Module):
    """Five plain convolutions to a coarse flow, then the context net's refinement."""

    def __init__(self, inputs: int, config: VINetConfig) -> None:
        super().__init__()
        widths = [inputs, *config.head_channels]
        self.convs = nn.Sequential(*(plain(before, after) for before, after in pairwise(widths)))
        self.conv1 = linear(widths[-1], 2, gain=SMALL)
        self.convs_fine = ContextNet(widths[-1] + 2, config.context_channels)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, inputs, H, W) -> flow (B, 2, H, W) in pixels."""
        features = self.convs(seen)
        coarse: Tensor = self.conv1(features)
        refinement: Tensor = self.convs_fine(torch.cat([features, coarse], dim=1))
        # bfloat16, which autocast leaves behind, has 8 bits: 1/16 px at 16 px.
        return coarse.to(torch.promote_types(coarse.dtype, torch.float32)) + refinement


class ContextNet(nn.Module):
    """Dilated refinement of a coarse flow."""

    def __init__(self, inputs: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        widths = [inputs, *channels, 2]
        layers = zip(pairwise(widths), CONTEXT_DILATIONS, strict=True)
        self.convs = nn.Sequential(*(plain(before, after, dilation) for (before, after), dilation in layers))
        draw(self.convs.get_submodule("6.0").get_parameter("weight"), SMALL)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 2, H, W); the last layer too is followed by the leaky ReLU, as released."""
        refinement: Tensor = self.convs(features)
        return refinement


def no_flow(sources: Features) -> Flows:
    """Zero flow for `sources` (B * S maps): the ablation without alignment."""
    maps = (sources.eighth, sources.quarter, sources.half)
    return Flows(*(scale.new_zeros(len(scale), 2, *scale.shape[-2:]) for scale in maps))


def outside_flow(flows: Tensor, double: bool) -> Flows:
    """Flow of the image's size (B * S, 2, H, W) in its pixels, reduced to each scale of the encoder."""
    first = 2 if double else 1
    return Flows(*(reduce_flow(flows, first * factor) for factor in (8, 4, 2)))


def reduce_flow(flow: Tensor, factor: int) -> Tensor:
    """Mean of a flow in pixels over squares of `factor`, in the smaller map's pixels."""
    return functional.avg_pool2d(flow, factor) / factor


def per_item(maps: Tensor, batch: int) -> Tensor:
    """The sources of each item apart again: (B * S, ...) -> (B, S, ...)."""
    return maps.reshape(batch, -1, *maps.shape[1:])
