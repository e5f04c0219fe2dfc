"""Every hot piece alone, one thread: VINet's parts, each metric, flow, video decoding, writing to the store.

Usage: ``make bench`` (64x64, for CI), ``make bench SIZE=432x240`` (for people). A round of a metric is a clip of
``FRAMES`` frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from vibench import plugins
from vibench.cli.options import size_of
from vibench.clip import Case
from vibench.data.probe import Probe
from vibench.errors import UserError
from vibench.media.video import read_lossless, write_lossless
from vibench.metrics.flow.sources import dis_flow
from vibench.plugins import Spec
from vinet import weights
from vinet.config import VINetConfig
from vinet.kernels import cost_volume, warp

WIDTH, HEIGHT = size_of(os.environ.get("BENCH_SIZE", "64x64"))
FRAMES = 4
PRESETS = {"compact": VINetConfig.compact(), "published": VINetConfig.published()}


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.fixture(scope="module")
def case() -> Case:
    return Probe.make(WIDTH, HEIGHT, FRAMES).cases[0]


def maps(channels: int, scale: int, batch: int = 1) -> Tensor:
    """Random feature maps at 1 / ``scale``; sizes are rounded up to what the network takes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(
        batch, channels, -(-HEIGHT // 16) * 16 // scale, -(-WIDTH // 16) * 16 // scale, generator=generator
    )


def pieces(config: VINetConfig) -> dict[str, Callable[[], object]]:
    """One call of each part of the network with maps of the size that it meets."""
    network = weights.random_network(config)
    _, half, quarter, eighth = config.channels
    image, mask = maps(3, 1), maps(1, 1).gt(1).float()
    at_eighth, at_quarter, at_half = maps(eighth, 8), maps(quarter, 4), maps(half, 2)
    sources = config.sources
    calls: dict[str, Callable[[], object]] = {
        "encode": lambda: network.encode_source(image, mask),
        "cost volume": lambda: cost_volume(at_quarter, at_quarter),
        "warp": lambda: warp(at_half, maps(2, 2)),
        "aggregation": lambda: network.st_agg_64(maps(quarter, 4, sources), 1),
        "mask head": lambda: network.masknet_64(at_quarter, at_quarter),
        "memory": lambda: network.convlstm(at_eighth, None),
        "decoder": lambda: network.decoder(at_eighth, at_quarter, at_half),
    }
    if config.flow_warping and not config.given_flow:
        calls["flow head"] = lambda: network.flownet(at_eighth, at_eighth)
    return calls


@pytest.mark.parametrize(
    "piece", ["encode", "cost volume", "warp", "aggregation", "mask head", "memory", "decoder", "flow head"]
)
@pytest.mark.parametrize("preset", PRESETS)
def test_part_of_vinet(benchmark: Any, preset: str, piece: str) -> None:
    calls = pieces(PRESETS[preset])
    if piece not in calls:
        pytest.skip(f"the {preset} network has no {piece}")
    benchmark(calls[piece])


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_metric(benchmark: Any, case: Case, name: str) -> None:
    try:
        metric = plugins.make("metrics", Spec(name))
        filled = np.where(case.holes[..., None], 128, case.frames).astype(np.uint8)
        metric.measure(filled, case)
    except UserError as absent:
        pytest.skip(str(absent))
    except ValueError as unfit:
        pytest.skip(f"not at this size or on this clip: {unfit}")
    rounds = iter(range(100))

    def another() -> tuple[tuple[Any, Case], dict[str, Any]]:
        truth = np.array(case.truth)
        truth[0, 0, 0, 0] = next(rounds)  # another digest, so that nothing kept of the truth helps
        return (filled, replace(case, truth=truth)), {}

    benchmark.pedantic(metric.measure, setup=another, rounds=3)
    benchmark.extra_info["seconds_per_frame"] = benchmark.stats.stats.median / FRAMES


def test_optical_flow(benchmark: Any, case: Case) -> None:
    benchmark(dis_flow, case.frames[0], case.frames[1])


def test_video_decode(benchmark: Any, case: Case, tmp_path: Path) -> None:
    write_lossless(tmp_path / "clip.mkv", case.frames)
    benchmark(read_lossless, tmp_path / "clip.mkv")


def test_store_write(benchmark: Any, case: Case, tmp_path: Path) -> None:
    names = iter(f"{number}.mkv" for number in range(1_000_000))
    benchmark(lambda: write_lossless(tmp_path / next(names), case.frames))
