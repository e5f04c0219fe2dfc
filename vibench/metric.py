"""What a metric is: an object that gives, for a clip, a series of values in each region."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vibench.clip import Case, Frames, Masks

Direction = Literal["higher", "lower"]
Aggregate = Literal["mean", "frechet-distance", "kernel-distance"]
Need = Literal["truth", "exact-flow"]


@dataclass(frozen=True)
class MetricInfo:
    """What a metric measures, how a table shows it, and what it needs.

    ``name`` says the setting too: ``ssim-sttn`` is not ``ssim-gaussian``. ``title`` heads its column. ``unit`` may be
    empty. ``better`` says whether higher or lower values are better. ``has_floor`` says that the truth itself does not
    get a perfect value, so that a table must show the truth's value beside the others. ``needs`` lists what a case
    must have: its ``truth``, or the ``exact-flow`` of the truth. ``source`` is the paper or code that defines the
    number. ``version`` grows when the number's definition changes.

    ``aggregate`` says how the clips of a method become one number. With ``mean`` it is the mean over the clips. With
    ``frechet-distance`` the series of each clip is one feature vector, and the number is the Frechet distance between
    the vectors of the method's clips and those of the true clips, for which ``has_floor`` must be True. Where a
    protocol repeats its cases with other seeds, there is one distance per repeat, and the number is their mean. With
    ``kernel-distance`` it is the kernel distance of these vectors, with an interval over clips.
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
    """The values of one metric in one region of a clip: one per frame, or one per pair of neighbouring frames.

    A value is None where the region is empty in that frame, because it has no hole. ``mean`` is over the others.
    """

    values: tuple[float | None, ...]

    @property
    def mean(self) -> float | None:
        """The mean over the values that exist, or None where none does."""
        known = [value for value in self.values if value is not None]
        return float(np.mean(known)) if known else None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Series:
        """Make a series of numbers of any float type; NaN becomes None."""
        return cls(tuple(None if value is None or np.isnan(value) else float(value) for value in values))


class Metric(typing.Protocol):
    """An object that measures clips.

    ``info`` never changes. Making the object may load weights, and raises MissingResource where they are not there.

    A metric may also have an attribute ``resources``: a mapping from the name of a file to the sha256 of its content
    (or the first digits of it), for every file that decides its values, such as weights. It is part of what a value is
    told to be measured by, beside the metric's code and options: with other files, values are measured again.

    A metric that takes long may have a method ``seconds_per_frame()``: how many seconds a frame takes on this machine,
    or None where that is little. A run calls it once and says how long it will take before it starts.
    """

    @property
    def info(self) -> MetricInfo:
        """What the metric measures and what it needs."""
        ...

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return the series of each region, usually ``frame`` (all pixels) and ``hole`` (pixels in the hole).

        A metric that compares with the truth also gives ``effect`` (what a side effect of the object changed) and one
        for each region of ``case.kept``; see ``seen_alike``.

        ``frames`` are a method's output for ``case``, uint8 (T, H, W, 3) in 0..255, composited as the protocol says.
        """
        ...


def truth_of(case: Case) -> Frames:
    """Return the truth of a case; raise ValueError where it has none, since such a case needs another metric."""
    if case.truth is None:
        raise ValueError(f"case {case.name} has no truth, and the metric needs it")
    return case.truth


def seen_alike(frames: Frames, case: Case) -> Iterator[tuple[Frames, dict[str, Masks]]]:
    """Yield clips to compare with the truth, and the regions to measure in each: masks, bool (T, H, W), by their names.

    First come the ``frames`` themselves with the region ``hole`` and, where it is known, ``effect``; then a clip for
    each region of ``kept_alike``. Raises ValueError where the case has no truth and there are such.
    """
    yield frames, {"hole": case.holes, **({} if case.effect is None else {"effect": case.effect})}
    for region, clip, masks in kept_alike(frames, case):
        yield clip, {region: masks}


def kept_alike(frames: Frames, case: Case) -> Iterator[tuple[str, Frames, Masks]]:
    """Yield, for each region that a method should leave alone, its name, a clip, and its masks, bool (T, H, W).

    The clip has the pixels of ``frames`` in the region and those of the truth everywhere else, so that a metric which
    looks at windows or at whole frames finds nothing but the damage in the region. Nothing is yielded where the output
    is composited. Raises ValueError where the case has no truth.
    """
    for region, masks in case.kept.items():
        yield region, np.where(masks[..., None], frames, truth_of(case)), masks
