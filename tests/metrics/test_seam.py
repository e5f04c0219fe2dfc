import numpy as np
import pytest
from golden_metrics import case_of, golden_case, golden_composite, noisy_pair

from vibench.metrics.seam import Seam, seam


def square_hole(size_px: int = 12) -> np.ndarray:
    hole = np.zeros((size_px, size_px), bool)
    hole[4:8, 4:8] = True
    return hole


def test_a_flat_patch_on_a_flat_frame_shows_by_its_step() -> None:
    frame = np.full((12, 12, 3), 100, np.uint8)
    frame[square_hole()] = 130
    assert seam(frame, square_hole()) == pytest.approx(30)


def test_a_ramp_that_goes_on_through_the_hole_has_no_seam() -> None:
    ramp = np.repeat((10 * np.arange(12, dtype=np.uint8))[:, None], 12, axis=1)
    frame = np.repeat(ramp[..., None], 3, axis=2)
    assert seam(frame, square_hole()) == pytest.approx(0)


def test_rows_and_columns_count_alike() -> None:
    frames, _ = noisy_pair(0)
    hole = case_of(frames).holes[0]
    turned = np.ascontiguousarray(frames[0].swapaxes(0, 1))
    assert seam(frames[0], hole) == pytest.approx(seam(turned, hole.T))


@pytest.mark.parametrize("fill", [False, True])
def test_without_a_border_in_the_frame_there_is_no_seam(fill: bool) -> None:
    assert seam(np.zeros((8, 8, 3), np.uint8), np.full((8, 8), fill)) is None


def test_a_shifted_fill_shows_more_than_the_truth() -> None:
    case = golden_case()
    brighter = np.where(case.holes[..., None], np.clip(golden_composite().astype(int) + 40, 0, 255), case.frames)
    truth, ours = (Seam().measure(frames.astype(np.uint8), case)["hole"].mean for frames in (case.frames, brighter))
    assert truth == pytest.approx(0, abs=3)
    assert ours is not None
    assert ours > 10
