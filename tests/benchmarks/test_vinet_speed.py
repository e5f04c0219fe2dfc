"""Seconds a frame of VINet at 256x256, against the published schedule and against what the machine can multiply.

Usage: ``pytest tests/benchmarks/test_vinet_speed.py --benchmark-only``. Everything that is compared is timed in turn
within one process, so that whatever else the machine does falls on all of it.
"""

import copy
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from golden_vinet import calm_weights, golden_clip
from published_schedule import published_step

from vinet import weights
from vinet.config import VINetConfig
from vinet.cost import flop_per_frame
from vinet.inference import Filled, Frame, Inpainter, Mask, reflect
from vinet.network.vinet import Previous

SIZE_PX = 256
ROUNDS = 5
MATRIX = 2048


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def matrix_product() -> Callable[[], object]:
    left, right = torch.randn(2, MATRIX, MATRIX)
    return lambda: left @ right


def video(frames: int) -> tuple[list[Frame], list[Mask]]:
    """Three sines in RGB and the square hole of the goldens."""
    clip, masks = golden_clip(frames, SIZE_PX)
    images = ((clip + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    holes = masks[:, 0].bool().numpy()
    return [np.where(hole[..., None], 0, image).astype(np.uint8) for image, hole in zip(images, holes, strict=True)], [
        *holes
    ]


def running(inpainter: Inpainter) -> Iterator[Filled]:
    """One frame into a video: the look-ahead has been read, and there is a previous output."""
    steps = inpainter.steps(*video(14 + ROUNDS))
    next(steps)
    return steps


@torch.no_grad()
def test_the_published_schedule_gives_the_same_output() -> None:
    """Directly and with Winograd's convolutions; the outputs deviate by 0.36, and rounding leaves 2e-5 of the 1e-4."""
    network = weights.build(VINetConfig.published(), calm_weights(), "calm weights")
    clip, masks = golden_clip(15, SIZE_PX)
    holed, around = clip * (1 - masks), [0, 3, 9, 12]
    arguments = holed[[6]], masks[[6]], holed[around][None], masks[around][None], Previous(holed[[5]], masks[[5]])
    expected = published_step(network, *arguments, None)
    assert float((network.step(*arguments).output - expected).abs().max()) < 1e-4
    accelerated = Inpainter(network)
    assert accelerated.winograd_layers > 0
    with torch.inference_mode():
        assert float((network.step(*arguments).output - expected).abs().max()) < 1e-4


def test_published_network_against_the_published_schedule(benchmark: Any) -> None:
    network = weights.build(VINetConfig.published(), calm_weights(), "calm weights")
    published = copy.deepcopy(network)  # the inpainter changes the layout of its kernels
    steps = running(Inpainter(network))
    images, masks = video(14 + ROUNDS)
    holes = torch.from_numpy(np.stack(masks))[:, None].float()
    clip = (torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).flip(1) / 127.5 - 1) * (1 - holes)
    product = matrix_product()
    last = next(steps).step
    times: dict[str, list[float]] = {"published": [], "product": []}
    now = 2

    def slow() -> tuple[tuple[()], dict[str, Any]]:
        around = [reflect(now + offset, len(clip)) for offset in (-6, -3, 3, 6)]
        arguments = clip[[now]], holes[[now]], clip[around][None], holes[around][None]
        previous = Previous(last.output, holes[[now - 1]])
        start = time.perf_counter()
        published_step(published, *arguments, previous, last.memory)
        times["published"].append(time.perf_counter() - start)
        times["product"].append(seconds(product))
        return (), {}

    def fast() -> None:
        nonlocal last, now
        last, now = next(steps).step, now + 1

    benchmark.pedantic(fast, setup=slow, rounds=ROUNDS)
    ours = benchmark.stats.stats.median
    flop = flop_per_frame(VINetConfig.published(), SIZE_PX, SIZE_PX)
    benchmark.extra_info |= {
        "published_seconds": median(times["published"]),
        "ratio": median(times["published"]) / ours,
        "gflop_per_second": flop / ours / 1e9,
        "peak_gflop_per_second": 2 * MATRIX**3 / median(times["product"]) / 1e9,
    }


@pytest.mark.parametrize("switches", [{}, {"given_flow": True}], ids=["own flow", "given flow"])
def test_compact_network(benchmark: Any, switches: dict[str, Any]) -> None:
    steps = running(Inpainter(weights.random_network(VINetConfig.compact(**switches))))
    benchmark.pedantic(lambda: next(steps), rounds=ROUNDS)
    benchmark.extra_info["frames_per_second"] = 1 / benchmark.stats.stats.median
