"""What `vibench speed` says in seconds of methods that sleep: true on a machine that has time for them."""

from __future__ import annotations

from typing import Any

from speed_methods import NANOSECONDS

from vibench.plugins import Spec
from vibench.speed.growth import Shape
from vibench.speed.measure import carry_out
from vibench.speed.measurement import SpeedPlan
from vibench.speed.throughput import throughput

BASE = Shape(128, 96, 8)


def test_time_grows_with_pixels_and_frames(benchmark: Any) -> None:
    plan = SpeedPlan(Spec("speed_methods:Sleeper"), BASE, seconds=0.2, repeats=1, clips=1)
    found = benchmark.pedantic(carry_out, (plan, lambda name, steps: None))
    pixels, frames = found.time_by_pixels(), found.time_by_frames()
    assert pixels is not None and frames is not None
    assert 0.5 < pixels.exponent < 1.3 and 0.6 < frames.exponent < 1.3


def test_two_clips_at_once_come_near_twice_the_frames_of_one(benchmark: Any) -> None:
    """Sleeping costs no processor, so two clips at once come near twice the frames that one can fill at most."""
    found = benchmark.pedantic(throughput, (Spec("speed_methods:Streamer"), BASE, "cpu", 2, 1, 2.0))
    assert found.frames % BASE.frames == 0 and found.seconds >= 2.0
    most_of_one = 1e9 / (NANOSECONDS * BASE.pixels)
    assert most_of_one < found.frames_per_second < 2 * most_of_one
