from __future__ import annotations

from collections import Counter

import pytest

from vibench.study.design import BROKEN, design

SIZES = [(2, 1), (2, 4), (3, 3), (4, 5), (5, 2), (6, 4), (7, 3)]


@pytest.mark.parametrize(("methods", "cases"), SIZES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sides_are_balanced_for_every_method_pair_and_case(methods: int, cases: int, seed: int) -> None:
    names = [f"m{index}" for index in range(methods)]
    shown = design(names, [f"c{index}" for index in range(cases)], [], seed)
    assert len(shown) == cases * methods * (methods - 1) // 2
    lefts, pairs, balance = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for pair in shown:
        lefts[pair.left] += 1
        lefts[pair.right] -= 1
        balance[pair.case, pair.left] += 1
        balance[pair.case, pair.right] -= 1
        pairs[min(pair.left, pair.right), max(pair.left, pair.right)] += 1 if pair.left < pair.right else -1
    most = cases % 2
    assert all(abs(surplus) <= most for surplus in pairs.values())
    assert all(abs(surplus) <= most for surplus in lefts.values())
    assert all(abs(surplus) <= 1 for surplus in balance.values())


def test_every_pair_is_compared_once_a_case() -> None:
    shown = design(["a", "b", "c"], ["x", "y"], [], seed=4)
    pairs = Counter((pair.case, frozenset((pair.left, pair.right))) for pair in shown)
    assert len(pairs) == 6 and set(pairs.values()) == {1}


def test_a_seed_decides_everything_and_another_seed_something_else() -> None:
    methods, cases = ["a", "b", "c", "d"], ["x", "y", "z"]
    assert design(methods, cases, ["x"], 7) == design(methods, cases, ["x"], 7)
    assert design(methods, cases, ["x"], 7) != design(methods, cases, ["x"], 8)


def test_checks_stand_left_as_often_as_right() -> None:
    checks = [pair for pair in design(["a", "b"], ["x"], ["x"] * 4, seed=0) if pair.is_check]
    assert sorted(pair.left for pair in checks) == [BROKEN, BROKEN, "truth", "truth"]
