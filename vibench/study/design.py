"""The design of a study: which pairs are shown, on which sides and in which order.

A seed decides it all, but in balance. For each case every pair of methods is compared once. The sides follow a
round-robin tournament, in which each method stands left as often as right where their number is odd, and once more or
less often where it is even; in every second case the sides are changed. Therefore,

* in each case, the times that a method stands left and right differ by at most one,
* over all cases, the times that a pair of methods stands one way and the other differ by at most one,
* over an even number of cases, both are exactly equal for every method and pair.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from vibench.results.record import TRUTH

BROKEN = "broken"
"""What stands beside the truth in an attention check: the truth with noise in its hole."""


class Pair(NamedTuple):
    """Two videos of one case, side by side: the methods that made them; ``truth`` and ``broken`` in a check."""

    case: str
    left: str
    right: str
    is_check: bool


def design(methods: Sequence[str], cases: Sequence[str], check_cases: Sequence[str], seed: int) -> tuple[Pair, ...]:
    """Return all pairs in the order of showing, with one attention check for each entry of ``check_cases``."""
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
            shown.append(Pair(case, *sides, is_check=False))
    starts = chance.randrange(2)
    for turn, case in enumerate(check_cases):
        sides = (TRUTH, BROKEN) if (turn + starts) % 2 else (BROKEN, TRUTH)
        shown.append(Pair(case, *sides, is_check=True))
    chance.shuffle(shown)
    return tuple(shown)


def _first_is_left(first: int, second: int, count: int) -> bool:
    """Say whether the first of two seats is left: in a ring of ``count``, a seat is left of the half that follows it.

    Of two opposite seats, which exist where ``count`` is even, the one with an even number is left.
    """
    ahead = second - first
    return 2 * ahead < count or (2 * ahead == count and first % 2 == 0)
