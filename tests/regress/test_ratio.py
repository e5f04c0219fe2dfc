"""Verdicts from hand-made times, the laws they obey, and the error that looking many times may cost."""

from __future__ import annotations

from math import exp, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, wilcoxon

from vibench.regress.ratio import (
    ALPHA,
    FIRST_LOOK,
    Block,
    Ratio,
    looks,
    mann_whitney_stratified,
    ratio_of,
    ratio_of_few,
    ratio_unpaired,
    spent_at,
    verdict_of,
)

SECONDS = st.floats(1e-4, 10)
BLOCKS = st.lists(
    st.builds(lambda a, b, c, d: Block((a, b), (c, d)), SECONDS, SECONDS, SECONDS, SECONDS), min_size=9, max_size=30
)


def blocks_of(ratio: float, noise: float, count: int = 21, seed: int = 0) -> list[Block]:
    old = np.exp(np.random.default_rng(seed).normal(0, noise, (count, 4)))
    return [Block((a, b), (ratio * c, ratio * d)) for a, b, c, d in old.tolist()]


def verdict(blocks: list[Block], threshold: float = 1.10, look: int = 1) -> str:
    return verdict_of(ratio_of(blocks, look), mann_whitney_stratified(blocks), threshold)


def swapped(blocks: list[Block]) -> list[Block]:
    return [Block(block.new, block.old) for block in blocks]


@pytest.mark.parametrize(
    ("ratio", "noise", "word"),
    [(1.0, 0.02, "same"), (1.3, 0.02, "worse"), (0.7, 0.02, "better"), (1.05, 0.01, "same"), (1.1, 0.02, "unclear")],
)
def test_verdict_of_a_known_ratio(ratio: float, noise: float, word: str) -> None:
    assert verdict(blocks_of(ratio, noise)) == word


def test_too_much_noise_is_unclear() -> None:
    assert verdict(blocks_of(1.0, 0.8)) == "unclear"


def test_significant_is_not_slower_below_the_threshold() -> None:
    blocks = blocks_of(1.05, 0.005)
    assert mann_whitney_stratified(blocks) < ALPHA
    assert verdict(blocks) == "same"


def test_eight_blocks_can_bound_nothing() -> None:
    interval = ratio_of(blocks_of(2, 0.01, FIRST_LOOK - 1), 1)
    assert (interval.low, interval.high) == (0, inf)


def test_one_wild_block_moves_no_verdict() -> None:
    assert verdict([*blocks_of(1.0, 0.02), Block((1.0, 1.0), (50.0, 50.0))]) == "same"


@given(BLOCKS)
def test_exchanging_the_versions_inverts_the_ratio(blocks: list[Block]) -> None:
    there, back = ratio_of(blocks, 1), ratio_of(swapped(blocks), 1)
    assert there.ratio * back.ratio == pytest.approx(1)
    assert there.low * back.high == pytest.approx(1)


@given(BLOCKS)
def test_exchanging_the_versions_exchanges_worse_and_better(blocks: list[Block]) -> None:
    opposite = {"worse": "better", "better": "worse", "same": "same", "unclear": "unclear"}
    assert verdict(swapped(blocks), 1.101) == opposite[verdict(blocks, 1.101)]


@given(BLOCKS, st.floats(0.01, 100))
def test_the_unit_of_time_does_not_matter(blocks: list[Block], unit: float) -> None:
    scaled = [Block((b.old[0] * unit, b.old[1] * unit), (b.new[0] * unit, b.new[1] * unit)) for b in blocks]
    assert ratio_of(scaled, 2).ratio == pytest.approx(ratio_of(blocks, 2).ratio)


@given(BLOCKS)
def test_later_looks_state_wider_intervals(blocks: list[Block]) -> None:
    first, second = ratio_of(blocks, 1), ratio_of(blocks, 2)
    assert second.low <= first.low <= first.ratio <= first.high <= second.high


def test_all_looks_together_spend_alpha() -> None:
    assert sum(spent_at(look) for look in range(1, 10_000)) == pytest.approx(ALPHA, rel=1e-3)


def test_looks_are_few() -> None:
    series = looks()
    assert [next(series) for _ in range(5)] == [9, 14, 21, 32, 48]


def test_the_interval_excludes_1_exactly_when_scipys_wilcoxon_rejects() -> None:
    for seed in range(40):
        blocks = blocks_of(1.04, 0.05, 15, seed)
        p = wilcoxon([block.log_ratio for block in blocks], method="exact").pvalue
        interval = ratio_of(blocks, 1)
        assert (interval.low > 1 or interval.high < 1) == (p <= spent_at(1))


def test_an_equal_pair_is_rarely_called_anything_at_any_look() -> None:
    """600 comparisons, each looked at six times: 1 in 100 may miss; 3 in 100 would be a broken alpha."""
    chance = np.random.default_rng(1)
    missed = 0
    for _ in range(600):
        logs = chance.standard_t(2, (75, 4)) * 0.1
        blocks = [Block((exp(a), exp(b)), (exp(c), exp(d))) for a, b, c, d in logs.tolist()]
        counts = [9, 14, 21, 32, 48, 72]
        intervals = [ratio_of(blocks[:count], look) for look, count in enumerate(counts, start=1)]
        missed += any(interval.low > 1 or interval.high < 1 for interval in intervals)
    assert missed <= 18


def test_ratio_of_few_needs_five_against_five() -> None:
    assert ratio_of_few([1.0] * 5, [2.0] * 5) == Ratio(2, 2, 2)
    assert ratio_of_few([1.0] * 4, [2.0] * 5).high == inf


def test_ratio_of_few_refuses_nothing() -> None:
    with pytest.raises(ValueError, match="positive"):
        ratio_of_few([], [1.0])


@settings(max_examples=50)
@given(st.lists(SECONDS, min_size=8, max_size=20, unique=True), st.lists(SECONDS, min_size=8, max_size=20, unique=True))
def test_unpaired_interval_agrees_with_mann_whitney(old: list[float], new: list[float]) -> None:
    interval = ratio_unpaired(old, new)
    p = mannwhitneyu(np.log(old), np.log(new), method="asymptotic").pvalue
    if interval.low > 1 or interval.high < 1:
        assert p < ALPHA * 1.5
    if p < ALPHA / 1.5 and interval.high < inf:
        assert interval.low >= 1 or interval.high <= 1
