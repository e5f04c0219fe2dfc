"""Makes the pictures of methods in the README and the documentation from the bundled clips.

``python docs/make/pictures.py`` takes about a minute on two cores.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from pages import DOCS
from PIL import Image, ImageDraw, ImageFont

from vibench import plugins
from vibench.clip import Clip, Frames, Holed
from vibench.data.layouts import open_dataset
from vibench.data.synthetic import Scene, render
from vibench.masks import moving_object, stationary_square
from vibench.media.frames import read_frames
from vibench.media.video import write_lossless
from vibench.plugins import Spec
from vibench.report.film import strip
from vibench.runner.retarget import retarget
from vinet.explain import explain
from vinet.method import VINetMethod

IMAGES = DOCS / "images"
METHODS = ("telea", "frame_baseline", "flow_propagation", "vinet")
LABEL_PX = 150


def labelled(rows: list[tuple[str, Frames]]) -> Image.Image:
    """Pictures under each other with their names to the left."""
    height = sum(picture.shape[0] + 4 for _, picture in rows)
    width = LABEL_PX + max(picture.shape[1] for _, picture in rows)
    canvas = Image.new("RGB", (width, height), "white")
    draw, top = ImageDraw.Draw(canvas), 0
    for name, picture in rows:
        draw.text((6, top + picture.shape[0] // 2 - 7), name, "black", ImageFont.load_default(14))
        canvas.paste(Image.fromarray(picture), (LABEL_PX, top))
        top += picture.shape[0] + 4
    return canvas


def film_strip(clip: Clip) -> Image.Image:
    """Four frames of one clip: the holed input, every method, the truth."""
    holes = stationary_square(*clip.frames.shape[:3], 5)
    cut = np.where(holes[..., None], 0, clip.frames).astype(np.uint8)
    chosen = np.linspace(2, len(cut) - 3, 4).round().astype(int)
    rows = [("input", strip(clip.frames[chosen], holes[chosen], cut=True))]
    for name in METHODS:
        filled = plugins.make("methods", Spec.parse(name))(Holed("picture", cut, holes))
        rows.append((name, strip(np.where(holes[..., None], filled, clip.frames)[chosen])))
    return labelled([*rows, ("truth", strip(clip.frames[chosen]))])


def squeezed_and_retargeted() -> Image.Image:
    """A synthetic clip with a moving object: as it is, squeezed to half its width, retargeted to half its width."""
    clip = render(Scene("object", 160, 288, 16, camera="pan", camera_speed=0.01, object_speed=0.03, seed=11))
    if clip.objects is None:
        raise ValueError("this scene was asked for an object")
    with tempfile.TemporaryDirectory() as folder:
        video, mask, output = (Path(folder) / name for name in ("in.mkv", "mask.npy", "out.mkv"))
        write_lossless(video, clip.frames, 24)
        np.save(mask, clip.objects)
        retarget(video, mask, Spec("flow_propagation"), output, factor=0.6)
        retargeted, _ = read_frames(output)
    chosen = [1, 5, 10, 14]
    size = retargeted.shape[2], retargeted.shape[1]
    plain = np.stack([cv2.resize(clip.frames[t], size, interpolation=cv2.INTER_AREA) for t in chosen])
    rows = [("original", clip.frames[chosen]), ("squeezed", plain), ("retargeted", retargeted[chosen])]
    return labelled([(name, strip(frames)) for name, frames in rows])


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    clips = open_dataset("bundled")
    film_strip(clips.load("fence")).save(IMAGES / "strip.jpg", quality=88)
    squeezed_and_retargeted().save(IMAGES / "retarget.jpg", quality=88)
    fence = clips.load("fence")
    holes = moving_object(*fence.frames.shape[:3], 3)
    explain(VINetMethod().inpainter, list(fence.frames), list(holes), 12, IMAGES / "explain.png")


if __name__ == "__main__":
    main()
