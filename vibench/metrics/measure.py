"""One metric on two arrays, as a notebook calls it, through the same metric objects that the harness uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibench import plugins
from vibench.clip import Case, ExactFlow, as_frames, as_masks, check_pair
from vibench.errors import InputError
from vibench.machine.device import resolve
from vibench.media.resize import kept_regions
from vibench.metric import Direction, Metric, MetricInfo, Series


@dataclass(frozen=True)
class Measured:
    """What one metric found in one clip.

    ``regions`` maps each region to one value per frame, or per pair of neighbouring frames for metrics of motion. The
    usual regions are ``frame``, all pixels, and ``hole``, the pixels in the hole. A value is None where its region is
    empty in that frame. ``metric`` says what was measured: its name, unit, direction and source.
    """

    metric: MetricInfo
    regions: Mapping[str, tuple[float | None, ...]]

    @property
    def mean(self) -> dict[str, float | None]:
        """The mean over the values of each region that exist, or None where none does."""
        return {region: Series(values).mean for region, values in self.regions.items()}

    @property
    def unit(self) -> str:
        """The unit of the values, such as ``dB``; empty where they have none."""
        return self.metric.unit

    @property
    def better(self) -> Direction:
        """Whether ``higher`` or ``lower`` values are better."""
        return self.metric.better

    def __getitem__(self, region: str) -> tuple[float | None, ...]:
        """Return the values of a region; raise InputError where the metric has no such region."""
        if region not in self.regions:
            raise InputError(f"{self.metric.name} has no region {region!r}; it has {', '.join(self.regions)}")
        return self.regions[region]

    def __repr__(self) -> str:
        """Say the means in one line, with their unit and the number of values."""
        unit = f" {self.unit}" if self.unit else ""
        means = (
            f"{region} {'none' if mean is None else f'{mean:.6g}{unit}'} ({len(self.regions[region])} values)"
            for region, mean in self.mean.items()
        )
        return f"<{self.metric.name}, {self.better} is better: {', '.join(means)}>"


def measure(
    metric: str | Metric,
    frames: NDArray[np.uint8],
    truth: NDArray[np.uint8] | None = None,
    holes: NDArray[np.bool_] | None = None,
    *,
    flow: ExactFlow | None = None,
    kept_margin_px: int | None = None,
    device: str = "auto",
    name: str = "clip",
) -> Measured:
    """Measure one clip and return the values of every frame.

    ``metric`` is a name that ``vibench list metrics`` shows, with its options in brackets where it has any
    (``"lpips-vgg[weights=vgg16.ckpt]"``), a ``module:factory`` path, or a metric object. ``frames`` are the output of a
    method and ``truth`` is what they should be, both uint8 (T, H, W, 3) in 0..255; they are compared as they are, so
    copy the truth around the holes into ``frames`` first if only the filled pixels shall count. ``holes`` are bool
    (T, H, W), or (H, W) for all frames, True inside the hole; without them no frame has a hole, and only the region
    ``frame`` has values. ``kept_margin_px`` asks for what lies outside the holes by itself, which only says something
    of frames that were not put back into the truth: 0 gives the region ``kept``, and N also ``kept-Npx``, outside the
    holes after N dilations by a 3x3 cross. ``flow`` is the exact motion of ``truth``, which some metrics need.
    ``device`` is ``auto``, ``cpu`` or ``cuda``; networks run there. ``name`` is what errors call the clip.

    Raises InputError with one sentence that says what to pass where an array, the metric's name or an option is wrong,
    or where the metric needs something that was not given. Raises MissingResource where its weights are not on this
    machine.
    """
    clip = as_frames(frames)
    true = None if truth is None else as_frames(truth, "truth")
    masks = np.zeros(clip.shape[:3], np.bool_) if holes is None else as_masks(holes, clip)
    if true is not None:
        check_pair(clip, true, None if holes is None else masks)
    measuring = _made(metric, device) if isinstance(metric, str) else metric
    info = measuring.info
    _check_needs(info, true is not None, flow is not None)
    kept = {} if kept_margin_px is None else kept_regions(masks, kept_margin_px)
    case = Case(name, clip if true is None else true, masks, true, flow, kept=kept)
    regions = {region: series.values for region, series in measuring.measure(clip, case).items()}
    if holes is None and not any(value is not None for values in regions.values() for value in values):
        raise InputError(f"{info.name} has a value only where there is a hole; pass holes, bool (T, H, W)")
    return Measured(info, regions)


def _check_needs(info: MetricInfo, has_truth: bool, has_flow: bool) -> None:
    if info.aggregate != "mean":
        raise InputError(
            f"{info.name} compares the clips of a method with the true clips as two sets, so one clip has no value; "
            "measure a protocol of several clips with vibench run"
        )
    if "truth" in info.needs and not has_truth:
        raise InputError(f"{info.name} compares frames with the truth; pass truth, uint8 (T, H, W, 3)")
    if "exact-flow" in info.needs and not has_flow:
        raise InputError(f"{info.name} needs the exact motion of the truth; pass flow, a vibench.ExactFlow")


def _made(metric: str, device: str) -> Metric:
    """Make a metric by its name, or return the one that was made before for the same text, factory and device."""
    spec = plugins.Spec.parse(metric)
    build = plugins.factory("metrics", spec.name)
    # Looking for a GPU loads torch, which takes a second that most metrics do not need.
    runs_on_device = "device" in plugins.checked_options(build, spec)
    return _kept(build, spec.label, resolve(device) if runs_on_device else "cpu")


@lru_cache(maxsize=4)
def _kept(factory: Any, label: str, device: str) -> Metric:
    """Make a metric, or return one of the last few, since making one may load a network.

    The key holds the factory itself, so that one which a notebook defines anew is called anew.
    """
    made: Metric = plugins.make("metrics", plugins.Spec.parse(label), device=device)
    return made
