import numpy as np
import pytest
from golden_metrics import EXPECTED, case_of, golden_case, golden_composite, noisy_pair, truncated_composite
from skimage.metrics import peak_signal_noise_ratio

from vibench.metrics.psnr import PSNR, psnr


def test_psnr_reaches_the_digits_of_the_sttn_family() -> None:
    values = PSNR().measure(golden_composite(), golden_case())["frame"].values
    np.testing.assert_allclose(values, EXPECTED["sttn_family"]["composite_rounded"]["psnr"], rtol=0, atol=1e-12)


def test_psnr_of_a_truncated_composite_reaches_the_family_s_digits_too() -> None:
    values = PSNR().measure(truncated_composite(), golden_case())["frame"].values
    np.testing.assert_allclose(values, EXPECTED["sttn_family"]["composite_truncated"]["psnr"], rtol=0, atol=1e-12)


def test_psnr_of_the_hole_reaches_the_golden_digits() -> None:
    values = PSNR().measure(golden_composite(), golden_case())["hole"].values
    np.testing.assert_allclose(values, EXPECTED["libraries"]["hole_psnr"], rtol=0, atol=1e-12)


def test_the_mean_over_frames_is_devil_s_psnr() -> None:
    mean = PSNR().measure(golden_composite(), golden_case())["frame"].mean
    assert mean == pytest.approx(EXPECTED["devil"]["psnr"], abs=1e-6)  # theirs is float32


@pytest.mark.parametrize("seed", range(5))
def test_psnr_equals_scikit_image(seed: int) -> None:
    frames, truth = noisy_pair(seed)
    assert psnr(frames[0], truth[0]) == pytest.approx(peak_signal_noise_ratio(truth[0], frames[0], data_range=255))


def test_psnr_is_symmetric() -> None:
    frames, truth = noisy_pair(1)
    assert psnr(frames[0], truth[0]) == psnr(truth[0], frames[0])


def test_psnr_by_hand() -> None:
    truth = np.zeros((2, 2, 3), np.uint8)
    frame = truth.copy()
    frame[0, 0, 0] = 60  # MSE = 3600 / 12 = 300
    assert psnr(frame, truth) == pytest.approx(10 * np.log10(65025 / 300))
    assert psnr(frame, truth, np.array([[True, False], [False, False]])) == pytest.approx(10 * np.log10(65025 / 1200))


def test_a_perfect_frame_counts_100_decibels_and_nothing_counts_more() -> None:
    truth = np.zeros((500, 500, 3), np.uint8)
    almost = truth.copy()
    almost[0, 0, 0] = 1
    assert psnr(truth, truth) == 100
    assert psnr(almost, truth) == 100


def test_a_frame_without_hole_has_no_hole_psnr() -> None:
    frames, truth = noisy_pair(2)
    holes = np.zeros(truth.shape[:3], bool)
    holes[1, 3, 4] = True
    measured = PSNR().measure(frames, case_of(truth, holes))["hole"].values
    assert measured[0] is None
    assert measured[1] is not None


def test_only_the_hole_counts_in_the_hole() -> None:
    frames, truth = noisy_pair(3)
    case = case_of(truth)
    composite = np.where(case.holes[..., None], truth, frames)
    measured = PSNR().measure(composite, case)
    assert measured["hole"].values == (100, 100)
    assert max(value or 0 for value in measured["frame"].values) < 40
