import numpy as np
import pytest
from golden_metrics import EXPECTED, case_of, golden_case, golden_composite, noisy_pair
from skimage.metrics import peak_signal_noise_ratio

from vibench.errors import InputError
from vibench.metrics.patch_consistency import Corner, PatchConsistency, centred_corner, patch_consistency

DEVIL = EXPECTED["devil"]


@pytest.mark.parametrize(("region", "name"), [("frame", "pcons_psnr"), ("hole", "pcons_psnr_mask")])
def test_patch_consistency_reaches_devil_s_digits(region: str, name: str) -> None:
    measured = PatchConsistency().measure(golden_composite(), golden_case())
    assert measured[region].mean == pytest.approx(DEVIL[name], abs=1e-6)


@pytest.mark.parametrize("corner", [Corner(0, 0), Corner(25, 31), Corner(30, 40)])
def test_the_patch_found_is_the_best_of_all_within_reach(corner: Corner) -> None:
    frames, _ = noisy_pair(3, 80, 90)
    patch = frames[0, corner.row :, corner.column :][:50, :50]
    best = 0.0
    for row in range(max(0, corner.row - 20), min(corner.row + 20, 31)):
        for column in range(max(0, corner.column - 20), min(corner.column + 20, 41)):
            other = frames[1, row : row + 50, column : column + 50]
            best = max(best, peak_signal_noise_ratio(patch, other, data_range=255))
    assert patch_consistency(frames[0], frames[1], corner) == pytest.approx(best)


def test_a_patch_that_moved_within_reach_is_found_and_one_beyond_is_not() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
    assert patch_consistency(frame, np.roll(frame, (19, -20), (0, 1)), Corner(50, 50)) == 100
    assert patch_consistency(frame, np.roll(frame, 20, 0), Corner(50, 50)) < 20


def test_the_hole_s_patch_lies_around_its_centre_but_within_the_frame() -> None:
    hole = np.zeros((120, 160), bool)
    hole[60:71, 80:91] = True
    assert centred_corner(hole) == (40, 60)
    assert centred_corner(np.roll(hole, 60, axis=0)) == (0, 60)
    assert centred_corner(np.zeros_like(hole)) is None


def test_a_clip_without_pairs_or_room_is_refused() -> None:
    frames, _ = noisy_pair(0, 60, 60)
    with pytest.raises(InputError, match="not 1 of 60x60"):
        PatchConsistency().measure(frames[:1], case_of(frames[:1]))
    with pytest.raises(InputError, match="not 2 of 60x50"):
        PatchConsistency().measure(frames[:, :50], case_of(frames[:, :50]))
