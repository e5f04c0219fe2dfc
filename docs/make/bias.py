"""Draws how few clips bias a distance between sets: docs/images/set-bias.svg and the table of docs/removal.md.

``python docs/make/bias.py`` takes about a minute on one core; with ``--check`` the table is compared, and nothing is
drawn. Clips are vectors of normal distributions whose distance is known exactly. A method's clips are either the true
ones with an error each, as in a benchmark, or other clips altogether, as in the generation of video.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pages import DOCS, keep, run, with_block

from vibench.metrics.frechet import frechet_distance
from vibench.metrics.kernel import kernel_distance

PAGE, PICTURE = DOCS / "removal.md", DOCS / "images" / "set-bias.svg"
COUNTS, DRAWS, DIMENSIONS = (10, 20, 50, 100), 300, 1024
Vectors = NDArray[np.float64]


class Normal(NamedTuple):
    """A normal distribution of independent features: (D,) means and (D,) deviations."""

    mean: Vectors
    deviation: Vectors


# Features of a video network are not negative, and a few directions hold most of what varies.
TRUTH = Normal(np.full(DIMENSIONS, 0.4), 0.6 / np.sqrt(np.arange(1, DIMENSIONS + 1)))
LARGER, SHIFT, NOISE = 1.05, 0.01, 0.3
METHOD = Normal(LARGER * TRUTH.mean + SHIFT, TRUTH.deviation * sqrt(LARGER**2 + NOISE**2))


def true_frechet(one: Normal, other: Normal) -> float:
    """The Frechet distance of two such distributions (Dowson and Landau 1982)."""
    return float(np.square(one.mean - other.mean).sum() + np.square(one.deviation - other.deviation).sum())


def true_kernel(one: Normal, other: Normal) -> float:
    """The squared MMD by KID's kernel: from the first three moments, which the third power of a product needs."""
    return _expected(one, one) + _expected(other, other) - 2 * _expected(one, other)


def _expected(one: Normal, other: Normal) -> float:
    """The mean of ``(x.y / D + 1)³`` over independent x and y of two distributions."""
    (a, s), (b, t) = (one.mean, one.deviation**2), (other.mean, other.deviation**2)
    first = a @ b
    second = first**2 + a**2 @ t + b**2 @ s + s @ t
    third = first**3 + 3 * first * (a**2 @ t + b**2 @ s + s @ t) + 6 * (a * b) @ (s * t)
    return float(third / DIMENSIONS**3 + 3 * second / DIMENSIONS**2 + 3 * first / DIMENSIONS + 1)


def clips(chance: np.random.Generator, count: int, paired: bool) -> tuple[Vectors, Vectors]:
    """The clips of a method and true ones: the same where they are ``paired``, else others."""
    truth, others = (TRUTH.mean + TRUTH.deviation * chance.normal(size=(count, DIMENSIONS)) for _ in range(2))
    noise = NOISE * TRUTH.deviation * chance.normal(size=truth.shape)
    return LARGER * (truth if paired else others) + SHIFT + noise, truth


ESTIMATES: Mapping[str, tuple[Callable[[Vectors, Vectors], float], float]] = {
    "VFID": (frechet_distance, true_frechet(METHOD, TRUTH)),
    "KID's estimator": (kernel_distance, true_kernel(METHOD, TRUTH)),
    "KVD": (lambda x, y: kernel_distance(x, y, estimator="u-statistic"), true_kernel(METHOD, TRUTH)),
}
"""Name -> the estimate, and the exact distance of the two distributions."""


SETS = {"the same clips": True, "other clips": False}
"""What a row of the picture calls them, and whether a method's clips are the true ones."""

Found = Mapping[tuple[str, str], Mapping[int, Vectors]]
"""(sets, estimate) -> number of clips -> the estimates of all draws, each as a multiple of the exact distance."""


def simulated() -> Found:
    """Every estimate of every number of clips."""
    chance = np.random.default_rng(20_260_101)
    found: dict[tuple[str, str], dict[int, Vectors]] = {(sets, name): {} for sets in SETS for name in ESTIMATES}
    for (sets, paired), count in product(SETS.items(), COUNTS):
        drawn = [clips(chance, count, paired) for _ in range(DRAWS)]
        for name, (estimate, exact) in ESTIMATES.items():
            found[sets, name][count] = np.array([estimate(*pair) for pair in drawn]) / exact
    return found


def table(found: Found) -> str:
    """Means and deviations of the estimates as multiples of the exact distance, as a Markdown table."""
    rows = [f"| sets | clips | {' | '.join(ESTIMATES)} |", "|---|---:|" + "---:|" * len(ESTIMATES)]
    for sets, count in product(SETS, COUNTS):
        series = (found[sets, name][count] for name in ESTIMATES)
        rows.append(f"| {sets} | {count} | {' | '.join(f'{one.mean():.2f} ± {one.std():.2f}' for one in series)} |")
    return "\n".join(rows)


def draw(found: Found) -> None:
    """One panel an estimate and kind of sets: the mean and the middle 90 % of draws over the number of clips."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams.update({"svg.hashsalt": "vibench", "font.size": 9})
    grid = {"sharex": True, "figsize": (9, 4.6), "layout": "constrained"}
    figure, panels = plt.subplots(len(SETS), len(ESTIMATES), **grid)
    for panel, ((sets, name), series) in zip(panels.flat, found.items(), strict=True):
        low, high = (np.array([np.quantile(series[count], part) for count in COUNTS]) for part in (0.05, 0.95))
        panel.fill_between(COUNTS, low, high, alpha=0.25, linewidth=0)
        panel.plot(COUNTS, [series[count].mean() for count in COUNTS], marker="o")
        panel.axhline(1, color="black", linestyle="--", linewidth=1)
        panel.set(title=f"{name}, {sets}", xscale="log", xticks=COUNTS, xticklabels=COUNTS)
        panel.minorticks_off()
    figure.supxlabel("clips")
    figure.supylabel("estimate / exact distance")
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)


def make(check: bool) -> bool:
    """Write the table and draw the picture, or with ``check`` compare the table."""
    found = simulated()
    if not check:
        draw(found)
    page = with_block(PAGE.read_text(encoding="utf-8"), "bias of few clips", table(found))
    return keep(PAGE, page, check=check, computed=True)


if __name__ == "__main__":
    run(make)
