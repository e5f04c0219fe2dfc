"""How often the steps of `vibench history` are false and how often they are missed, as a table in Markdown.

python tests/support/step_alarms.py 2000
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vibench.results.markdown import markdown_table
from vibench.results.steps import steps_in

Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]
SPREAD = 0.03
"""Standard deviation of the logarithms of normal noise: 3 per cent of the value."""


def drifting(chance: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Noise of which each value keeps half of the one before it."""
    values = chance.normal(0, 1, count + 20)
    for place in range(1, len(values)):
        values[place] += values[place - 1] / 2
    return values[20:]


NOISES: dict[str, Noise] = {
    "normal": lambda chance, count: chance.normal(0, 1, count),
    "with outliers (Student's t, 3 degrees)": lambda chance, count: chance.standard_t(3, count),
    "one-sided (exponential)": lambda chance, count: chance.exponential(1, count),
    "drifting (half of each value stays)": drifting,
}
COUNTS = (4, 8, 12, 20, 60)
STEPS = (1.1, 1.2, 1.5)


def share(noise: Noise, count: int, factor: float, draws: int, seed: int = 1) -> float:
    """The share of series that have a step of whatever size, where their second half is ``factor`` times larger."""
    chance = np.random.default_rng(seed)
    level = np.where(np.arange(count) < count // 2, 1.0, factor)
    series = (level * np.exp(SPREAD * noise(chance, count)) for _ in range(draws))
    return float(np.mean([bool(steps_in(values.tolist(), 0.0, logarithmic=True)) for values in series]))


def main(draws: int) -> None:
    """Print the table."""
    rows = []
    for name, noise in NOISES.items():
        rows.append([f"no step, noise {name}", *(f"{100 * share(noise, n, 1.0, draws):.1f} %" for n in COUNTS)])
    for factor in STEPS:
        found = [f"{100 * share(NOISES['normal'], n, factor, draws):.0f} %" for n in COUNTS]
        rows.append([f"a step of {100 * (factor - 1):.0f} % in the middle, noise normal", *found])
    print(
        markdown_table([f"{draws} series each", *(f"{n} measurements" for n in COUNTS)], rows, "l" + "r" * len(COUNTS))
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
