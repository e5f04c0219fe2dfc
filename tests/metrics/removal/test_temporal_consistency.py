"""TC: the three definitions to their digits, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from golden_removal import EXPECTED, clip, largest, tiny

from vibench.clip import Case, Frames
from vibench.errors import InputError
from vibench.metrics.removal import temporal_consistency as module
from vibench.metrics.removal.temporal_consistency import TemporalConsistency, neighbour_cosines

TC = EXPECTED["tc"]
MADE: dict[str, tuple[Callable[..., TemporalConsistency], str]] = {
    "b32": (module.clip_b32, "clip_vision"),
    "l14": (module.clip_l14, "clip_vision"),
    "h14": (module.clip_h14, "clip_vision"),
    "dino": (module.dino_b14, "dinov2"),
}


def made(name: str) -> TemporalConsistency:
    pytest.importorskip("transformers")
    factory, model = MADE[name]
    return factory(tiny(model))


def values(metric: TemporalConsistency, frames: Frames, region: str = "frame") -> tuple[float | None, ...]:
    return metric.measure(frames, Case("golden", frames, clip("masks")[: len(frames)], None))[region].values


def test_videopainter_s_number_whole_and_in_the_holes() -> None:
    metric, expected = made("b32"), TC["videopainter"]["float64"]
    assert largest(values(metric, clip("output")), expected["per_pair_whole"]) < 1e-6
    inside = values(metric, clip("output")[:3], "hole")
    assert np.mean([value for value in inside if value is not None]) == pytest.approx(expected["hole_only"], abs=1e-6)


def test_editverse_s_numbers() -> None:
    expected = TC["editverse"]["float64"]
    assert largest(values(made("l14"), clip("output")), expected["clip_per_pair_pil"]) < 1e-6
    mean = np.mean([value for value in values(made("dino"), clip("output")) if value is not None])
    assert mean == pytest.approx(expected["dino_pil_processor"], abs=1e-6)


def test_minimax_s_number_as_it_is_read_here() -> None:
    assert largest(values(made("h14"), clip("output")), TC["minimax"]["float64"]["per_pair"]) < 2e-6


def test_one_name_stands_for_three_numbers_of_the_same_network() -> None:
    means = [
        np.mean([v for v in values(made(name), clip("output")) if v is not None]) for name in ("b32", "l14", "h14")
    ]
    assert [round(float(mean), 4) for mean in means] == [0.9937, 0.8619, 0.8601]


@pytest.mark.parametrize(
    ("embed", "key", "count"),
    [
        (module.projected, "normalised_projected", 16),
        (module.pooled, "normalised_pooler_first8", 8),
        (module.stretched, "stretched_unnormalised_projected", 16),
    ],
)
def test_embeddings_of_the_tiny_network_are_the_original_s(embed: module.Embed, key: str, count: int) -> None:
    found = embed(made("b32")._backbone, clip("output")[0])[:count]
    assert largest(found, TC["embedding_check_output0"][key]) < 2e-6


def test_preparation_is_that_of_the_image_processor() -> None:
    pixels, expected = module.prepared(clip("output")[0]), TC["editverse"]["pixel_values_check"]
    assert float(pixels.mean()) == pytest.approx(expected["pil_mean"], abs=1e-6)
    assert largest(pixels[0, 0, 0, :4].numpy(), expected["pil_first4"]) < 1e-6


@pytest.mark.parametrize("name", MADE)
def test_a_clip_that_stands_still_is_perfect_and_time_may_run_backwards(name: str) -> None:
    metric = made(name)
    assert values(metric, np.repeat(clip("output")[:1], 3, axis=0)) == pytest.approx((1, 1), abs=1e-6)
    backwards = metric.measure(clip("output")[::-1], Case("back", clip("output")[::-1], clip("masks"), None))
    assert backwards["frame"].values == pytest.approx(values(metric, clip("output"))[::-1])


@pytest.mark.parametrize("name", MADE)
def test_an_object_that_moves_through_is_less_steady_than_the_true_background(name: str) -> None:
    true, left_in = (np.mean([v for v in values(made(name), clip(n)) if v is not None]) for n in ("truth", "input"))
    assert left_in < true


def test_a_pair_without_a_hole_has_no_value_there() -> None:
    inside = values(made("b32"), clip("output"), "hole")
    assert [value is None for value in inside] == [False, False, True, True, False]


def test_one_frame_is_refused() -> None:
    with pytest.raises(InputError, match="needs at least two"):
        values(made("l14"), clip("output")[:1])


def test_negative_cosines_count_as_zero_where_the_authors_say_so() -> None:
    vectors = np.array([[1, 0], [-1, 0], [-1, 1]], np.float32)
    assert neighbour_cosines(vectors) == pytest.approx([-1, 0.5**0.5])
    assert neighbour_cosines(vectors, 0.0) == pytest.approx([0, 0.5**0.5])
