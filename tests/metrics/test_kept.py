"""Kept pixels: what a method does to all that it should leave alone, measured by itself and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden_metrics import case_of, noisy_pair
from skimage.metrics import structural_similarity

from vibench.clip import Case, Frames
from vibench.media.resize import dilate, kept_regions
from vibench.metric import Metric
from vibench.metrics import lpips
from vibench.metrics.measure import measure
from vibench.metrics.psnr import PSNR
from vibench.metrics.ssim_gaussian import SSIMGaussian
from vibench.metrics.ssim_sttn import SSIMSttn

MARGIN_PX = 6


@pytest.fixture(scope="module", params=["psnr", "ssim-gaussian", "ssim-sttn", "lpips-alex"])
def metric(request: pytest.FixtureRequest) -> Metric:
    made = {"psnr": PSNR, "ssim-gaussian": SSIMGaussian, "ssim-sttn": SSIMSttn, "lpips-alex": lpips.alex}
    return made[request.param]()


def uncomposited(seed: int) -> tuple[Frames, Case]:
    frames, truth = noisy_pair(seed, 140, 180)
    case = case_of(truth)
    return frames, replace(case, kept=kept_regions(case.holes, MARGIN_PX))


def test_what_is_inside_the_hole_does_not_count(metric: Metric) -> None:
    frames, case = uncomposited(0)
    other = np.where(case.holes[..., None], 255 - frames, frames)
    before, after = metric.measure(frames, case), metric.measure(other, case)
    assert before["kept"].values == after["kept"].values
    assert before["frame"].values != after["frame"].values


def test_pixels_in_the_margin_count_in_one_region_only(metric: Metric) -> None:
    frames, case = uncomposited(1)
    ring = dilate(case.holes, MARGIN_PX) & ~case.holes
    other = np.where(ring[..., None], 255 - frames, frames)
    before, after = metric.measure(frames, case), metric.measure(other, case)
    assert before[f"kept-{MARGIN_PX}px"].values == after[f"kept-{MARGIN_PX}px"].values
    assert before["kept"].values != after["kept"].values


def test_a_method_that_keeps_all_it_should_is_perfect(metric: Metric) -> None:
    frames, case = uncomposited(2)
    filled = np.where(case.holes[..., None], frames, case.frames)
    perfect = {"psnr": 100.0, "lpips-alex": 0.0}.get(metric.info.name, 1.0)
    for region in case.kept:
        assert metric.measure(filled, case)[region].values == pytest.approx((perfect,) * len(frames), abs=1e-12)


def test_composited_output_has_no_such_region(metric: Metric) -> None:
    frames, case = uncomposited(3)
    assert not {region for region in metric.measure(frames, replace(case, kept={})) if region.startswith("kept")}


def test_psnr_of_kept_pixels_by_hand() -> None:
    truth = np.zeros((1, 4, 4, 3), np.uint8)
    holes = np.zeros((1, 4, 4), bool)
    holes[0, 0, 0] = True
    frames = truth.copy()
    frames[0, 3, 3], frames[0, 0, 0] = 30, 200  # MSE outside the hole = 900 / 15 = 60
    case = replace(case_of(truth, holes), kept=kept_regions(holes, 1))
    values = PSNR().measure(frames, case)
    assert values["kept"].values == pytest.approx((10 * np.log10(255**2 / 60),))
    assert values["kept-1px"].values == pytest.approx((10 * np.log10(255**2 / (900 / 13)),))


@pytest.mark.parametrize("name", ["ssim-gaussian", "ssim-sttn"])
def test_ssim_of_kept_pixels_is_scikit_image_s_map_over_them(name: str) -> None:
    frames, case = uncomposited(4)
    gaussian = name == "ssim-gaussian"
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False} if gaussian else {"win_size": 65}
    margin = 5 if gaussian else 32
    whole = (slice(margin, -margin), slice(margin, -margin))
    for frame, truth, hole, value in zip(
        frames, case.frames, case.holes, measured(name, frames, case, "kept"), strict=True
    ):
        alike = np.where(hole[..., None], truth, frame)
        similar = structural_similarity(alike, truth, full=True, channel_axis=2, data_range=255, **how)[1]
        assert value == pytest.approx(similar[whole][~hole[whole]].mean(), abs=1e-9)


def measured(name: str, frames: Frames, case: Case, region: str) -> tuple[float | None, ...]:
    """Through the public function, which is asked for the region."""
    return measure(name, frames, case.truth, case.holes, kept_margin_px=MARGIN_PX)[region]


def test_nobody_gets_the_region_without_asking_for_it() -> None:
    frames, case = uncomposited(5)
    assert set(measure("psnr", frames, case.truth, case.holes).regions) == {"frame", "hole"}
    assert set(measure("psnr", frames, case.truth, case.holes, kept_margin_px=0).regions) == {"frame", "hole", "kept"}
