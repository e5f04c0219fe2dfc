"""Whatever runs on a CPU runs on this device, gives what the CPU gives, and is measured truly.

``make gpu`` runs these tests on CUDA; everywhere else they run on the CPU, so that they work the first time.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_vinet import GOLDEN, calm_weights, golden_clip, golden_weights
from training_run import tiny_recipe

from vibench.clip import Frames
from vibench.data.probe import Probe
from vibench.machine.host import hosted
from vibench.machine.timing import timing_of
from vibench.metrics.measure import measure
from vibench.plugins import Spec, make
from vibench.protocol import Scoring
from vibench.runner.fill import Rules, fill_case
from vinet import weights
from vinet.config import VINetConfig
from vinet.inference import Inpainter, Settings
from vinet.network.vinet import Previous
from vinet.training.recipe import read
from vinet.training.trainer import train

CASE = Probe.make(96, 64, 10).cases[0]
RULES = Rules(Scoring(metrics=("psnr",)))
MEBIBYTE = 1 << 20
SOUGHT = 1 << 50
"""Bytes that no device has."""


def filled(method: str, device: str) -> Frames:
    made = make("methods", Spec.parse(method), device=device)
    return np.asarray(made(CASE.holed()))


def apart(one: Frames, other: Frames) -> float:
    """Mean difference in the holes, in grey levels."""
    return float(np.abs(one.astype(int) - other)[CASE.holes].mean())


@pytest.mark.parametrize(("case", "size_px", "double"), [("single_nomem", 64, False), ("double_nomem", 128, True)])
@torch.inference_mode()
def test_the_published_network_gives_its_golden_output(
    case: str, size_px: int, double: bool, device: str, full_precision: None
) -> None:
    network = weights.build(VINetConfig.published(double=double), golden_weights(), "golden").to(device).eval()
    clip, masks = (part.to(device) for part in golden_clip(15, size_px))
    holed, around = clip * (1 - masks), [0, 3, 9, 12]
    step = network.step(holed[[6]], masks[[6]], holed[around][None], masks[around][None])
    expected = np.load(GOLDEN / f"vinet_{case}.npz")["outputs"][0]
    np.testing.assert_allclose(step.output[0].cpu().numpy(), expected, rtol=0, atol=1e-3)


@torch.inference_mode()
def test_a_recurrent_step_equals_that_of_the_cpu(device: str, full_precision: None) -> None:
    network = weights.build(VINetConfig.published(), calm_weights(), "calm weights").eval()
    clip, masks = golden_clip(15, 64)
    holed, around = clip * (1 - masks), [0, 3, 9, 12]
    arguments = holed[[6]], masks[[6]], holed[around][None], masks[around][None]
    expected = network.step(*arguments, Previous(holed[[5]], masks[[5]])).output
    there = copy.deepcopy(network).to(device)
    previous = Previous(holed[[5]].to(device), masks[[5]].to(device))
    found = there.step(*(part.to(device) for part in arguments), previous).output
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", ["vinet", "vinet[flow=learned]", "vinet[halvings=1]", "frame_baseline"])
def test_a_method_fills_as_on_the_cpu(method: str, device: str, full_precision: None) -> None:
    assert apart(filled(method, device), filled(method, "cpu")) < 1


def test_half_precision_is_near_single(device: str) -> None:
    assert apart(filled("vinet[precision=bfloat16]", device), filled("vinet", device)) < 4


def test_a_compiled_network_fills_as_one_that_is_not(device: str, full_precision: None) -> None:
    network = weights.random_network(VINetConfig.compact(0.0625, given_flow=True))
    images, masks = list(CASE.holed().frames), list(CASE.holed().masks)
    plain = np.stack(list(Inpainter(network, device).stream(images, masks)))
    graphs = device.startswith("cuda")
    compiled = Inpainter(network, device, Settings(compile=True, cuda_graphs=graphs))
    assert apart(np.stack(list(compiled.stream(images, masks))), plain) < 1


def test_a_stream_is_the_whole_clip_and_takes_no_more_memory_when_it_is_longer(device: str) -> None:
    inpainter = Inpainter(weights.random_network(VINetConfig.compact(0.0625)), device)
    frames, masks = list(CASE.holed().frames), list(CASE.holed().masks)
    first = list(inpainter.stream(frames, masks))
    assert np.array_equal(np.stack(first), np.stack(list(inpainter.stream(iter(frames), iter(masks)))))
    if not device.startswith("cuda"):
        return  # tests/vinet/test_inference.py measures that of the host

    def peak(times: int) -> int:
        torch.cuda.reset_peak_memory_stats()
        for _ in inpainter.stream(frames * times, masks * times):
            pass
        return torch.cuda.max_memory_allocated()

    peak(1)
    assert peak(4) < 1.05 * peak(2)


@pytest.mark.parametrize("mebibytes", [64, 256])
def test_the_memory_of_a_method_is_known_within_5_percent(mebibytes: int, device: str) -> None:
    spec = Spec("device_methods:Taking", {"size_bytes": mebibytes * MEBIBYTE})
    with hosted(spec, device) as host:
        _, fields = host.fill(CASE.holed())
    assert fields is not None
    timing = timing_of(fields)
    peak = timing.peak_device_bytes if device.startswith("cuda") else timing.peak_host_bytes
    assert peak == pytest.approx(mebibytes * MEBIBYTE, rel=0.05)


def test_memory_that_is_not_there_is_a_record_and_the_next_case_goes_on(device: str) -> None:
    with hosted(Spec("device_methods:Taking", {"size_bytes": SOUGHT}), device) as host:
        failed = fill_case(host, CASE, RULES)
    assert failed.failure is not None and failed.failure.kind == "out-of-memory"
    with hosted(Spec("device_methods:Taking", {"size_bytes": 1}), device) as host:
        assert fill_case(host, CASE, RULES).failure is None


@pytest.mark.parametrize("metric", ["lpips-alex"])
def test_a_metric_measures_what_it_measures_on_the_cpu(metric: str, device: str, full_precision: None) -> None:
    grey = np.where(CASE.holes[..., None], 128, CASE.frames).astype(np.uint8)
    here, there = (measure(metric, grey, CASE.frames, CASE.holes, device=where) for where in (device, "cpu"))
    for region, values in there.regions.items():
        assert here[region] == pytest.approx(values, rel=1e-4)


def test_every_kind_of_stage_trains(device: str, tmp_path: Path) -> None:
    recipe = read(str(tiny_recipe(tmp_path)), ["stages.*.steps=2", "stages.*.crop_px=32"])
    path = train(recipe, tmp_path / "run", device)
    network, file = weights.load(path)
    assert file.notes["steps"] == "4"
    assert all(bool(values.isfinite().all()) for values in network.parameters())
