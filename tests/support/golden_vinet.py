"""The weights and the clip that the golden VINet outputs in `golden/` were computed from, by rule."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "golden"
SHAPES: dict[str, list[int]] = json.loads((GOLDEN / "vinet_state_dict_shapes.json").read_text())


def golden_weights() -> dict[str, Tensor]:
    """The weights of the published network that its golden outputs belong to."""
    return drawn_weights(SHAPES)


def calm_weights() -> dict[str, Tensor]:
    """Weights of the published network that do not multiply rounding, for comparing two computations of one network.

    With `golden_weights`, float32 and float64 of one implementation are 30 apart after three recurrent steps at 256 px;
    with these, 2e-6. Kernels have variance gain / fan-in: gain 5 where gated, 3 in the last layers of a flow estimate,
    8 in the ConvLSTM and 1.6 elsewhere.
    """
    return {name: torch.from_numpy(_draw(name, shape, _calm_gain(name))) for name, shape in SHAPES.items()}


def drawn_weights(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Values seeded with crc32(name): normal, biases times 0.1, kernels of variance gain / fan-in.

    The gain is 7 where a convolution is gated and 2 elsewhere.
    """
    return {name: torch.from_numpy(_draw(name, shape, 7 if _gated(name) else 2)) for name, shape in shapes.items()}


def _draw(name: str, shape: list[int], gain: float) -> np.ndarray:
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float64)
    values = values.astype(np.float32)
    if len(shape) == 1:
        return values * np.float32(0.1)
    return values * np.float32((gain / np.prod(shape[1:])) ** 0.5)


def _gated(name: str) -> bool:
    return name.startswith(("encoder", "bottleneck.", "decoder.", "st_agg"))


def _calm_gain(name: str) -> float:
    if name.startswith("convlstm"):
        return 8
    if name.endswith(("flow_estimator.conv1.weight", "convs_fine.convs.6.0.weight")):
        return 3
    return 5 if _gated(name) else 1.6


def golden_clip(frames: int, size_px: int) -> tuple[Tensor, Tensor]:
    """Three sines drifting by (1.5, -0.75) px a frame, (T, 3, S, S), and a square hole moving by one, (T, 1, S, S)."""
    y, x = np.mgrid[:size_px, :size_px].astype(np.float64)
    clip = np.empty((frames, 3, size_px, size_px), np.float32)
    masks = np.zeros((frames, 1, size_px, size_px), np.float32)
    quarter, third = size_px // 4, size_px // 3
    for t in range(frames):
        u, v = x + 1.5 * t, y - 0.75 * t
        clip[t, 0] = np.sin(0.21 * u + 0.05 * v)
        clip[t, 1] = np.cos(0.13 * v - 0.08 * u)
        clip[t, 2] = np.sin(0.09 * (u + v)) * np.cos(0.17 * u)
        masks[t, 0, third : third + quarter, quarter + t : 2 * quarter + t] = 1
    return torch.from_numpy(clip), torch.from_numpy(masks)
