"""Synthetic clips of which everything is known: exact flow both ways, true silhouettes, the background behind them.

A camera pans, zooms or turns over a photo, and an object with a smooth outline, cut from another photo, moves before
it. Every pixel is sampled once, straight from the photo, through one affine map per frame, so that motion is exact to
a fraction of a pixel and errors do not add up. Nothing is estimated.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal, get_args

import numpy as np

from vibench.clip import Clip
from vibench.data.layers import Affine, Layer, blur_px, exact_flow, grid, quantised, rotation, translation
from vibench.data.photos import PHOTOS, SCENES, Outline, photo, size_px
from vibench.errors import InputError

Camera = Literal["still", "pan", "zoom", "rotate"]


@dataclass(frozen=True)
class Scene:
    """What a synthetic clip shows. The same scene always gives the same clip, and fewer frames give its beginning.

    ``height`` and ``width`` are in pixels. Speeds are per frame and relative to the frame's shorter side:
    ``camera_speed=0.01`` pans by 2.4 px a frame at 240 px, zooms by 1 %, or turns by 0.6 degrees, and ``object_speed``
    is the mean way of the object. ``object_size`` is the object's mean diameter relative to the shorter side; 0 means
    that there is none. ``seed`` chooses photos, outline, places and directions. Values out of range raise InputError.
    """

    name: str
    height: int = 240
    width: int = 432
    frames: int = 30
    camera: Camera = "pan"
    camera_speed: float = 0.01
    object_speed: float = 0.01
    object_size: float = 0.4
    seed: int = 0
    frames_per_second: float = 24.0

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 16 or self.frames < 1:
            raise InputError(
                "a synthetic clip needs at least 16x16 px and 1 frame, "
                f"not {self.width}x{self.height} and {self.frames}"
            )
        if self.camera not in get_args(Camera):
            raise InputError(f"there is no camera motion {self.camera!r}; there are {', '.join(get_args(Camera))}")
        for name in ("camera_speed", "object_speed"):
            if not 0 <= getattr(self, name) <= 0.2:
                raise InputError(f"{name}={getattr(self, name)!r} must be from 0 to 0.2 of the shorter side per frame")
        if not (self.object_size == 0 or 0.05 <= self.object_size <= 0.8):
            raise InputError(f"object_size={self.object_size!r} must be 0 (no object) or from 0.05 to 0.8")

    @property
    def shorter_side(self) -> int:
        """The frame's shorter side in pixels."""
        return min(self.height, self.width)


def scenes(height: int, width: int, frames: int) -> dict[str, Scene]:
    """Return the named scenes of the synthetic data set: five camera motions times a slow and a fast object."""
    cameras: dict[str, tuple[Camera, float]] = {
        "still": ("still", 0.0),
        "pan": ("pan", 0.005),
        "fast-pan": ("pan", 0.025),
        "zoom": ("zoom", 0.01),
        "rotate": ("rotate", 0.01),
    }
    objects = {"slow": 0.006, "fast": 0.03}
    return {
        f"{view}-{pace}": Scene(f"{view}-{pace}", height, width, frames, camera, speed, objects[pace], 0.4, seed)
        for seed, ((view, (camera, speed)), pace) in enumerate(product(cameras.items(), objects))
    }


@lru_cache(maxsize=1)
def render(scene: Scene) -> Clip:
    """Make the clip of ``scene``. Outside ``objects`` its frames equal ``background`` to the last bit.

    ``objects`` holds every pixel that the object touches at all. ``flow.visible`` is False also within ``EDGE_PX`` of
    an outline. The last clip is kept, since every hole of a protocol needs it again.
    """
    pixels = grid(scene.height, scene.width)
    world, thing = _world(scene), _object(scene)
    background = np.stack([quantised(world.colours(t, pixels)) for t in range(scene.frames)])
    distances = [thing.distance(t, pixels) if thing else np.full(pixels.shape[1:], np.inf) for t in range(scene.frames)]
    frames = background.copy()
    if thing:
        for t, distance in enumerate(distances):
            cover = np.clip(0.5 - distance, 0, 1)
            touched = cover > 0
            over = cover[touched, None]
            colours = over * thing.colours(t, pixels[:, touched]) + (1 - over) * world.colours(t, pixels[:, touched])
            frames[t][touched] = quantised(colours)
    return Clip(
        scene.name,
        frames,
        scene.frames_per_second,
        objects=np.stack(distances) < 0.5,
        flow=exact_flow(scene.frames, pixels, world, thing),
        background=background,
        background_flow=exact_flow(scene.frames, pixels, world, None),
    )


def _world(scene: Scene) -> Layer:
    """The photo under the camera, chosen and placed by the seed."""
    chance = random.Random(scene.seed)
    name, angle, turn = chance.choice(SCENES), math.tau * chance.random(), chance.choice((-1, 1))
    per_pixel = 0.75 * _photo_px(scene, name)
    middle = (scene.width - 1) / 2, (scene.height - 1) / 2
    step = scene.camera_speed * scene.shorter_side
    # Panning starts half the way back, so that the middle of the photo is seen in the middle of 30 frames.
    start = -15 * step if scene.camera == "pan" else 0.0

    def place(t: int) -> Affine:
        view = translation(-middle[0], -middle[1])
        if scene.camera == "pan":
            way = start + step * t
            return translation(way * math.cos(angle), way * math.sin(angle)) @ view
        if scene.camera == "zoom":
            return rotation(0.0, (1 + scene.camera_speed) ** (-turn * t)) @ view
        if scene.camera == "rotate":
            return rotation(turn * scene.camera_speed * t, 1.0) @ view
        return view

    # Blurred for the widest of 30 frames, whatever the length, so that a shorter clip is the beginning of a longer one.
    zoomed_out = (1 + scene.camera_speed) ** 30 if scene.camera == "zoom" and turn < 0 else 1.0
    return Layer(photo(name, blur_px(per_pixel * zoomed_out)), per_pixel, place)


def _object(scene: Scene) -> Layer | None:
    """The moving thing: part of another photo within a smooth outline, swinging over the frame while it turns."""
    if scene.object_size == 0:
        return None
    chance = random.Random(scene.seed + 1_000_003)
    name = chance.choice([name for name in PHOTOS if name != random.Random(scene.seed).choice(SCENES)])
    per_pixel = 0.6 * min(size_px(name)) / (scene.object_size * scene.shorter_side)
    per_pixel = min(per_pixel, _photo_px(scene, name))
    angle, phase, spin = math.tau * chance.random(), chance.random(), chance.uniform(-0.01, 0.01)
    reach = (1 - scene.object_size) * scene.shorter_side / 2 + 0.1 * scene.shorter_side
    # A swing of amplitude ``reach`` goes 4 * reach per turn.
    rate = scene.object_speed * scene.shorter_side / (4 * reach)

    def place(t: int) -> Affine:
        swing = reach * math.sin(math.tau * (phase + rate * t))
        x = (scene.width - 1) / 2 + swing * math.cos(angle)
        y = (scene.height - 1) / 2 + swing * math.sin(angle)
        return rotation(spin * t if scene.object_speed else 0.0, 1.0) @ translation(-x, -y)

    outline = Outline.drawn(chance, scene.object_size * scene.shorter_side / 2)
    return Layer(photo(name, blur_px(per_pixel)), per_pixel, place, outline)


def _photo_px(scene: Scene, name: str) -> float:
    """Photo pixels per pixel of the frame when the frame just fits into the photo."""
    width, height = size_px(name)
    return min(width / scene.width, height / scene.height)
