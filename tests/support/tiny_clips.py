"""Three clips of six small moving frames as image folders, a protocol over them, and orders for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.results.store import Store
from vibench.runner.order import Order

NAMES = ("ant", "bee", "cow")


def write_clips(root: Path, names: tuple[str, ...] = NAMES, seed: int = 0) -> Path:
    """Six moving frames of 80x96 a clip; another ``seed`` makes other clips of the same names."""
    for index, name in enumerate(names):
        texture = cv2.GaussianBlur(
            np.random.default_rng(seed + index).integers(0, 256, (120, 150, 3), dtype=np.uint8), (0, 0), 2
        )
        for frame in range(6):
            path = root / name / f"{frame:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), texture[10 + frame : 90 + frame, 5 + 2 * frame : 101 + 2 * frame])
    return root


def tiny_protocol(clips: Path, *metrics: str, repeats: int = 1) -> Protocol:
    return Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3, "repeats": repeats,
            "data": {"dataset": f"folder:{clips}"},
            "holes": [{"name": "square", "generator": "stationary-square"}],
            "scoring": {"metrics": list(metrics) or ["psnr", "warping-error-dis"]},
        }
    )  # fmt: skip


def order(protocol: Protocol, output: Path, *methods: str, **more: Any) -> Order:
    specs = tuple(Spec.parse(text) for text in methods)
    return Order(protocol=protocol, methods=specs, metrics=protocol.scoring.metrics, output=output, **more)


def without_timing(store: Store) -> dict[str, str]:
    """Relative path -> record as text, timing taken out."""
    found = {}
    for path in sorted(store.folder.glob("records/*/*.json")):
        content = json.loads(path.read_text())
        content.pop("timing")
        found[str(path.relative_to(store.folder))] = json.dumps(content)
    return found
