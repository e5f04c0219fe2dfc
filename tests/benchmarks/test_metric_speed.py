"""Seconds a frame of every metric on a DAVIS clip of 432x240, on one core.

Usage: ``pytest tests/benchmarks/test_metric_speed.py --benchmark-only``. A round is a clip of ``FRAMES`` frames.
``plain`` is the metric as one writes it first, by libraries and frame by frame (``plain_metrics``); its numbers must be
ours. The first method of a case pays for what is computed from the truth once (``first``), the others do not
(``next``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from plain_metrics import PLAIN

from vibench import plugins
from vibench.clip import Case, Frames

FRAMES = 16


@pytest.fixture(scope="module")
def case(shared_data: Path) -> Case:
    paths = sorted((shared_data / "davis" / "JPEGImages" / "480p" / "parkour").glob("*.jpg"))[:FRAMES]
    images = [cv2.resize(cv2.imread(str(path)), (432, 240), interpolation=cv2.INTER_AREA) for path in paths]
    truth = np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in images])
    holes = np.zeros(truth.shape[:3], bool)
    holes[:, 60:180, 100:220] = True
    return Case("parkour", truth, holes, truth)


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.fixture(scope="module")
def blurred(case: Case) -> Frames:
    """Frames whose holes are blurred."""
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in case.frames])
    return np.where(case.holes[..., None], soft, case.frames)


@pytest.mark.parametrize("method", ["plain", "first", "next"])
@pytest.mark.parametrize("name", PLAIN)
def test_speed(benchmark: Any, case: Case, blurred: Frames, name: str, method: str) -> None:
    metric = plugins.make("metrics", plugins.Spec.parse(name))
    ours = metric.measure(blurred, case)  # warm-up
    rounds = iter(range(9))

    def arguments() -> tuple[tuple[Frames, Case], dict[str, Any]]:
        return (blurred, another(case, next(rounds)) if method == "first" else case), {}

    benchmark.group = name
    measured = benchmark.pedantic(PLAIN[name] if method == "plain" else metric.measure, setup=arguments, rounds=5)
    benchmark.extra_info["seconds_per_frame"] = round(benchmark.stats.stats.median / FRAMES, 4)
    if method == "plain":
        assert measured.keys() == ours.keys()
        for region, values in measured.items():
            assert values == pytest.approx(ours[region].values, rel=2e-5)


def another(case: Case, number: int) -> Case:
    """The same case to the eye, whose truth has another digest."""
    truth = np.array(case.truth)
    truth[0, 0, 0, 0] = number
    return replace(case, truth=truth)
