"""Holes to train with: four kinds, never empty and never everything."""

from __future__ import annotations

import pytest
import torch

from vinet.training.scenes.chance import generator
from vinet.training.scenes.holes import KINDS, Kind, holes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [16, 64])
def test_holes_are_somewhere_and_not_everywhere(kind: Kind, size: int) -> None:
    for seed in range(40):
        masks = holes(generator(kind, seed), 5, size, size, kind)
        assert masks.shape == (5, 1, size, size) and set(masks.unique().tolist()) == {0.0, 1.0}
        share = masks.mean((1, 2, 3))
        assert share.min() > 0 and share.max() < 0.75


@pytest.mark.parametrize("kind", KINDS)
def test_all_but_the_random_square_move(kind: Kind) -> None:
    moving = [not torch.equal((m := holes(generator(seed), 13, 64, 64, kind))[0], m[12]) for seed in range(10)]
    assert sum(moving) == 0 if kind == "square" else sum(moving) >= 8


def test_every_kind_comes_up() -> None:
    areas = {round(float(holes(generator(seed), 1, 64, 64).mean()), 3) for seed in range(30)}
    assert len(areas) > 20


def test_a_square_is_a_square() -> None:
    mask = holes(generator(2), 1, 64, 64, "square")[0, 0]
    rows, columns = mask.any(1).sum(), mask.any(0).sum()
    assert mask.sum() == rows * columns and abs(int(rows) - int(columns)) <= 1
