"""`vibench speed` on methods whose cost is known, and on counters that are made up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import UserError
from vibench.plugins import Spec
from vibench.speed.energy import NoCounter, joules_used
from vibench.speed.growth import Shape, growth, shapes_by_length, shapes_by_size
from vibench.speed.measurement import SpeedMeasurement, SpeedPlan, measure_speed
from vibench.speed.text import as_text
from vibench.speed.throughput import throughput

BASE = Shape(128, 96, 8)
NANOSECONDS = 1000
"""A pixel's share of the sleep below: 12 ms for a frame of ``BASE``."""


class Sleeper:
    """Sleeps in proportion to pixels and frames, holds every frame, and counts 2 x 27 x 4 operations a pixel."""

    def __init__(self) -> None:
        self.network = nn.Conv2d(3, 4, 3, padding=1, bias=False).eval()

    @torch.inference_mode()
    def __call__(self, holed: Holed) -> Frames:
        kept = []
        for frame in holed.frames:
            time.sleep(NANOSECONDS * frame.shape[0] * frame.shape[1] / 1e9)
            self.network(torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float())
            kept.append(np.ones((1 << 20,), np.uint8))
        return holed.frames + np.uint8(len(kept) > 1000)


class Streamer:
    """The same sleep frame by frame, keeping nothing; the first frame takes 60 ms more."""

    def __call__(self, holed: Holed) -> Frames:
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], _: Iterable[Mask]) -> Iterator[Frame]:
        for index, frame in enumerate(frames):
            time.sleep(NANOSECONDS * frame.shape[0] * frame.shape[1] / 1e9 + 0.06 * (index == 0))
            yield frame


class Broken:
    def __call__(self, holed: Holed) -> Frames:
        raise RuntimeError("it is broken")


def plan(method: str) -> SpeedPlan:
    return SpeedPlan(Spec.parse(f"{__name__}:{method}"), BASE, seconds=0.2, repeats=1, clips=1)


@pytest.fixture(scope="module")
def sleeper() -> SpeedMeasurement:
    return measure_speed(plan("Sleeper"), lambda _: None)


def test_shapes_grow_by_area_and_by_length() -> None:
    assert shapes_by_size(Shape(432, 240, 16)) == [
        Shape(216, 120, 16), Shape(304, 168, 16), Shape(432, 240, 16), Shape(608, 336, 16)
    ]  # fmt: skip
    assert [shape.frames for shape in shapes_by_length(Shape(432, 240, 6))] == [4, 6, 12, 24]


def test_a_power_law_is_found_and_its_error_is_scipy_s() -> None:
    x = np.array([1.0, 2, 4, 8])
    exact = growth(x, 3 * x**1.5)
    assert exact is not None and exact.exponent == pytest.approx(1.5)
    assert exact.standard_error == pytest.approx(0, abs=1e-9)
    two = growth([1, 2], [5, 5])
    assert two is not None and (two.exponent, two.standard_error) == (0, None)
    assert growth([1, 2], [0, 5]) is None and growth([2, 2], [1, 1]) is None


def test_time_grows_as_it_was_made_to(sleeper: SpeedMeasurement) -> None:
    pixels, frames = sleeper.time_by_pixels(), sleeper.time_by_frames()
    assert pixels is not None and frames is not None
    assert 0.5 < pixels.exponent < 1.3 and 0.6 < frames.exponent < 1.3


def test_memory_a_frame_is_what_it_holds(sleeper: SpeedMeasurement) -> None:
    assert sleeper.bytes_per_frame() == pytest.approx(2**20, rel=0.25)


def test_operations_are_those_counted_by_hand(sleeper: SpeedMeasurement) -> None:
    assert sleeper.flop_per_frame == 2 * 27 * 4 * 128 * 96
    share = sleeper.achieved_share
    assert share is not None
    assert share == pytest.approx(sleeper.flop_per_frame * 8 / sleeper.latency.seconds / sleeper.peak_flop_per_second)


def test_a_stream_s_latency_is_of_frames_and_its_memory_constant() -> None:
    found = measure_speed(plan("Streamer"), lambda _: None)
    assert len(found.frame_seconds) == BASE.frames
    assert found.latency.first_frame_seconds > 0.06 > np.median(found.frame_seconds)
    assert found.flop_per_frame == 0 and found.achieved_share is None
    assert "frame by frame" in as_text(found, 24) and "none that torch counts" in as_text(found, 24)


def test_clips_at_once_are_counted_together() -> None:
    """Sleeping costs no processor, so two clips at once come near twice the frames that one can fill at most."""
    found = throughput(plan("Streamer").spec, BASE, "cpu", 2, 1, 2.0)
    assert found.frames % BASE.frames == 0 and found.seconds >= 2.0
    most_of_one = 1e9 / (NANOSECONDS * BASE.pixels)
    assert most_of_one < found.frames_per_second < 2 * most_of_one


def test_a_method_that_fails_is_named_and_nobody_waits_for_it() -> None:
    with pytest.raises(UserError, match="Broken failed with 2 clips at once: it is broken"):
        throughput(plan("Broken").spec, BASE, "cpu", 2, 1, 1.0)


def test_rapl_counts_over_its_range(tmp_path: Path) -> None:
    package = tmp_path / "intel-rapl:0"
    package.mkdir()
    energy = package / "energy_uj"
    (package / "max_energy_range_uj").write_text("1000000")
    energy.write_text("900000")
    assert joules_used("cpu", lambda: energy.write_text("950000"), tmp_path) == pytest.approx(0.05)
    assert joules_used("cpu", lambda: energy.write_text("50000"), tmp_path) == pytest.approx(0.1)


def test_a_machine_without_a_counter_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoCounter, match="no RAPL counter"):
        joules_used("cpu", lambda: None, tmp_path)


def test_the_command_prints_and_keeps_its_figures(vibench, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    status, printed, errors = vibench(
        "speed", "last_seen", "--size", "64x48", "--frames", "8", "--seconds", "0.2", "--clips", "1", "--energy",
        "--fps", "12", "--output", str(tmp_path),
    )  # fmt: skip
    assert status == 0, errors
    figures = json.loads((tmp_path / "last_seen.json").read_text())
    assert figures["throughput"]["clips"] == 1 and len(figures["by_size"]) == 4
    rate = 8 / figures["by_length"][1]["timing"]["seconds"]
    assert f"{rate / 12:.3g} times the speed of a video of 12 frames/s" in printed
    assert (tmp_path / "last_seen.svg").read_text().count("<svg") == 1
