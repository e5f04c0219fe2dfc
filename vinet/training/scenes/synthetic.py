"""Synthetic clips with exact flow: a camera moves over a photo, and an object cut from another moves before it."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vinet.training.scenes.chance import normal, uniform
from vinet.training.scenes.holes import holes
from vinet.training.scenes.photos import SIDE_PX, squares
from vinet.training.scenes.scene import Motion

WAVES = (2, 3, 4)
OBJECTS = 0.75
"""Of the scenes have a moving object."""
MOST_ZOOM = 0.5
"""Logarithm of how far a view may be zoomed in or out from the middle of its clip: a photo has no more detail to
show."""
JITTER = 0.02
NOISE = 0.01


@dataclass(frozen=True)
class Layer:
    """A photo in motion."""

    photo: Tensor
    """(B, 3, 288, 288) uint8, mirrored beyond its edges."""
    place: Tensor
    """(B, T, 3, 3): pixels of the frame at time t -> pixels of the photo, from its middle; a homography."""

    def colours(self, time: int, pixels: Tensor) -> Tensor:
        """What the layer shows at `pixels` (B, H, W, 2) of a frame: (B, 3, H, W) in [-1, 1]."""
        grid = moved(self.place[:, time], pixels) / (SIDE_PX / 2)
        photo = self.photo.to(pixels.dtype) / 127.5 - 1
        return functional.grid_sample(photo, grid, padding_mode="reflection", align_corners=False)

    def motion(self, start: int, end: int, pixels: Tensor) -> Tensor:
        """Where what `pixels` (B, H, W, 2) of one frame show lies in another."""
        there_and_back = torch.linalg.solve(self.place[:, end], self.place[:, start])
        return moved(there_and_back, pixels)


@dataclass(frozen=True)
class Outline:
    """A smooth star-shaped outline in a layer's own pixels."""

    radius: Tensor
    """(B,), 0 where there is no object."""
    waves: Tensor
    """(B, 3, 2): amplitude and phase of each wave of the radius."""

    def inside(self, points: Tensor) -> Tensor:
        """Whether `points` (B, H, W, 2) from the photo's middle are on the object: (B, 1, H, W) bool."""
        angle = torch.atan2(points[..., 1], points[..., 0])
        edge = torch.ones_like(angle)
        for i, wave in enumerate(WAVES):
            amplitude, phase = self.waves[:, i, 0], self.waves[:, i, 1]
            edge = edge + amplitude[:, None, None] * torch.cos(wave * angle + phase[:, None, None])
        inside: Tensor = torch.linalg.vector_norm(points, dim=-1) < edge * self.radius[:, None, None]
        return inside[:, None]


@dataclass(frozen=True)
class SyntheticScene:
    """B clips of which every flow is known; see `Scene`."""

    world: Layer
    thing: Layer
    outline: Outline
    masks: Tensor
    """(B, T, 1, H, W)."""
    light: Tensor
    """(B, T, 3): what the light of each frame adds to its colours."""
    noise_seed: int
    pixels: Tensor
    """(B, H, W, 2): each pixel's (x, y) from the frame's middle."""
    _frames: dict[int, Tensor] = field(default_factory=dict)

    def frame(self, time: int) -> Tensor:
        """See `Scene`; a pixel shows the object or the world, never a mixture, so flow is exact at outlines too."""
        if time not in self._frames:
            covered = self.covered(time, self.pixels)
            shown = torch.where(covered, self.thing.colours(time, self.pixels), self.world.colours(time, self.pixels))
            chance = torch.Generator().manual_seed(self.noise_seed + time)
            noise = NOISE * torch.randn(shown.shape, generator=chance).to(shown)
            self._frames[time] = (shown + self.light[:, time, :, None, None] + noise).clamp(-1, 1)
        return self._frames[time]

    def mask(self, time: int) -> Tensor:
        """See `Scene`."""
        return self.masks[:, time]

    def covered(self, time: int, pixels: Tensor) -> Tensor:
        """Whether the object covers `pixels` (B, H, W, 2) of a frame: (B, 1, H, W) bool."""
        return self.outline.inside(moved(self.thing.place[:, time], pixels))

    def motion(self, start: int, end: int) -> Motion:
        """See `Scene`; hidden are pixels that leave the frame and those that the object comes to cover."""
        covered = self.covered(start, self.pixels)
        target = torch.where(
            covered.permute(0, 2, 3, 1),
            self.thing.motion(start, end, self.pixels),
            self.world.motion(start, end, self.pixels),
        )
        edge = self.pixels.amax((1, 2), keepdim=True)
        visible = (target.abs() <= edge).all(-1)[:, None] & (self.covered(end, target) == covered)
        return Motion((target - self.pixels).permute(0, 3, 1, 2), visible.float())


