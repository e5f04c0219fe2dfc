"""What a training step sees: frames with holes at times 0, 1, ..., and the flow between any two of them."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

REACH = 6
"""Frames from the reference to the farthest source of a flow stage, as the published neighbours', and to the farthest
frame of the long-term warping loss: the paper's clips are four frames long, and over many more hardly a pixel stays in
view."""


class Motion(NamedTuple):
    """Flow of one frame to another, and which pixels the other frame shows too."""

    flow: Tensor  # (B, 2, H, W) in pixels
    visible: Tensor  # (B, 1, H, W), 1 = seen in both


class Scene(Protocol):
    """A batch of B clips; everything is computed when it is asked for, and the same each time."""

    def frame(self, time: int) -> Tensor:
        """True colours, (B, 3, H, W) in [-1, 1], RGB."""

    def mask(self, time: int) -> Tensor:
        """Holes, (B, 1, H, W), 1 = hole."""

    def motion(self, start: int, end: int) -> Motion:
        """Flow from the frame at `start` to that at `end`."""


@dataclass(frozen=True)
class Shown:
    """A scene whose first frames have no hole; see `Scene`."""

    scene: Scene
    frames: int

    def frame(self, time: int) -> Tensor:
        """See `Scene`."""
        return self.scene.frame(time)

    def mask(self, time: int) -> Tensor:
        """See `Scene`."""
        mask = self.scene.mask(time)
        return torch.zeros_like(mask) if time < self.frames else mask

    def motion(self, start: int, end: int) -> Motion:
        """See `Scene`."""
        return self.scene.motion(start, end)
