"""CFD: OmniPaint's digits as released and with its faults mended, and what the faults do."""

from __future__ import annotations

import numpy as np
import pytest
from golden_removal import EXPECTED, array, clip, largest, tiny

from vibench.clip import Mask
from vibench.metrics.networks import dinov2
from vibench.metrics.networks.pretrained import load
from vibench.metrics.removal import cfd as module
from vibench.metrics.removal.cfd import AS_RELEASED, BY_PLACE, BY_PLACE_WHOLE, FindTokens, Reading, cfd

READINGS = {
    "as_released": AS_RELEASED,
    "token_shift_and_index_fixed": BY_PLACE,
    "also_without_second_resize_and_crop": BY_PLACE_WHOLE,
}


@pytest.fixture(scope="module")
def find() -> FindTokens:
    pytest.importorskip("transformers")
    backbone = load(dinov2.GIANT, tiny("dinov2"), "cpu")
    return lambda picture: dinov2.last_hidden_state(backbone, picture)


def segments(t: int) -> list[Mask]:
    return list(array("cfd_segments.npz", f"frame{t}"))


@pytest.mark.parametrize("t", [0, 1])
@pytest.mark.parametrize("name", READINGS)
def test_a_frame_reaches_the_original_s_digits(name: str, t: int, find: FindTokens) -> None:
    expected = EXPECTED["cfd"][name]["float64"][t]
    found = cfd(clip("output")[t], clip("masks")[t], segments(t), find, READINGS[name])
    assert largest(found.terms, expected["terms_in_order"]) < 1e-6
    assert largest([found.total, found.score], [expected["total"], expected["score"]]) < 1e-6


def test_segments_that_repeat_are_dropped() -> None:
    kept, expected = module.distinct_segments(segments(0)), EXPECTED["cfd"]["filter_masks_frame0"]
    assert len(kept) == expected["kept"]
    assert [int(segment.sum()) for segment in kept] == expected["areas_in_order"]


def test_without_a_hole_there_is_no_score() -> None:
    nothing = cfd(clip("output")[3], clip("masks")[3], [], lambda picture: np.ones((257, 4), np.float32))
    assert nothing == module.CFD((), None, None)


def numbered(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> module.Tokens:
    """Tokens that all point elsewhere, so that a distance tells which were selected."""
    return np.eye(257, dtype=np.float32)


def test_flags_select_the_patch_before_their_own_as_released() -> None:
    flags = np.zeros(257, bool)
    flags[[5, 256]] = True
    exact = np.zeros(257, bool)
    exact[6] = True
    tokens = numbered(clip("output")[0])
    assert module._distance(tokens, flags, tokens, flags, AS_RELEASED) == pytest.approx(0)
    # Flag 5 is patch 5, token 6: only the mended reading finds it, and not the last patch.
    by_place = module._distance(tokens, flags, tokens, exact, Reading(by_place=True, whole=True))
    assert by_place == pytest.approx(1)
    assert module._distance(tokens, np.roll(exact, -1), tokens, flags, BY_PLACE) == pytest.approx(0)


def test_the_released_penalty_does_not_depend_on_where_a_segment_is(find: FindTokens) -> None:
    """Its flags are 0, 255 and 1 and select the tokens of these numbers, so only how many there are counts."""
    flags = np.array([0] * 200 + [255] * 56 + [1], np.uint8)
    mixed = np.append(np.random.default_rng(0).permutation(flags[:-1]), np.uint8(1))
    tokens = find(np.ascontiguousarray(clip("output")[0][:84, :84]).repeat(3, 0).repeat(3, 1)[:224, :224])
    here, elsewhere = (module._distance(tokens, one, tokens, flags, AS_RELEASED) for one in (flags, mixed))
    assert here == pytest.approx(0, abs=1e-9) and elsewhere == pytest.approx(0, abs=1e-9)
    assert module._distance(tokens, mixed, tokens, flags, BY_PLACE) != pytest.approx(0, abs=1e-6)
