"""Bradley-Terry strengths: one number a method, from who was preferred to whom."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Strengths(NamedTuple):
    """Log strengths with mean 0, or None and the reason why there are none."""

    values: tuple[float, ...] | None
    reason: str = ""


def bradley_terry(wins: NDArray[np.float64]) -> Strengths:
    """Maximum-likelihood strengths from ``wins[i, j]``, how often i was preferred to j; a tie is half a win for each.

    P(i preferred to j) = 1 / (1 + exp(s_j - s_i)). Where some methods never lost to the others, the likelihood has no
    maximum (Ford 1957), and nothing is added to the data to make one. Fitted by choix (iterative Luce spectral ranking,
    Maystre and Grossglauser 2015), an optional package that the extra ``study`` installs.
    """
    from scipy.sparse.csgraph import connected_components

    try:
        import choix
    except ModuleNotFoundError:
        return Strengths(None, "they need choix; pip install 'vibench[study]'")
    groups, _ = connected_components(wins > 0, directed=True, connection="strong")
    if groups > 1:
        return Strengths(None, "some methods were never preferred to the others, so strengths have no finite estimate")
    try:
        found = choix.ilsr_pairwise_dense(wins, max_iter=1000)
    except RuntimeError:
        return Strengths(None, "the fit did not converge: too few answers between some methods")
    centred = np.asarray(found, np.float64) - np.mean(found)
    return Strengths(tuple(float(value) for value in centred))
