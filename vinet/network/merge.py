"""A merge of several fills of one frame: every source is scored by one small network, pixel by pixel."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = 12
HIDDEN = 24
LONG = 64.0
"""Frames after which an age is as good as endless."""
DEEP_PX = 32.0
"""Pixels from a hole's edge after which a place is as good as anywhere inside."""
AROUND_PX = 7
"""Side of the square over which colours are compared, so that neighbours are scored alike."""


class Fills(NamedTuple):
    """Sources of B frames: S colours for every pixel, and what is known of each. A time is in frames."""

    colours: Tensor  # (B, S, 3, H, W) in [-1, 1]
    known: Tensor  # (B, S, 1, H, W), 1 where the source has a colour
    age: Tensor  # (B, S, 1, H, W), since the pixel was last seen on the source's way; `LONG` where it never was
    copied: Tensor  # (B, S, 1, H, W), the share of other frames' pixels in the colour
    start: Tensor  # (B, S, 1, 1, 1), since the end of the clip that the source's way began at
    propagated: Tensor  # (S, 1, 1, 1), 1 for pixels followed along flow, 0 for a pass of the network
    depth: Tensor  # (B, 1, H, W), pixels from the hole's edge; 0 outside


class Merge(nn.Module):
    """Scores any number of sources and blends them by the softmax of their scores; a departure from the paper."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Conv2d(CHANNELS, HIDDEN, 1), nn.LeakyReLU(0.1), nn.Conv2d(HIDDEN, HIDDEN, 1), nn.LeakyReLU(0.1),
            nn.Conv2d(HIDDEN, 1, 1),
        )  # fmt: skip

    def forward(self, fills: Fills) -> tuple[Tensor, Tensor]:
        """Sources of B frames -> colours (B, 3, H, W) and each source's weight (B, S, 1, H, W)."""
        weight = self.weigh(seen_of(fills), fills.known)
        return (weight * fills.colours).sum(dim=1), weight

    def weigh(self, seen: Tensor, known: Tensor) -> Tensor:
        """What `seen_of` gives (B, S, CHANNELS, H, W), and which sources have a colour -> their weights."""
        score: Tensor = self.score(seen.flatten(0, 1)).reshape(known.shape)
        return torch.softmax(score - 1e4 * (1 - known), dim=1)


def seen_of(fills: Fills) -> Tensor:
    """What a source is scored by, (B, S, CHANNELS, H, W): its own past, and how far the others agree with it."""
    apart = fills.colours[:, :, None] - fills.colours[:, None]
    distance = apart.abs().mean(dim=3, keepdim=True)  # (B, S, S, 1, H, W)
    itself = torch.eye(fills.known.shape[1]).to(distance)[:, :, None, None, None]
    others = fills.known[:, None] * (1 - itself)
    mean = (distance * others).sum(dim=2) / others.sum(dim=2).clamp(min=1)
    nearest = torch.where(others > 0, distance, 2.0).amin(dim=2)
    youngest = torch.where(others > 0, fills.age[:, None], LONG).amin(dim=2)
    planes = [
        fills.known,
        _time(fills.age),
        _time(youngest),
        _time(fills.start),
        fills.copied,
        fills.propagated[None],
        mean,
        nearest,
        _around(mean),
        _around(nearest),
        _around(_contrast(fills.colours)),
        (fills.depth[:, None] / DEEP_PX).clamp(max=1),
    ]
    return torch.cat([plane.expand_as(fills.known) for plane in planes], dim=2)


def _time(frames: Tensor) -> Tensor:
    """Frames as 0 to 1: the difference between one and two counts as much as that between twenty and forty."""
    return (1 + frames.clamp(max=LONG)).log() / math.log(1 + LONG)


def _around(planes: Tensor) -> Tensor:
    """The mean of (B, S, 1, H, W) over `AROUND_PX` squared, of what lies inside the frame."""
    mean = functional.avg_pool2d(planes.flatten(0, 1), AROUND_PX, 1, AROUND_PX // 2, count_include_pad=False)
    return mean.reshape(planes.shape)


def _contrast(colours: Tensor) -> Tensor:
    """How far a pixel of (B, S, 3, H, W) is from the pixels left and above, (B, S, 1, H, W)."""
    down = functional.pad((colours[..., 1:, :] - colours[..., :-1, :]).abs(), (0, 0, 1, 0))
    across = functional.pad((colours[..., 1:] - colours[..., :-1]).abs(), (1, 0))
    return (down + across).mean(dim=2, keepdim=True)
