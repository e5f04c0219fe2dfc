"""Free-form blobs in named levels of size, deformation and displacement, the three ways in which DEVIL varies holes.

Source of the idea: Szeto and Corso, The DEVIL Is in the Details, CVPR 2022. The numbers behind the levels are ours.
"""

from __future__ import annotations

from vibench.clip import Masks
from vibench.errors import InputError
from vibench.masks.silhouettes import moving_object

SIZES = {"small": 0.25, "medium": 0.45, "large": 0.7}
"""Mean diameter, as a fraction of the shorter side."""

DEFORMATIONS = {"none": 0.0, "low": 0.2, "high": 0.5}
"""How far the radius strays from its mean."""

DISPLACEMENTS = {"none": 0.0, "low": 0.005, "high": 0.03}
"""Way per frame, as a fraction of the shorter side."""


def devil_blob(
    frames: int,
    height: int,
    width: int,
    seed: int,
    *,
    size: str = "medium",
    deformation: str = "low",
    displacement: str = "low",
) -> Masks:
    """A blob in levels of size, deformation and displacement, the three ways in which DEVIL varies holes.

    ``size`` is small, medium or large; ``deformation`` and ``displacement`` are none, low or high.
    """
    return moving_object(
        frames,
        height,
        width,
        seed,
        size=_level("size", size, SIZES),
        deformation=_level("deformation", deformation, DEFORMATIONS),
        speed=_level("displacement", displacement, DISPLACEMENTS),
    )


def _level(option: str, value: str, levels: dict[str, float]) -> float:
    if value not in levels:
        raise InputError(f"mask option {option}={value!r} must be one of {', '.join(levels)}")
    return levels[value]
