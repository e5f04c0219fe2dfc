"""A stage with an object that changes what is around it: a shadow, a reflection, light, a mirror image, tinted light.

A figure moves before a wall and over a floor, all of photos, under a moving camera. Background, silhouette, side effect
and motion are exact: every pixel is sampled once through one affine map a frame, as in ``vibench.data.synthetic``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Clip
from vibench.data.figures import Figure, FigureName
from vibench.data.layers import Affine, Layer, blur_px, exact_flow, grid, moved, quantised, rotation, translation
from vibench.data.photos import PHOTOS, SCENES, SURFACES, Points, photo, size_px
from vibench.data.side_effects import EFFECTS, GLASS, Colours, Effect, Standing, in_mirror
from vibench.errors import InputError

Camera = Literal["still", "pan", "zoom", "handheld"]
Pace = Literal["slow", "fast"]

FIGURES: dict[Effect, tuple[FigureName, FigureName]] = {
    "shadow": ("person", "horse"),
    "reflection": ("horse", "bottle"),
    "light": ("lantern", "lantern"),
    "mirror": ("person", "bottle"),
    "glass": ("bottle", "lantern"),
}
"""What has each side effect: in scenes with an even seed the first, in the others the second."""

MOST_FRAMES = 60
"""Places and blur are chosen for so many frames, so that a shorter clip is the beginning of this one."""

FLOOR, FEET, HEIGHT, HORSE_HEIGHT = 0.12, 0.27, 0.56, 0.42
"""Where floor and feet begin below the middle of frame 0, and how high figures are, relative to the shorter side."""

PACES: dict[Pace, float] = {"slow": 0.004, "fast": 0.016}
"""The mean way of the object in a frame, relative to the shorter side."""

PAN, ZOOM, SHAKE, SWAY = 0.006, 0.004, 0.03, 0.02
"""The camera's way and growth in a frame; how far a hand shakes it, and by how many radians it turns it."""

DUSK, OPAQUE = 0.5, 0.4
"""How bright a scene is before a lantern lights it, and which share of its own colours glass shows."""


@dataclass(frozen=True)
class StagedScene:
    """What a staged clip shows. The same scene always gives the same clip, and fewer frames give its beginning.

    ``height`` and ``width`` are in pixels. ``effect`` is the object's side effect, ``camera`` how the camera moves, and
    ``pace`` how fast the object does. ``seed`` chooses the figure, photos, places and directions. Where the object is
    not ``present``, its side effect is absent too, and nothing else changes. Values out of range raise InputError.
    """

    name: str
    effect: Effect
    camera: Camera
    pace: Pace = "slow"
    height: int = 240
    width: int = 432
    frames: int = MOST_FRAMES
    seed: int = 0
    present: bool = True
    frames_per_second: float = 24.0

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 16 or not 1 <= self.frames <= MOST_FRAMES:
            raise InputError(
                f"a staged clip has at least 16x16 px and 1 to {MOST_FRAMES} frames, "
                f"not {self.width}x{self.height} and {self.frames}"
            )
        for name, choices in (("effect", get_args(Effect)), ("camera", get_args(Camera)), ("pace", get_args(Pace))):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} {getattr(self, name)!r} must be one of {', '.join(choices)}")

    @property
    def side(self) -> int:
        """The frame's shorter side in pixels."""
        return min(self.height, self.width)

    @property
    def figure(self) -> FigureName:
        """What has the side effect."""
        return FIGURES[self.effect][self.seed % 2]


