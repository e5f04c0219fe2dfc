"""How far raters agree beyond chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fleiss_kappa(counts: NDArray[np.int64]) -> float | None:
    """Fleiss' kappa of ``counts`` (items, categories), each row summing to the same number of raters, two at least.

    1 is perfect agreement, 0 what chance gives; None where it is not defined: no item, one rater, or one category in all
    answers. Source: J. L. Fleiss, Measuring nominal scale agreement among many raters, Psychological Bulletin 76 (1971),
    equations 3, 5 and 7. Written out here because statsmodels would be a large dependency for three lines.
    """
    raters = int(counts.sum(axis=1)[0]) if len(counts) else 0
    if raters < 2:
        return None
    if (counts.sum(axis=1) != raters).any():
        raise ValueError("every item needs the same number of ratings")
    observed = ((counts**2).sum(axis=1) - raters).mean() / (raters * (raters - 1))
    expected = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    return None if expected == 1 else float((observed - expected) / (1 - expected))
