"""Temporal aggregation of the aligned sources, and the mask that composes them with the reference."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vinet.kernels import warp
from vinet.network.layers import GatedStackConv, blended, linear, plain


class Aggregation(nn.Module):
    """One gated convolution from the stack of aligned sources to one map."""

    def __init__(self, channels: int, sources: int) -> None:
        super().__init__()
        self.stAgg = GatedStackConv(channels, channels, depth=sources)

    def forward(self, aligned: Tensor, batch: int) -> Tensor:
        """(B * S, C, H, W), the sources of one item beside each other -> (B, C, H, W)."""
        sources = len(aligned) // batch
        # Not `reshape`, which would leave channels_last and copy everything twice.
        aggregated: Tensor = self.stAgg(torch.cat([aligned[source::sources] for source in range(sources)], dim=1))
        return aggregated


class MaskEstimator(nn.Module):
    """How much of a pixel comes from the sources, from how far they are from the reference."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(2, channels // 2)
        self.convs = nn.Sequential(plain(channels, hidden), plain(hidden, hidden), linear(hidden, 1))

    def forward(self, reference: Tensor, other: Tensor) -> Tensor:
        """Two (B, C, H, W) -> (B, 1, H, W) in 0..1."""
        return torch.sigmoid(self.convs((reference - other).abs()))


class Composition(NamedTuple):
    """What one scale took from its sources."""

    flow: Tensor  # (B * S, 2, H, W) in pixels of this scale
    aggregated: Tensor  # (B, C, H, W)
    mask: Tensor | None  # (B, 1, H, W), 1 = aggregate; None without feature composition
    composed: Tensor  # (B, C, H, W)


def compose(
    reference: Tensor, sources: Tensor, flow: Tensor, aggregation: Aggregation, estimator: MaskEstimator | None
) -> Composition:
    """Align the sources (B * S, C, H, W), aggregate them, compose with the reference (B, C, H, W): eqs. 3 to 5."""
    aggregated = aggregation(warp(sources, flow), len(reference))
    if estimator is None:
        return Composition(flow, aggregated, None, aggregated)
    mask = estimator(reference, aggregated)
    return Composition(flow, aggregated, mask, blended(reference, aggregated, mask))
