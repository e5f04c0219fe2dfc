"""The Frechet distance between two sets of feature vectors, each taken as a sample of a normal distribution.

Source: Dowson and Landau, The Fréchet Distance between Multivariate Normal Distributions, 1982; Heusel et al., GANs
Trained by a Two Time-Scale Update Rule, NeurIPS 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vibench.errors import InputError

Vectors = NDArray[np.float64]
"""(n, D): one vector of D features for each of n clips."""


def frechet_distance(ours: Vectors, truth: Vectors) -> float:
    """Return ``|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^(1/2))``: 0 for equal sets, lower is better.

    m are means and C sample covariances (divided by n - 1) of the two sets of vectors. The trace of the root is the
    sum of the singular values of the product of both centred sets. That needs no root of a D x D matrix, and it is
    exact where there are fewer vectors than dimensions, at which the usual root is only near it. Fewer than two
    vectors in a set raise InputError.
    """
    for vectors in (ours, truth):
        if len(vectors) < 2:
            raise InputError(f"a Frechet distance needs at least 2 clips on each side, not {len(vectors)}")
    first, second = (_deviations(np.asarray(vectors, np.float64)) for vectors in (ours, truth))
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    between_means = np.square(np.mean(ours, axis=0) - np.mean(truth, axis=0)).sum()
    spreads = np.square(first).sum() + np.square(second).sum()
    distance = float(between_means + spreads - 2 * shared)
    # What is left of equal sets is rounding, and would be shown as a number with an exponent.
    return distance if distance > 1e-12 * spreads else 0.0


def frechet_warning(clips: int, dimensions: int) -> str | None:
    """Return the sentence that a table must show beside a Frechet distance of few clips, or None for many."""
    if clips >= 2 * dimensions:
        return None
    return (
        f"{clips} clips estimate a distribution in {dimensions} dimensions (2 x {dimensions} would be the least): "
        "the distance is biased, and only distances over the same clips can be compared"
    )


def _deviations(vectors: Vectors) -> Vectors:
    """Return A such that A'A is the sample covariance."""
    deviations: Vectors = (vectors - vectors.mean(axis=0)) / np.sqrt(len(vectors) - 1)
    return deviations
