import numpy as np
import piq
import pytest
import torch
from golden_metrics import EXPECTED, case_of, golden_case, golden_composite, noisy_pair, truncated_composite
from skimage.metrics import structural_similarity

from vibench.errors import InputError
from vibench.metrics.ssim_gaussian import SSIMGaussian, smooth, valid
from vibench.metrics.ssim_sttn import SSIMSttn

BOTH = pytest.mark.parametrize("metric", [SSIMGaussian(), SSIMSttn()], ids=["gaussian", "sttn"])


def skimage_gaussian(frame: np.ndarray, truth: np.ndarray) -> float:
    return float(
        structural_similarity(
            truth,
            frame,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=2,
        )
    )


def test_ssim_sttn_reaches_the_family_s_digits() -> None:
    values = SSIMSttn().measure(golden_composite(), golden_case())["frame"].values
    expected = EXPECTED["sttn_family"]["composite_rounded"]["ssim_window65"]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)


def test_ssim_sttn_of_a_truncated_composite_reaches_the_family_s_digits_too() -> None:
    values = SSIMSttn().measure(truncated_composite(), golden_case())["frame"].values
    expected = EXPECTED["sttn_family"]["composite_truncated"]["ssim_window65"]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("library", ["piq_ssim_range255_no_downsample", "skimage_ssim_gaussian"])
def test_ssim_gaussian_reaches_the_digits_of_piq_and_scikit_image(library: str) -> None:
    values = SSIMGaussian().measure(golden_composite(), golden_case())["frame"].values
    np.testing.assert_allclose(values, EXPECTED["libraries"][library], rtol=0, atol=1e-9)


def test_ssim_gaussian_is_not_what_torchmetrics_computes_on_padded_frames() -> None:
    values = SSIMGaussian().measure(golden_composite(), golden_case())["frame"].values
    padded = EXPECTED["libraries"]["torchmetrics_ssim_gaussian11_sigma1.5_range255"]
    assert np.abs(np.subtract(values, padded)).min() > 0.009


@pytest.mark.parametrize("seed", range(4))
def test_both_equal_scikit_image(seed: int) -> None:
    frames, truth = noisy_pair(seed, 70 + 7 * seed, 100 - 5 * seed)
    for index in range(2):
        sttn = structural_similarity(truth[index], frames[index], win_size=65, data_range=255, channel_axis=2)
        assert SSIMSttn().measure(frames, case_of(truth))["frame"].values[index] == pytest.approx(sttn, abs=1e-9)
        gaussian = SSIMGaussian().measure(frames, case_of(truth))["frame"].values[index]
        assert gaussian == pytest.approx(skimage_gaussian(frames[index], truth[index]), abs=1e-9)


def test_ssim_gaussian_equals_piq() -> None:
    frames, truth = noisy_pair(9)
    tensors = [torch.from_numpy(clip).permute(0, 3, 1, 2).double() for clip in (frames, truth)]
    expected = piq.ssim(*tensors, data_range=255, downsample=False, reduction="none").tolist()
    np.testing.assert_allclose(SSIMGaussian().measure(frames, case_of(truth))["frame"].values, expected, atol=1e-6)


@BOTH
def test_ssim_is_one_for_equal_frames(metric: SSIMGaussian) -> None:
    _, truth = noisy_pair(0)
    for series in metric.measure(truth, case_of(truth)).values():
        assert series.values == pytest.approx((1, 1), abs=1e-12)


@BOTH
def test_ssim_is_symmetric(metric: SSIMGaussian) -> None:
    frames, truth = noisy_pair(0)
    assert metric.measure(frames, case_of(truth))["frame"] == metric.measure(truth, case_of(frames))["frame"]


@BOTH
def test_frames_smaller_than_the_window_are_refused_with_a_reason(metric: SSIMGaussian) -> None:
    frames = np.zeros((1, 10, 200, 3), np.uint8)
    with pytest.raises(InputError, match=f"{metric.info.name} has a window of .*; frames of 200x10 are smaller"):
        metric.measure(frames, case_of(frames))


def test_frames_of_just_the_window_have_one_value() -> None:
    frames, truth = noisy_pair(0, 65, 65)
    expected = structural_similarity(truth[0], frames[0], win_size=65, data_range=255, channel_axis=2)
    assert SSIMSttn().measure(frames, case_of(truth))["frame"].values[0] == pytest.approx(expected, abs=1e-9)


def test_the_hole_s_ssim_is_the_mean_of_scikit_image_s_map_over_its_pixels() -> None:
    frames, truth = noisy_pair(5)
    case = case_of(truth)
    _, similar = structural_similarity(
        truth[0],
        frames[0],
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
        full=True,
    )
    measured = SSIMGaussian().measure(frames, case)["hole"].values[0]
    assert measured == pytest.approx(float(similar[case.holes[0]].mean()), abs=1e-9)


def test_a_hole_in_the_margin_alone_has_no_value() -> None:
    frames, truth = noisy_pair(6)
    holes = np.zeros(truth.shape[:3], bool)
    holes[:, :5] = True
    assert SSIMGaussian().measure(frames, case_of(truth, holes))["hole"].values == (None, None)


def test_the_gaussian_window_spans_eleven_pixels() -> None:
    point = np.zeros((31, 31, 3))
    point[15, 15] = 1
    touched = smooth(point)[..., 0] > 0
    assert touched.sum() == 121
    assert valid(point).shape == (21, 21, 3)
