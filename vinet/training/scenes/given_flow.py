"""Flow fed to a network that has no flow heads: the scene's own, or DIS between holed frames as inference has it."""

import numpy as np
import torch
from torch import Tensor

from vinet.dis import HoledGrey, dis_flow, holed_grey
from vinet.training.scenes.scene import Scene


class GivenFlow:
    """Flow from one time of a scene to others, (B, S, 2, H, W)."""

    def __init__(self, scene: Scene, kind: str) -> None:
        self._scene = scene
        self._kind = kind
        self._greys: dict[int, list[HoledGrey]] = {}

    def between(self, start: int, ends: list[int]) -> Tensor:
        """Flow in pixels from the frame at `start` to each at `ends`."""
        if self._kind == "exact":
            return torch.stack([self._scene.motion(start, end).flow for end in ends], dim=1)
        here = self._grey(start)
        flows = [[dis_flow(now, there) for now, there in zip(here, self._grey(end), strict=True)] for end in ends]
        planes = torch.from_numpy(np.stack([np.stack(items) for items in flows], axis=1))  # (B, S, H, W, 2)
        return planes.permute(0, 1, 4, 2, 3).to(self._scene.mask(start))

    def _grey(self, time: int) -> list[HoledGrey]:
        if time not in self._greys:
            levels = ((self._scene.frame(time) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
            holes = self._scene.mask(time)[:, 0].cpu().numpy() > 0.5
            self._greys[time] = [holed_grey(frame, hole) for frame, hole in zip(levels, holes, strict=True)]
        return self._greys[time]
