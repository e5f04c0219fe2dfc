"""A tiny made Sintel in the exact official layout: frames, forward flow and occlusions."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vibench.data.layouts import FLO_HEADER, FLO_MAGIC


def write_sintel(root: Path, clips: dict[str, int], height: int = 24, width: int = 32) -> Path:
    """``training/final/CLIP/frame_0001.png``, ``training/flow/CLIP/frame_0001.flo`` and ``training/occlusions``."""
    for seed, (clip, count) in enumerate(clips.items()):
        generator = np.random.default_rng(seed)
        texture = cv2.resize(
            generator.integers(0, 256, (height // 4, width // 4, 3), np.uint8), (width + count, height)
        )
        for t in range(count):
            _save(root / "training" / "final" / clip / f"frame_{t + 1:04d}.png", texture[:, t : t + width])
            if t + 1 < count:
                flow = root / "training" / "flow" / clip / f"frame_{t + 1:04d}.flo"
                flow.parent.mkdir(parents=True, exist_ok=True)
                header = FLO_HEADER.pack(FLO_MAGIC, width, height)
                flow.write_bytes(header + np.full((height, width, 2), (-1, 0), "<f4").tobytes())
                occluded = np.zeros((height, width), np.uint8)
                occluded[:3, 5:9] = 255
                _save(root / "training" / "occlusions" / clip / f"frame_{t + 1:04d}.png", occluded)
    return root


def _save(path: Path, picture: np.ndarray) -> None:  # type: ignore[type-arg]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(picture, np.uint8)).save(path)
