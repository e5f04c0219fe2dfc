"""Which pairs are shown, on which sides and in which order: everything by chance of a seed, and balanced by law.

For each case every pair of methods is compared once. Who stands left follows a round-robin tournament, in which each
method is left as often as right, but for one where their number is even; every second case has the sides changed. So

* in one case a method is left and right equally often, but for at most one,
* a pair of methods has its sides either way equally often over the cases, but for at most one,
* over an even number of cases both are exactly equal for every method and pair.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from vibench.results.record import TRUTH

BROKEN = "broken"
"""The other side of an attention check: the truth with noise in its hole."""


class Comparison(NamedTuple):
    """Two videos of one case, side by side; an attention check shows ``truth`` against ``broken``."""

    case: str
    left: str
    right: str
    is_check: bool


def design(
    methods: Sequence[str], cases: Sequence[str], check_cases: Sequence[str], seed: int
) -> tuple[Comparison, ...]:
    """All comparisons in the order of showing; one attention check for each entry of ``check_cases``."""
    chance = random.Random(seed)
    seats, order = list(methods), list(cases)
    chance.shuffle(seats)
    chance.shuffle(order)
    shown = []
    for turn, case in enumerate(order):
        for first, second in combinations(range(len(seats)), 2):
            sides = (seats[first], seats[second])
            if _first_is_left(first, second, len(seats)) == bool(turn % 2):
                sides = sides[::-1]
            shown.append(Comparison(case, *sides, is_check=False))
    starts = chance.randrange(2)
    for turn, case in enumerate(check_cases):
        sides = (TRUTH, BROKEN) if (turn + starts) % 2 else (BROKEN, TRUTH)
        shown.append(Comparison(case, *sides, is_check=True))
    chance.shuffle(shown)
    return tuple(shown)


def _first_is_left(first: int, second: int, count: int) -> bool:
    """In a ring of ``count`` seats, each is left of the half that follows it; opposite seats by their number."""
    ahead = second - first
    return 2 * ahead < count or (2 * ahead == count and first % 2 == 0)