def staged_scenes(height: int, width: int, frames: int) -> dict[str, StagedScene]:
    """Return the named scenes: five side effects under four cameras, each camera with slow and with fast objects."""
    made = {}
    for number, (effect, camera) in enumerate(product(get_args(Effect), get_args(Camera))):
        kind = number // 4
        pace: Pace = "fast" if (number + kind) % 2 else "slow"
        name = f"{effect}-{camera}"
        # Each figure of an effect is there slow and fast.
        made[name] = StagedScene(name, effect, camera, pace, height, width, frames, 2 * number + number % 4 // 2)
    return made


@lru_cache(maxsize=1)
def render_staged(scene: StagedScene) -> Clip:
    """Make the clip of ``scene``.

    ``objects`` is every pixel that the object touches, and ``effects`` every other pixel in which ``frames`` and
    ``background`` differ; everywhere else they are equal to the last bit. ``flow`` is the motion of surfaces: that of
    the object where it covers half a pixel, and elsewhere that of what a shadow, an image or light lies on. The last
    clip is kept, since every hole of a protocol needs it again.
    """
    pixels = grid(scene.height, scene.width)
    stage = _Stage.of(scene)
    background = np.empty((scene.frames, scene.height, scene.width, 3), np.uint8)
    frames, objects = np.empty_like(background), np.zeros(background.shape[:3], np.bool_)
    for t in range(scene.frames):
        empty = stage.empty(t, pixels)
        background[t] = quantised(empty)
        frames[t], objects[t] = stage.peopled(t, pixels, empty) if scene.present else (background[t], False)
    return Clip(
        scene.name,
        frames,
        scene.frames_per_second,
        objects=objects,
        flow=exact_flow(scene.frames, pixels, stage.wall, stage.thing if scene.present else None),
        background=background,
        background_flow=exact_flow(scene.frames, pixels, stage.wall, None),
        effects=(frames != background).any(axis=-1) & ~objects,
        attributes={"effect": scene.effect, "camera": scene.camera, "object": scene.figure, "pace": scene.pace},
    )


@dataclass(frozen=True)
class _Stage:
    """What a scene is made of: layers that the camera moves over, the object, and where in the world its feet are."""

    scene: StagedScene
    wall: Layer
    floor: Layer
    room: Layer
    thing: Layer
    feet: Callable[[int], tuple[float, float]]

    @classmethod
    def of(cls, scene: StagedScene) -> _Stage:
        chance = random.Random(scene.seed)
        place, widest = _camera(scene, chance)
        wall, room = chance.sample((*SCENES, "brick"), 2)
        floor = chance.choice([name for name in SURFACES if name != wall])
        skin = chance.choice([name for name in PHOTOS if name not in (wall, room)])
        feet = _way(scene, chance)

        def layer(name: str, share: float, place: Callable[[int], Affine], outline: Figure | None = None) -> Layer:
            """A photo of which a frame shows about this ``share``."""
            width, height = size_px(name)
            per_pixel = share * min(width / scene.width, height / scene.height)
            return Layer(photo(name, blur_px(per_pixel * widest)), per_pixel, place, outline)

        def placed(t: int) -> Affine:
            x, y = feet(t)
            return translation(-x, -y) @ place(t)

        figure = Figure(scene.figure, (HORSE_HEIGHT if scene.figure == "horse" else HEIGHT) * scene.side)
        return cls(
            scene,
            layer(wall, 0.75, place),
            layer(floor, 0.6, place),
            layer(room, 0.6, place),
            layer(skin, 0.7, placed, figure),
            feet,
        )

    def empty(self, t: int, pixels: Points) -> Colours:
        """Return the colours (H, W, 3) of frame t without the object and what it does."""
        side = self.scene.side
        here = moved(self.wall.place(t), pixels)
        colours = self.wall.colours(t, pixels)
        if self.scene.effect == "mirror":
            glass = in_mirror(here / side) * side
            frame = np.clip(0.5 + 0.02 * side - glass, 0, 1)
            colours *= 1 - 0.8 * frame[..., None]
            _put(colours, np.clip(0.5 - glass, 0, 1), lambda where: 0.7 * self.room.colours(t, pixels[:, where]))
        _put(
            colours, np.clip(0.5 + here[1] - FLOOR * side, 0, 1), lambda where: self.floor.colours(t, pixels[:, where])
        )
        return DUSK * colours if self.scene.effect == "light" else colours

    def peopled(self, t: int, pixels: Points, empty: Colours) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return frame t with the object and what it does, and the pixels that the object touches."""
        here = moved(self.wall.place(t), pixels)
        colours = EFFECTS[self.scene.effect](empty, here, Standing(self.thing, self.feet(t), self.scene.side))

        def skin(where: NDArray[np.bool_]) -> Colours:
            own = self.thing.colours(t, pixels[:, where])
            return OPAQUE * own + (1 - OPAQUE) * GLASS * colours[where] if self.scene.effect == "glass" else own

        cover = np.clip(0.5 - self.thing.distance(t, pixels), 0, 1)
        _put(colours, cover, skin)
        return quantised(colours), cover > 0


def _put(colours: Colours, cover: NDArray[np.float64], find: Callable[[NDArray[np.bool_]], Colours]) -> None:
    """Put what ``find`` gives for the pixels where ``cover`` (H, W) is above 0 in front of ``colours`` (H, W, 3)."""
    seen = cover > 0
    weight = cover[seen, None]
    colours[seen] = weight * find(seen) + (1 - weight) * colours[seen]


def _camera(scene: StagedScene, chance: random.Random) -> tuple[Callable[[int], Affine], float]:
    """Return the map from pixels of frame t to the world, and how much wider than frame 0 the widest frame is."""
    view = translation(-(scene.width - 1) / 2, -(scene.height - 1) / 2)
    sign, phase = chance.choice((-1, 1)), math.tau * chance.random()

    def place(t: int) -> Affine:
        if scene.camera == "pan":
            return translation(sign * PAN * scene.side * (t - MOST_FRAMES / 2), 0) @ view
        if scene.camera == "zoom":
            return rotation(0, (1 + ZOOM) ** (sign * t)) @ view
        if scene.camera == "handheld":
            x, y = (SHAKE * scene.side * math.sin(rate * t + phase) for rate in (0.11, 0.17))
            return translation(x, y) @ rotation(SWAY * math.sin(0.13 * t + phase)) @ view
        return view

    return place, (1 + ZOOM) ** MOST_FRAMES if scene.camera == "zoom" and sign > 0 else 1.0


def _way(scene: StagedScene, chance: random.Random) -> Callable[[int], tuple[float, float]]:
    """Return where the object's feet are at t: on a line along the floor, to and fro."""
    reach, phase = 0.3 * scene.width, chance.random()
    # A swing of amplitude ``reach`` goes 4 * reach per turn.
    rate = PACES[scene.pace] * scene.side / (4 * reach)
    return lambda t: (reach * math.sin(math.tau * (phase + rate * t)), FEET * scene.side)
