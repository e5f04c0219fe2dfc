"""Clips, cases and what a method may see of them: the three shapes of data that cross every seam."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""(H, W, 3) RGB, 0..255."""

Mask = NDArray[np.bool_]
"""(H, W), True = hole."""

Frames = NDArray[np.uint8]
"""(T, H, W, 3) RGB, 0..255."""

Masks = NDArray[np.bool_]
"""(T, H, W), True = hole."""

Flows = NDArray[np.float32]
"""(T - 1, H, W, 2): (u, v) in pixels, from each frame to its neighbour."""


@dataclass(frozen=True)
class ExactFlow:
    """Known motion of a synthetic clip.

    ``forward[t]`` maps pixels of frame t to frame t + 1, ``backward[t]`` pixels of frame t + 1 to frame t;
    ``visible[t]`` (T - 1, H, W) is True where the pixel of frame t is also seen in frame t + 1. At least one of the last
    two is known: some data sets give flow forward only, and the occlusions.
    """

    forward: Flows
    backward: Flows | None
    visible: Masks | None = None

    def __post_init__(self) -> None:
        if self.backward is None and self.visible is None:
            raise ValueError("exact flow needs the backward flow or the visible pixels")


@dataclass(frozen=True)
class Clip:
    """A short video and what is known about it.

    ``objects`` are silhouettes of moving objects (True = object); ``background`` is what is really behind
    them; ``flow`` is the exact motion of ``frames`` and ``background_flow`` that of ``background``. All three
    are None where nobody knows.
    """

    name: str
    frames: Frames
    frames_per_second: float = 24.0
    objects: Masks | None = None
    flow: ExactFlow | None = None
    background: Frames | None = None
    background_flow: ExactFlow | None = None

    def __post_init__(self) -> None:
        check_frames(self.frames)
        if self.objects is not None:
            check_masks(self.objects, self.frames)


@dataclass(frozen=True)
class Holed:
    """All that a method sees of a case: frames whose holes are already cut to 0, and where the holes are."""

    name: str
    frames: Frames
    masks: Masks


@dataclass(frozen=True)
class Case:
    """One unit of work: frames with holes to fill, and the truth behind them where it is known.

    ``frames`` are the input outside the holes; ``truth`` is what a perfect method returns (None for object
    removal on real video); ``flow`` is the exact motion of the truth, where known; ``attributes`` describe the
    case for slicing (hole size, motion, ...).
    """

    name: str
    frames: Frames
    holes: Masks
    truth: Frames | None
    flow: ExactFlow | None = None
    frames_per_second: float = 24.0
    attributes: Mapping[str, str | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_frames(self.frames)
        check_masks(self.holes, self.frames)
        if self.truth is not None and self.truth.shape != self.frames.shape:
            raise ValueError(f"truth has shape {self.truth.shape}, frames have {self.frames.shape}")

    def holed(self) -> Holed:
        """What the method gets: a copy without the answer, pixels in holes set to 0."""
        frames = self.frames.copy()
        frames[self.holes] = 0
        return Holed(self.name, frames, self.holes.copy())

    @cached_property
    def truth_digest(self) -> str:
        """Content key of the truth, for caches of what is computed from it."""
        return digest(self.truth if self.truth is not None else self.frames)


def check_frames(frames: Frames) -> None:
    """Raise ValueError unless ``frames`` are uint8 (T, H, W, 3) with at least one frame."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise ValueError(f"frames must be uint8 (T, H, W, 3) with T >= 1, not {frames.dtype} {frames.shape}")


def check_masks(masks: Masks, frames: Frames) -> None:
    """Raise ValueError unless ``masks`` are bool (T, H, W) of the same clip as ``frames``."""
    if masks.dtype != np.bool_ or masks.shape != frames.shape[:3]:
        raise ValueError(f"masks must be bool {frames.shape[:3]}, not {masks.dtype} {masks.shape}")


def digest(array: NDArray[np.generic]) -> str:
    """Sha256 of shape, dtype and bytes of ``array``."""
    header = f"{array.dtype.str}{array.shape}".encode()
    found = hashlib.sha256(header)
    # The memory itself, not a copy of it: clips are large.
    found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
