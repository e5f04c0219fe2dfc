"""Methods of known speed, memory and quality: what the tests and studies of `vibench regress` compare."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import numpy as np

from vibench.clip import Frame, Frames, Holed, Mask


def burn(rounds: int) -> int:
    """Keep one core busy; time is proportional to ``rounds``."""
    total = 0
    for number in range(rounds):
        total += number * number
    return total


class Busy:
    """Fills with grey and burns ``slow_down`` times ``rounds`` of work per frame; the rest takes little time."""

    def __init__(self, rounds: int = 30_000, slow_down: float = 1.0, leak_bytes: int = 0, broken_column: bool = False):
        self.rounds = round(rounds * slow_down)
        self.leak_bytes, self.broken_column = leak_bytes, broken_column
        self.leaked: list[np.ndarray] = []

    def __call__(self, holed: Holed) -> Frames:
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        for frame, mask in zip(frames, masks, strict=True):
            burn(self.rounds)
            filled = frame.copy()
            filled[mask] = 128
            if self.broken_column:
                filled[:, frame.shape[1] // 2] = 0
            if self.leak_bytes:
                self.leaked.append(np.ones(self.leak_bytes, np.uint8))
            yield filled


class Sleepy(Busy):
    """Waits instead of working: only wall time sees it."""

    def __init__(self, seconds: float = 0.003, slow_down: float = 1.0) -> None:
        super().__init__(rounds=100)
        self.seconds = seconds * slow_down

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        for filled in super().stream(frames, masks):
            time.sleep(self.seconds)
            yield filled
