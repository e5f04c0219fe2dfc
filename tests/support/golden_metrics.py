"""The clip on which the originals' own code computed each metric, and the numbers it gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vibench.clip import Case, ExactFlow, Frames

FOLDER = Path(__file__).parents[1] / "golden" / "metrics"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())


def array(file: str, name: str) -> Any:
    with np.load(FOLDER / file) as arrays:
        return arrays[name]


def golden_case() -> Case:
    truth, holes = array("inputs.npz", "truth"), array("inputs.npz", "holes")
    flow = ExactFlow(array("inputs.npz", "flow_forward"), array("inputs.npz", "flow_backward"))
    return Case("golden", truth, holes, truth, flow)


def golden_composite() -> Frames:
    return np.asarray(array("composite.npz", "composite"), np.uint8)


def truncated_composite() -> Frames:
    """What the STTN family scores: the float prediction cut down, not rounded, to uint8 in the hole."""
    case = golden_case()
    prediction = array("inputs.npz", "prediction").astype(np.uint8)
    return np.where(case.holes[..., None], prediction, case.frames)


def noisy_pair(seed: int, height: int = 80, width: int = 90, frames: int = 2) -> tuple[Frames, Frames]:
    """A smooth random clip and the same with noise, uint8 (T, H, W, 3)."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (frames, height // 10 + 1, width // 10 + 1, 3))
    clean = np.repeat(np.repeat(coarse, 10, axis=1), 10, axis=2)[:, :height, :width]
    noisy = np.clip(clean + generator.normal(0, 12, clean.shape), 0, 255)
    return noisy.astype(np.uint8), clean.astype(np.uint8)


def case_of(truth: Frames, holes: Any = None) -> Case:
    """A case around a truth; the default hole is the middle quarter of every frame."""
    if holes is None:
        height, width = truth.shape[1:3]
        holes = np.zeros(truth.shape[:3], bool)
        holes[:, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    return Case("case", truth, holes, truth)
