"""`vibench speed` on methods whose cost is known, and on counters that are made up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import speed_methods
from speed_methods import CHANNELS, FIRST_SECONDS, HELD_BYTES, NANOSECONDS

from vibench.errors import UserError
from vibench.plugins import Spec
from vibench.speed import measure
from vibench.speed.energy import NoCounter, joules_used
from vibench.speed.growth import Shape, growth, shapes_by_length, shapes_by_size
from vibench.speed.measure import carry_out
from vibench.speed.measurement import SpeedMeasurement, SpeedPlan
from vibench.speed.text import speed_text
from vibench.speed.throughput import throughput

BASE = Shape(128, 96, 8)


@pytest.fixture(autouse=True, scope="module")
def small_product() -> Iterator[None]:
    """The machine's peak from a product that takes no second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "MATRIX", 256)
        yield


@contextmanager
def made_up_clock() -> Iterator[None]:
    """A clock that moves when a method of ``speed_methods`` sleeps, and then only: no machine is too busy for it."""
    now = 0.0

    def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed_methods, "pass_time", pass_time)
        patch.setattr("vibench.machine.call.perf_counter", lambda: now)
        yield


def plan(method: str) -> SpeedPlan:
    return SpeedPlan(Spec(f"speed_methods:{method}"), BASE, seconds=0.2, repeats=1, clips=1)


@pytest.fixture(scope="module")
def sleeper() -> SpeedMeasurement:
    with made_up_clock():
        return carry_out(plan("Sleeper"), lambda name, steps: None, in_process=True)


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
    assert (pixels.exponent, frames.exponent) == (pytest.approx(1), pytest.approx(1))
    assert sleeper.latency.seconds == pytest.approx(NANOSECONDS * BASE.pixels * BASE.frames / 1e9)


def test_memory_a_frame_is_what_it_holds(sleeper: SpeedMeasurement) -> None:
    assert sleeper.bytes_per_frame() == pytest.approx(HELD_BYTES, rel=0.25)


def test_operations_are_those_counted_by_hand(sleeper: SpeedMeasurement) -> None:
    assert sleeper.flop_per_frame == 2 * 27 * CHANNELS * 128 * 96
    share = sleeper.achieved_share
    assert share is not None
    assert share == pytest.approx(sleeper.flop_per_frame * 8 / sleeper.latency.seconds / sleeper.peak_flop_per_second)


def test_a_stream_s_latency_is_of_frames_and_its_memory_constant() -> None:
    with made_up_clock():
        found = carry_out(plan("Streamer"), lambda name, steps: None, in_process=True)
    assert len(found.frame_seconds) == BASE.frames
    frame_seconds = NANOSECONDS * BASE.pixels / 1e9
    assert found.latency.first_frame_seconds == pytest.approx(FIRST_SECONDS + frame_seconds)
    assert np.median(found.frame_seconds) == pytest.approx(frame_seconds)
    assert found.flop_per_frame == 0 and found.achieved_share is None
    assert "frame by frame" in speed_text(found, 24) and "none that torch counts" in speed_text(found, 24)


def test_clips_at_once_are_filled_at_the_same_time_and_counted_together(tmp_path: Path) -> None:
    """Each fill waits for the other process's; what two processes reach in seconds is a benchmark of its own."""
    spec = Spec("speed_methods:Meeting", {"folder": str(tmp_path), "count": 2})
    found = throughput(spec, BASE, "cpu", 2, 1, seconds=0.0)
    assert (found.clips, found.frames) == (2, 2 * BASE.frames)
    assert found.frames_per_second == found.frames / found.seconds


def test_a_method_that_fails_is_named_and_nobody_waits_for_it() -> None:
    with pytest.raises(UserError, match="the method failed: with 2 clips at once: RuntimeError: it is broken"):
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
