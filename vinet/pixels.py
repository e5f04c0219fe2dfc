"""Composition at 1/1 of the neighbours' own pixels with the decoded image, a departure of the compact network."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vinet.flow import beside_each, per_item, warp
from vinet.layers import linear, plain

HIDDEN = 16
LEAST_VISIBLE = 1e-3
"""Share of a pixel that is taken to be visible at the least, so that colours and logarithms stay finite."""


class Neighbours(NamedTuple):
    """Holed neighbour images, and where their holes are."""

    images: Tensor  # (B, N, 3, H, W) in [-1, 1], holes at 0
    masks: Tensor  # (B, N, 1, H, W), 1 = hole


class PixelComposition(nn.Module):
    """Weights each warped neighbour by visibility and by a learned score, then blends the colour by a learned mask."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(plain(8, HIDDEN), linear(HIDDEN, 1))
        self.blend = nn.Sequential(plain(8, HIDDEN), plain(HIDDEN, HIDDEN, dilation=2), linear(HIDDEN, 1))

    def forward(self, decoded: Tensor, mask: Tensor, neighbours: Neighbours, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Decoded image (B, 3, H, W), its mask (B, 1, H, W), flow (B * N, 2, H, W) -> image and blending mask."""
        batch, count = neighbours.images.shape[:2]
        holed = torch.cat([neighbours.images, 1 - neighbours.masks], dim=2).flatten(0, 1)
        warped = warp(holed, flow)  # (B * N, 4, H, W); holes and the outside add neither colour nor visibility
        visible = warped[:, 3:].clamp(min=LEAST_VISIBLE)
        colour = warped[:, :3] / visible

        drawn, hole = beside_each(decoded, count), beside_each(mask, count)
        score = self.score(torch.cat([colour, visible, (colour - drawn).abs(), hole], dim=1))
        weight = torch.softmax(per_item(score + visible.log(), batch), dim=1)  # (B, N, 1, H, W)

        best = (weight * per_item(colour, batch)).sum(dim=1)
        seen = (weight * per_item(visible, batch)).sum(dim=1)
        blend = torch.sigmoid(self.blend(torch.cat([best, seen, (best - decoded).abs(), mask], dim=1)))
        blend = blend * seen  # never more of a colour than was seen of it
        return torch.lerp(decoded, best, blend), blend
