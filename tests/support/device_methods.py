"""Methods of known work and memory on any device: what the tests of a device and its report measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from vibench.clip import Frame, Frames, Holed, Mask

SIDE = 512


class Streaming:
    """Fills with grey, frame by frame, after some work."""

    def __call__(self, holed: Holed) -> Frames:
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        for frame, mask in zip(frames, masks, strict=True):
            self.work()
            filled = frame.copy()
            filled[mask] = 128
            yield filled

    def work(self) -> None:
        raise NotImplementedError


class Multiplying(Streaming):
    """Multiplies matrices on the device, ``slow_down`` times ``rounds`` a frame, and may keep memory of it."""

    def __init__(self, device: str = "cpu", rounds: int = 20, slow_down: float = 1.0, leak_bytes: int = 0) -> None:
        self.matrix = torch.eye(SIDE, device=device)
        self.rounds, self.leak_bytes = round(rounds * slow_down), leak_bytes
        self.leaked: list[torch.Tensor] = []

    def work(self) -> None:
        for _ in range(self.rounds):
            self.matrix = self.matrix @ self.matrix
        if self.leak_bytes:
            self.leaked.append(torch.ones(self.leak_bytes, dtype=torch.uint8, device=self.matrix.device))


class Taking(Streaming):
    """Takes ``size_bytes`` of the device's memory for the time of a frame, and writes on all of it."""

    def __init__(self, device: str = "cpu", size_bytes: int = 64 << 20) -> None:
        self.device, self.size_bytes = device, size_bytes

    def work(self) -> None:
        torch.ones(self.size_bytes, dtype=torch.uint8, device=self.device)
