"""The report of a device: a row for everything, be it that there was no time for it, and a page of all reports."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vibench import plugins

MAKE = Path(__file__).parents[2] / "docs" / "make"
pytestmark = pytest.mark.skipif(not MAKE.is_dir(), reason="needs a checkout, not a wheel")


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(MAKE)
    import device

    return device


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(MAKE)
    import devices

    return devices


def no_time() -> float:
    return 0.0


def test_it_takes_under_nine_minutes_and_measures_every_method_at_four_sizes(device: ModuleType) -> None:
    plan = device.Plan("cpu")
    assert plan.minutes < 9 and len(plan.sizes) == 4
    named = {method.partition("[")[0] for method in plan.all_methods}
    assert {*plugins.names("methods")} - named == {"from_disk", "identity"}
    ways = [method for method in plan.all_methods if "bfloat16" in method and "cuda_graphs" in method]
    assert len(ways) == 3  # published, compact on DIS flow, compact on its own


@pytest.mark.parametrize("part", ["speeds", "metrics", "alarms", "at_once"])
def test_when_the_time_is_over_every_row_says_so(device: ModuleType, part: str) -> None:
    rows = list(getattr(device, part)(device.Plan("cuda"), no_time))
    assert rows and all(row["failure"] == device.NO_TIME for row in rows)
    if part == "speeds":
        plan = device.Plan("cuda")
        assert len(rows) == len(plan.all_methods) * len(plan.sizes)


def test_a_method_that_cannot_be_made_or_fails_is_a_row(device: ModuleType) -> None:
    methods = ("vinet[cuda_graphs=true]", "device_methods:Taking[size_bytes=1125899906842624]", "telea")
    plan = device.Plan("cpu", sizes=((16, 16),), frames=2, methods=methods)
    graphs, taking, telea = device.speeds(plan, lambda: 600.0)
    assert "need CUDA" in graphs["failure"]
    assert "memory" in taking["failure"]
    assert telea["frames_per_second"] > 0 and "failure" not in telea


def test_a_metric_is_measured_here_and_on_the_cpu(device: ModuleType) -> None:
    plan = device.Plan("cpu", sizes=((64, 48),), frames=3, metrics=("psnr", "vfid"))
    psnr, vfid = device.metrics(plan, lambda: 600.0)
    assert psnr["largest_difference"] == 0 and psnr["seconds_here"] > 0
    assert ("failure" in vfid) != ("largest_difference" in vfid)


def report(**changes: Any) -> dict[str, Any]:
    fast = {
        "method": "telea", "size": "256x256", "streams": True, "frames_per_second": 123.4, "seconds_p50": 0.008,
        "seconds_p90": 0.009, "seconds_p99": 0.0095, "first_frame_seconds": 0.01, "warm_up_seconds": 1.0,
        "peak_bytes": 3 << 20, "disturbed": False,
    }  # fmt: skip
    return {
        "device": "NVIDIA Test", "kind": "cuda", "date": "2026-01-02T03:04:05+00:00", "commit": "0123456789abcdef",
        "machine": {"processor": "a processor", "cores": 16}, "packages": {"torch": "2.0"}, "load_average": 0.5,
        "seconds": 500, "tests": {"run": 15, "skipped": 1, "failed": []},
        "speeds": [fast, fast | {"size": "64x64", "disturbed": True}, {"method": "vinet", "size": "256x256",
                   "failure": "RuntimeError: CUDA out of memory. Tried"}, {"method": "vinet", "size": "64x64",
                   "failure": "no time"}],
        "metrics": [{"metric": "psnr", "size": "64x64", "seconds_here": 0.001, "seconds_cpu": 0.002,
                     "largest_difference": 1e-6}],
        "alarms": [{"injected": "nothing", "seed": 0, "seconds": 7.0, "verdicts": {}, "false_alarm": True,
                    "missed": False, "unclear": False}, {"injected": "nothing", "seed": 1, "failure": "no time"}],
        "throughput": [{"method": "telea", "size": "64x64", "clips": 2, "frames_per_second": 200.0}],
    } | changes  # fmt: skip


def written(folder: Path, found: dict[str, Any]) -> Path:
    (folder / "nvidia-test.json").write_text(json.dumps(found))
    return folder


def test_the_page_shows_every_figure_and_every_reason(devices: ModuleType, tmp_path: Path) -> None:
    page = devices.page(written(tmp_path, report()))
    for text in (
        "## NVIDIA Test", "commit `012345678`", "| `telea` | 123 (9.5) | 123 (9.5) * |", "| `telea` | 3 | 3 |",
        "| `vinet` | out of memory | no time |", "| `vinet` | – | – |", "| `telea` | 64x64 | 200 |",
        "| `psnr` | 64x64 | 1 | 2 | 1.0e-06 |", "| nothing | 1 | 1 | 0 | 0 | 7 |", "none failed",
    ):  # fmt: skip
        assert text in page.replace("\n", " ") or text in page, text
    assert max(map(len, (line for line in page.splitlines() if not line.startswith("|")))) <= 120


def test_failed_tests_are_named_and_no_device_is_a_page_too(devices: ModuleType, tmp_path: Path) -> None:
    assert "No device has been measured yet" in devices.page(tmp_path)
    tests = {"run": 2, "skipped": 0, "failed": ["test_golden"]}
    assert "failed: test_golden" in devices.page(written(tmp_path, report(tests=tests))).replace("\n", " ")
    assert "did not end: no time" in devices.page(written(tmp_path, report(tests={"failure": "no time"})))


@pytest.mark.slow
def test_a_toy_report_measures_everything_on_this_cpu(device: ModuleType, devices: ModuleType, tmp_path: Path) -> None:
    found = device.measured(device.replace(device.Plan("cpu"), **device.TOY))
    assert found["tests"]["failed"] == []
    done = [row for part in ("speeds", "metrics", "throughput", "alarms") for row in found[part]]
    assert {row["method"] for row in done if "method" in row and "failure" in row} == {"vinet[cuda_graphs=true]"}
    assert f"## {found['device']}" in devices.page(written(tmp_path, found))
