"""Made paired clips: an object that moves over a texture and throws a shadow, the same without it, and its mask."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from small_run import moving_texture
from video_files import write_film

from vibench.clip import Frames, Masks

HEIGHT, WIDTH = 48, 64


class Made(NamedTuple):
    """The parts of one pair, in the order input, truth, masks."""

    input: Frames
    truth: Frames
    masks: Masks


def made(seed: int = 0, frames: int = 4, height: int = HEIGHT, width: int = WIDTH) -> Made:
    """A dark box that moves by 3 px a frame, whose shadow right below it is no part of the mask."""
    truth = moving_texture(frames, height, width, seed)
    shown, masks = truth.copy(), np.zeros(truth.shape[:3], bool)
    for t in range(frames):
        columns = slice(8 + 3 * t, 24 + 3 * t)
        masks[t, 10:26, columns] = True
        shown[t, 10:26, columns] = (10, 250, 30)
        shown[t, 26:34, columns] = truth[t, 26:34, columns] // 2
    return Made(shown, truth, masks)


def write_part(place: Path, part: Frames | Masks, suffix: str = "") -> None:
    """Write frames or masks as a folder of images, or as a film with a suffix such as ``.mp4``."""
    place.parent.mkdir(parents=True, exist_ok=True)
    grey = part.dtype == np.bool_
    frames = np.repeat(np.where(part, 255, 0).astype(np.uint8)[..., None], 3, -1) if grey else part
    if suffix:
        write_film(place.with_name(place.name + suffix), frames, options={"crf": "4"})
        return
    place.mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame[..., 0] if grey else frame).save(place / f"{t:05d}.png")


def write_pairs(root: Path, names: tuple[str, ...] = ("ant", "bee", "cow", "dog"), frames: int = 4) -> Path:
    """A paired set of image folders: ``input/ant/00000.png``, ``truth/ant/00000.png``, ``masks/ant/00000.png``."""
    for seed, name in enumerate(names):
        for part, content in zip(("input", "truth", "masks"), made(seed, frames), strict=True):
            write_part(root / part / name, content)
    return root