def synthetic(
    chance: torch.Generator,
    paths: tuple[Path, ...],
    batch: int,
    frames: int,
    size_px: int,
    motion_px: float,
    device: torch.device,
) -> SyntheticScene:
    """A batch of scenes drawn by `chance` from the photos `paths`; camera and object move up to `motion_px` a frame."""
    picked = torch.randint(len(paths), (2 * batch,), generator=chance).tolist()
    pictures = squares([paths[i] for i in picked]).to(device)
    world = Layer(pictures[:batch], _places(chance, batch, frames, size_px, motion_px, 0.25).to(device))
    thing = Layer(pictures[batch:], _places(chance, batch, frames, size_px, 1.5 * motion_px, 0.0).to(device))
    present = (torch.rand(batch, generator=chance) < OBJECTS).float()
    waves = torch.stack([uniform(chance, 0, 0.15, batch, 3), uniform(chance, 0, math.tau, batch, 3)], dim=-1)
    # Before scaling by the place's own zoom a frame pixel is a photo pixel: a radius of a sixth to a third of the
    # frame.
    radius = present * uniform(chance, 1 / 7, 1 / 3, batch) * size_px
    masks = torch.stack([holes(chance, frames, size_px, size_px) for _ in range(batch)])
    light = JITTER * normal(chance, batch, frames, 3)
    seed = int(torch.randint(2**40, (), generator=chance))
    steps = torch.arange(size_px, device=device, dtype=torch.float32) - (size_px - 1) / 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    pixels = torch.stack([x, y], dim=-1).expand(batch, -1, -1, -1)
    outline = Outline(radius.to(device), waves.to(device))
    return SyntheticScene(world, thing, outline, masks.to(device), light.to(device), seed, pixels)


def moved(homography: Tensor, points: Tensor) -> Tensor:
    """`points` (B, H, W, 2) through (B, 3, 3), with the division by the third coordinate."""
    matrix = homography[:, None, None]  # (B, 1, 1, 3, 3)
    # Not `@`: autocast would round places to bfloat16, which is several pixels.
    lifted = (matrix[..., :2] * points[..., None, :]).sum(-1) + matrix[..., 2]
    return lifted[..., :2] / lifted[..., 2:]


def _places(chance: torch.Generator, batch: int, frames: int, size_px: int, motion_px: float, spread: float) -> Tensor:
    """(B, T, 3, 3): smooth random motion, up to `motion_px` a frame at the frame's edge from each of its causes.

    `spread` is how far from the photo's middle the view may begin, in photo sides. Objects have none: their outline
    stands in the middle of their photo, and it is the frame that starts off-centre.
    """
    time = torch.arange(frames, dtype=torch.float32) - frames / 2  # (T,)
    half = size_px / 2
    angle = uniform(chance, 0, math.tau, batch, 1)
    pace = motion_px * uniform(chance, 0, 1, batch, 1)
    sway = uniform(chance, 0, 1, batch, 1) * torch.sin(0.5 * time + uniform(chance, 0, math.tau, batch, 1))
    way = pace * (time + sway)  # (B, T) px
    off = uniform(chance, -0.25, 0.25, batch, 2) * size_px if spread == 0 else torch.zeros(batch, 2)
    shift = torch.stack([way * angle.cos(), way * angle.sin()], dim=-1) + off[:, None]
    turn = 0.4 * motion_px / half * uniform(chance, -1, 1, batch, 1) * time
    zoom = torch.exp((0.4 * motion_px / half * uniform(chance, -1, 1, batch, 1) * time).clamp(-MOST_ZOOM, MOST_ZOOM))
    tilt = 0.1 * motion_px / half**2 * uniform(chance, -1, 1, batch, 1, 2) * time[:, None]  # (B, T, 2)
    tilt = tilt.clamp(-0.15 / half, 0.15 / half)
    scale = uniform(chance, 0.7, 1.1, batch, 1) * (1.0 if spread == 0 else min(1.2, SIDE_PX / (1.6 * size_px)))
    view = torch.zeros(batch, frames, 3, 3)
    view[..., 0, 0] = view[..., 1, 1] = zoom * turn.cos()
    view[..., 0, 1], view[..., 1, 0] = -zoom * turn.sin(), zoom * turn.sin()
    view[..., :2, 2] = shift
    view[..., 2, :2] = tilt
    view[..., 2, 2] = 1
    base = torch.zeros(batch, 1, 3, 3)
    base[..., 0, 0] = base[..., 1, 1] = scale
    base[..., :2, 2] = (spread * SIDE_PX * uniform(chance, -1, 1, batch, 2))[:, None]
    base[..., 2, 2] = 1
    return base @ view
