"""Tiny made data sets in the exact official layouts, for tests of readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_davis(root: Path, clips: dict[str, int], height: int = 24, width: int = 32) -> Path:
    """``JPEGImages/480p/CLIP/00000.jpg`` and ``Annotations/480p/CLIP/00000.png``, a square moving over a gradient."""
    for clip, count in clips.items():
        images, annotations = root / "JPEGImages" / "480p" / clip, root / "Annotations" / "480p" / clip
        images.mkdir(parents=True)
        annotations.mkdir(parents=True)
        for t in range(count):
            picture = np.add.outer(np.arange(height), np.arange(width))[..., None] * np.array([1, 2, 3]) + t
            Image.fromarray(picture.astype(np.uint8)).save(images / f"{t:05d}.jpg")
            mask = np.zeros((height, width), dtype=np.uint8)
            mask[4:12, 2 + t % 8 : 12 + t % 8] = 255
            Image.fromarray(mask).save(annotations / f"{t:05d}.png")
    return root
