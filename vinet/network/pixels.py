"""Composition at 1/1 of pixels that were seen elsewhere with the decoded image, a departure of the compact network."""

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from vinet.kernels import beside_each, warp
from vinet.network.flow import per_item
from vinet.network.layers import blended, linear, mask_layers, plain

HIDDEN = 16
LEAST_VISIBLE = 0.05
"""A warped pixel of which less than this share was known is taken for unknown."""
OPEN = 2.0
"""First bias of the blending mask: training begins from copied pixels, not from the decoder's."""


class Neighbours(NamedTuple):
    """Holed neighbour images, and where their holes are."""

    images: Tensor  # (B, N, 3, H, W) in [-1, 1], holes at 0
    masks: Tensor  # (B, N, 1, H, W), 1 = hole


class PixelSources(NamedTuple):
    """Images that pixels can be taken from: the neighbours and, where there is one, the previous output."""

    images: Tensor  # (B, S, 3, H, W) in [-1, 1], 0 where nothing is known
    known: Tensor  # (B, S, 1, H, W), 1 where the image holds a colour
    real: Tensor  # (B, S, 1, H, W), 1 where that colour is the input's own and not an earlier fill

    @classmethod
    def of(cls, neighbours: Neighbours) -> Self:
        """The neighbours, known and real outside their holes."""
        known = 1 - neighbours.masks
        return cls(neighbours.images, known, known)

    def with_output(self, output: Tensor, mask: Tensor, known: Tensor | None = None) -> Self:
        """The same and the previous output (B, 3, H, W), real outside its mask (B, 1, H, W).

        It is known where `known` (B, 1, H, W) is 1, or everywhere.
        """
        known = torch.ones_like(mask) if known is None else known
        return self._replace(
            images=torch.cat([self.images, output[:, None]], dim=1),
            known=torch.cat([self.known, known[:, None]], dim=1),
            real=torch.cat([self.real, 1 - mask[:, None]], dim=1),
        )


class PixelComposition(nn.Module):
    """Weights each warped source by a learned score where it is known, then blends the colour by a learned mask."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(plain(9, HIDDEN), plain(HIDDEN, HIDDEN, dilation=2), linear(HIDDEN, 1))
        self.blend = mask_layers(9, HIDDEN, OPEN)

    def forward(self, decoded: Tensor, mask: Tensor, sources: PixelSources, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Decoded image (B, 3, H, W), its mask (B, 1, H, W), flow (B * S, 2, H, W) -> image and blending mask."""
        batch, count = sources.images.shape[:2]
        planes = torch.cat([sources.images * sources.known, sources.known, sources.real * sources.known], dim=2)
        warped = warp(planes.flatten(0, 1), flow)  # (B * S, 5, H, W); the outside adds neither colour nor knowledge
        known, real = warped[:, 3:4], warped[:, 4:5]
        colour = warped[:, :3] / known.clamp(min=1e-3)

        drawn, hole = beside_each(decoded, count), beside_each(mask, count)
        score = self.score(torch.cat([colour, known, real, (colour - drawn).abs(), hole], dim=1))
        score = score - 1e4 * (known < LEAST_VISIBLE)
        weight = torch.softmax(per_item(score, batch), dim=1)  # (B, S, 1, H, W)

        best = (weight * per_item(colour, batch)).sum(dim=1)
        seen = (weight * per_item(known, batch)).sum(dim=1)
        true = (weight * per_item(real, batch)).sum(dim=1)
        blend = torch.sigmoid(self.blend(torch.cat([best, seen, true, (best - decoded).abs(), mask], dim=1)))
        blend = blend * (seen >= LEAST_VISIBLE)
        return blended(decoded, best, blend), blend
