"""What is measured of one method's speed, and what was found: latency, throughput, operations, energy, growth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vibench.machine.timing import Timing
from vibench.plugins import Spec
from vibench.speed.growth import Growth, Point, Shape, growth, shapes_by_length, shapes_by_size
from vibench.speed.throughput import Throughput

MATRIX = 2048
"""Rows of the matrices whose product tells how many operations a second the machine reaches at most."""


@dataclass(frozen=True)
class SpeedPlan:
    """What is measured.

    ``base`` is the clip of latency, throughput, operations and energy. Throughput is that of ``clips`` clips at once.
    Each clip is filled ``repeats`` times. Throughput and energy are measured for ``seconds`` each, energy only where
    ``energy`` asks for it.
    """

    spec: Spec
    base: Shape
    device: str = "cpu"
    threads: int = 1
    clips: int = 2
    repeats: int = 3
    seconds: float = 5.0
    energy: bool = False

    @property
    def steps(self) -> int:
        """The number of steps that the listener of ``measure_speed`` is told of."""
        return len(shapes_by_size(self.base)) + len(shapes_by_length(self.base)) + 3


@dataclass(frozen=True)
class SpeedMeasurement:
    """Everything that was measured of one method."""

    plan: SpeedPlan
    by_size: tuple[Point, ...]
    by_length: tuple[Point, ...]
    throughput: Throughput
    flop_per_frame: float
    """Operations for one frame; 0 where the method uses no torch network, or one that torch cannot count."""
    peak_flop_per_second: float
    """Operations a second of a product of float32 matrices of ``MATRIX`` rows, on the same device and threads."""
    joules_per_frame: float | None
    no_energy: str
    """The reason why energy was not measured; empty where it was."""
    machine: dict[str, Any]
    packages: dict[str, str]

    @property
    def latency(self) -> Timing:
        """The time of one clip of the base shape, which a method that streams gets frame by frame."""
        return next(point.timing for point in self.by_length if point.shape == self.plan.base)

    @property
    def frame_seconds(self) -> Sequence[float]:
        """The seconds of every frame of the base clip; where the method does not stream, their mean alone."""
        return self.latency.frame_seconds or (self.latency.seconds / self.latency.frames,)

    @property
    def achieved_share(self) -> float | None:
        """The operations a second as a share of the machine's peak; None where no operations were counted."""
        if not self.flop_per_frame:
            return None
        return self.flop_per_frame * self.latency.frames_per_second / self.peak_flop_per_second

    def time_by_pixels(self) -> Growth | None:
        """How seconds grow with pixels."""
        return growth([p.shape.pixels for p in self.by_size], [p.timing.seconds for p in self.by_size])

    def time_by_frames(self) -> Growth | None:
        """How seconds grow with frames."""
        return growth([p.shape.frames for p in self.by_length], [p.timing.seconds for p in self.by_length])

    def bytes_per_frame(self) -> float:
        """Return how much peak memory grows with a further frame: 0 for a method that streams in constant memory."""
        frames = [point.shape.frames for point in self.by_length]
        return (
            float(np.polyfit(frames, [memory_of(point) for point in self.by_length], 1)[0]) if len(frames) > 1 else 0.0
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, in the types that JSON has."""
        found = asdict(self)
        for curve in ("by_size", "by_length"):
            found[curve] = [
                {"shape": asdict(p.shape), "timing": p.timing.model_dump(mode="json")} for p in getattr(self, curve)
            ]
        found["plan"]["spec"] = self.plan.spec.label
        return found


def memory_of(point: Point) -> int:
    """Return the peak growth of the device's memory in bytes, or of the host's where the method runs there."""
    device = point.timing.peak_device_bytes
    return point.timing.peak_host_bytes if device is None else device
