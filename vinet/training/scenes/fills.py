"""Scenes as a frozen network has filled them in both directions, computed once and kept: what a merge learns from."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vinet.both import Sources, passes, sources
from vinet.files import replacing
from vinet.large import Pyramid
from vinet.propagation import Frames, Masks
from vinet.training.scenes.chance import generator, uniform, whole
from vinet.training.scenes.clips import real
from vinet.training.scenes.scene import Scene
from vinet.training.scenes.synthetic import synthetic


class FilledScene(NamedTuple):
    """One clip with its truth and all that its holes can be filled from."""

    truth: Frames
    masks: Masks
    flow: NDArray[np.float16]  # (T - 1, 2, H, W), each frame to the next, in pixels
    visible: Masks  # (T - 1, H, W), seen in the next frame too
    sources: Sources


class Kinds(NamedTuple):
    """What scenes are drawn from."""

    photos: tuple[Path, ...]
    clips: tuple[Path, ...]
    clip_share: float
    size_px: int
    frames: tuple[int, int]  # fewest and most
    motion_px: tuple[float, float]  # fastest motion a frame of a scene, drawn between these


def filled_scene(kinds: Kinds, position: tuple[object, ...], pyramid: Pyramid, network: str, folder: Path) -> Path:
    """The file in `folder` with the scene at `position`; it is made where it is not there yet.

    `network` names the weights that fill it.
    """
    key = hashlib.sha256(repr((kinds, position, network)).encode()).hexdigest()
    path = folder / f"{key[:32]}.npz"
    if not path.is_file():
        scene, length = _drawn(kinds, position, folder)
        truth = np.stack([_levels(scene.frame(t)) for t in range(length)])
        masks = np.stack([scene.mask(t)[0, 0].numpy() > 0.5 for t in range(length)])
        motions = [scene.motion(t, t + 1) for t in range(length - 1)]
        holed = np.where(masks[..., None], 0, truth).astype(np.uint8)
        found = sources(passes(pyramid, holed, masks), holed, masks)
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                truth=truth,
                masks=masks,
                flow=np.stack([motion.flow[0].numpy().astype(np.float16) for motion in motions]),
                visible=np.stack([motion.visible[0, 0].numpy() > 0.5 for motion in motions]),
                **found._asdict(),
            )
    return path


def read(path: Path) -> FilledScene:
    """A scene that `filled_scene` has kept."""
    with np.load(path, allow_pickle=False) as kept:
        found = Sources(*(kept[name] for name in Sources._fields))
        return FilledScene(kept["truth"], kept["masks"], kept["flow"], kept["visible"], found)


def _drawn(kinds: Kinds, position: tuple[object, ...], cache: Path) -> tuple[Scene, int]:
    chance = generator(*position)
    length = whole(chance, *kinds.frames)
    cpu = torch.device("cpu")
    if kinds.clips and float(torch.rand((), generator=chance)) < kinds.clip_share:
        return real(chance, kinds.clips, 1, length, kinds.size_px, cache, cpu), length
    motion = float(uniform(chance, *kinds.motion_px, 1))
    return synthetic(chance, kinds.photos, 1, length, kinds.size_px, motion, cpu), length


def _levels(colours: Tensor) -> Frames:
    """The first of (B, 3, H, W) in [-1, 1] as a frame (H, W, 3)."""
    return ((colours[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
