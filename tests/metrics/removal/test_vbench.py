"""VBench's temporal flickering and consistency: its digits, and that they reward standing still."""

from __future__ import annotations

import numpy as np
import pytest
from golden_removal import EXPECTED, array, clip, largest

from vibench.clip import Case
from vibench.errors import InputError
from vibench.metrics.removal.vbench import TemporalFlickering, consistency, steadiness

FLICKERING, CONSISTENCY = EXPECTED["vbench"]["temporal_flickering"], EXPECTED["vbench"]["consistency_feature_level"]


@pytest.mark.parametrize("name", ["truth", "output", "input"])
def test_temporal_flickering_reaches_the_original_s_digits(name: str) -> None:
    measured = TemporalFlickering().measure(clip(name), Case("golden", clip(name), clip("masks"), None))["frame"]
    differences = [255 * (1 - value) for value in measured.values if value is not None]
    # Theirs are float32.
    assert largest(differences, FLICKERING[name]["mae_per_pair"]) < 2e-6
    assert measured.mean == pytest.approx(FLICKERING[name]["clip"], abs=1e-8)


def test_consistency_of_given_features_reaches_the_original_s_digits() -> None:
    expected = CONSISTENCY["float64"]
    clips = [consistency(array("vbench_features.npz", name)) for name in ("a", "b")]
    for kind in ("background_consistency", "subject_consistency"):
        assert largest([np.mean(values) for values in clips], expected[kind]["per_video"]) < 1e-12
        assert np.mean(np.concatenate(clips)) == pytest.approx(expected[kind]["all"], abs=1e-12)


def test_a_clip_that_stands_still_is_perfect_and_one_that_blinks_is_worst() -> None:
    still = np.repeat(clip("output")[:1], 3, axis=0)
    assert steadiness(still) == [1.0, 1.0]
    blinking = np.stack([np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)])
    assert steadiness(blinking) == [0.0]
    assert consistency(np.ones((3, 5))) == pytest.approx([1, 1])


def test_it_is_the_same_backwards_mirrored_and_in_the_negative() -> None:
    forwards = steadiness(clip("output"))
    assert steadiness(clip("output")[::-1]) == forwards[::-1]
    assert steadiness(clip("output")[:, :, ::-1]) == steadiness(255 - clip("output")) == forwards


def test_it_cannot_tell_motion_from_flicker() -> None:
    """A picture that moves scores worse than the same picture standing still and blinking by ten grey levels."""
    photo = clip("truth")[0]
    moving = np.stack([photo[:, 4 * t : 4 * t + 100] for t in range(4)])
    blinking = np.stack([np.clip(photo[:, :100].astype(int) + 10 * (t % 2), 0, 255) for t in range(4)]).astype(np.uint8)
    assert np.mean(steadiness(moving)) < np.mean(steadiness(blinking))


def test_one_frame_is_refused() -> None:
    with pytest.raises(InputError, match="at least two"):
        steadiness(clip("output")[:1])
