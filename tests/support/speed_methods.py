"""Methods of known cost, for the tests of `vibench speed`; a test may replace ``pass_time`` by a clock of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from waiting import until

from vibench.clip import Frame, Frames, Holed, Mask

NANOSECONDS = 1000
"""A pixel's share of the time that a frame takes: 12 ms for a frame of 128x96."""
FIRST_SECONDS = 0.06
CHANNELS = 4
HELD_BYTES = 1 << 20

pass_time = time.sleep


def seconds_of(frame: Frame) -> float:
    return NANOSECONDS * frame.shape[0] * frame.shape[1] / 1e9


class Sleeper:
    """Sleeps in proportion to pixels and frames, holds 1 MiB a frame, and counts 2 x 27 x 4 operations a pixel."""

    def __init__(self) -> None:
        self.network = nn.Conv2d(3, CHANNELS, 3, padding=1, bias=False).eval()

    @torch.inference_mode()
    def __call__(self, holed: Holed) -> Frames:
        kept = []
        for frame in holed.frames:
            pass_time(seconds_of(frame))
            self.network(torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float())
            kept.append(np.ones((HELD_BYTES,), np.uint8))
        return holed.frames + np.uint8(len(kept) > 1000)


class Streamer:
    """The same sleep frame by frame, keeping nothing; the first frame takes 60 ms more."""

    def __call__(self, holed: Holed) -> Frames:
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], _: Iterable[Mask]) -> Iterator[Frame]:
        for index, frame in enumerate(frames):
            pass_time(seconds_of(frame) + FIRST_SECONDS * (index == 0))
            yield frame


class Meeting:
    """Every fill waits until ``count`` processes are in their fill of the same number, so none may wait for another."""

    def __init__(self, folder: str, count: int) -> None:
        self.folder, self.count, self.fills = Path(folder), count, 0

    def __call__(self, holed: Holed) -> Frames:
        self.fills += 1
        (self.folder / f"{self.fills}-{os.getpid()}").touch()
        until(lambda: len(list(self.folder.glob(f"{self.fills}-*"))) == self.count)
        return holed.frames


class Broken:
    def __call__(self, holed: Holed) -> Frames:
        raise RuntimeError("it is broken")
