"""Holes to train with: random squares, moving squares, free-form strokes and object shapes, moving at random."""

import math
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vinet.training.scenes.chance import uniform, whole

Kind = Literal["square", "moving-square", "free-form", "object"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SPOKES = 32
MOST = 0.6
"""Of the frame: strokes beyond it are not drawn."""


def holes(chance: torch.Generator, frames: int, height: int, width: int, kind: Kind | None = None) -> Tensor:
    """Masks (frames, 1, H, W), float32, 1 = hole, of `kind` or of one that `chance` picks; never empty, never full."""
    kind = kind or KINDS[whole(chance, 0, len(KINDS) - 1)]
    short = min(height, width)
    speed = 0.0 if kind == "square" else float(uniform(chance, 0, 0.03, 1)) * short
    if kind in ("square", "moving-square"):
        side = float(uniform(chance, 0.2, 0.5, 1)) * short
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2
        shape, reach = [corners], side / 2
    elif kind == "object":
        shape, reach = [_outline(chance, float(uniform(chance, 0.12, 0.3, 1)) * short)], 0.15 * short
    else:
        shape, reach = _strokes(chance, short), 0.35 * short
    path = _path(chance, frames, height, width, min(reach, 0.45 * short), speed)
    masks = np.stack([_drawn(shape, centre, height, width) for centre in path])
    return torch.from_numpy(masks)[:, None].float()


def _path(
    chance: torch.Generator, frames: int, height: int, width: int, margin: float, speed: float
) -> NDArray[np.float64]:
    """Centres (frames, 2) as (x, y), on a straight line that is reflected `margin` px from the frame's edges."""
    room = np.array([width - 1 - 2 * margin, height - 1 - 2 * margin])
    start = uniform(chance, 0, 1, 2).double().numpy() * room
    angle = float(uniform(chance, 0, math.tau, 1))
    way = start + speed * np.arange(frames)[:, None] * np.array([math.cos(angle), math.sin(angle)])
    folded = np.abs((way + room) % (2 * room) - room)
    return np.asarray(margin + folded)


def _outline(chance: torch.Generator, radius: float) -> NDArray[np.float64]:
    """A smooth closed outline (SPOKES, 2) around the origin: a circle of `radius` and three random waves."""
    angles = np.arange(SPOKES) * math.tau / SPOKES
    radii = np.full(SPOKES, radius)
    for wave in (2, 3, 4):
        amplitude, phase = uniform(chance, 0, 1, 2).tolist()
        radii += 0.25 * radius * amplitude * np.cos(wave * angles + math.tau * phase)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _strokes(chance: torch.Generator, short: int) -> list[NDArray[np.float64]]:
    """Brush lines as polygons (N, 2), each piece a thick segment."""
    pieces = []
    for _ in range(whole(chance, 2, 5)):
        place = uniform(chance, -0.25, 0.25, 2).double().numpy() * short
        heading = float(uniform(chance, 0, math.tau, 1))
        radius = float(uniform(chance, 0.02, 0.06, 1)) * short
        for _ in range(whole(chance, 2, 5)):
            heading += float(uniform(chance, -1.5, 1.5, 1))
            ahead = np.array([math.cos(heading), math.sin(heading)])
            end = place + float(uniform(chance, 0.08, 0.25, 1)) * short * ahead
            across = np.array([-ahead[1], ahead[0]]) * radius
            tip = ahead * radius  # pieces overlap where they meet
            pieces.append(
                np.stack([place + across - tip, end + across + tip, end - across + tip, place - across - tip])
            )
            place = end
    return pieces


def _drawn(
    shapes: list[NDArray[np.float64]], centre: NDArray[np.float64], height: int, width: int
) -> NDArray[np.uint8]:
    """Polygons around `centre` painted into (H, W) of 0 and 1; what would grow the hole beyond `MOST` is left out."""
    canvas = np.zeros((height, width), np.uint8)
    for shape in shapes:
        if canvas.mean() < MOST:
            cv2.fillPoly(canvas, [np.rint(shape + centre).astype(np.int32)], (1,))
    return canvas
