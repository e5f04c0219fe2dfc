"""What a metric is: one number per region for a clip, kept with the values it is the mean of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from vibench.clip import Case, Frames

Direction = Literal["higher", "lower"]
Aggregate = Literal["mean", "frechet-distance"]
Need = Literal["truth", "exact-flow"]


@dataclass(frozen=True)
class MetricInfo:
    """How a table shows a metric and what it needs.

    ``name`` carries the setting (``ssim-sttn`` is not ``ssim-gaussian``); ``unit`` may be empty; ``has_floor`` says that the
    truth itself does not score perfectly, so its own value must stand beside; ``needs`` lists what a case must have.

    ``aggregate`` says how a method's clips become one number: their ``mean``, or the ``frechet-distance`` between the clips'
    series, read as one feature vector a clip, and those of the truth's clips (whose record ``has_floor`` asks for). Where a
    protocol repeats its cases with other seeds there is one distance a repeat, and the number is their mean.
    """

    name: str
    title: str
    unit: str
    better: Direction
    has_floor: bool = False
    needs: frozenset[Need] = frozenset({"truth"})
    source: str = ""
    version: int = 1
    aggregate: Aggregate = "mean"


@dataclass(frozen=True)
class Series:
    """Values of one metric in one region: one per frame, or one per pair of frames.

    A value is None where the region is empty in that frame (no hole). ``mean`` is over the others.
    """

    values: tuple[float | None, ...]

    @property
    def mean(self) -> float | None:
        """Mean over the values that exist, or None."""
        known = [value for value in self.values if value is not None]
        return float(np.mean(known)) if known else None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Series:
        """From numbers of any float type; NaN counts as missing."""
        return cls(tuple(None if value is None or np.isnan(value) else float(value) for value in values))


class Metric(Protocol):
    """Measures one clip. ``info`` is static; making an instance may load weights and raise MissingResource."""

    @property
    def info(self) -> MetricInfo:
        """How a table shows it."""
        ...

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Region (``frame``, ``hole``) -> series, for composited uint8 ``frames`` of ``case``."""
        ...


def truth_of(case: Case) -> Frames:
    """The truth of a case that a metric needs; the harness asks no such metric where there is none."""
    if case.truth is None:
        raise ValueError(f"case {case.name} has no truth, and the metric needs it")
    return case.truth
