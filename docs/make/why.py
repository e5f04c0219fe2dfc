"""Makes docs/images/why.png: two filled videos, by the definitions that published scripts print.

``python docs/make/why.py`` takes a minute.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from pages import DOCS

import vibench
from vibench import plugins
from vibench.clip import Frames, Holed
from vibench.data.layouts import open_dataset
from vibench.masks import stationary_square
from vibench.plugins import Spec

CLIP, SHOWN = "walker", 10
METHODS = ("vinet", "flow_propagation")
NUMBERS = (
    ("PSNR of the frame, in dB: STTN, FuseFormer, E2FGVI, ProPainter", "psnr", "frame", "{:.1f}"),
    ("PSNR of the hole, in dB", "psnr", "hole", "{:.1f}"),
    ("SSIM with a 65 px window: the same four", "ssim-sttn", "frame", "{:.3f}"),
    ("SSIM with an 11 px Gaussian: Wang et al. 2004, piq, scikit-image", "ssim-gaussian", "frame", "{:.3f}"),
    ("LPIPS of the hole, AlexNet (lower is better)", "lpips-alex", "hole", "{:.3f}"),
    ("warping error of the hole, in thousandths (lower is better)", "warping-error-dis", "hole", "{:.2f}"),
)
MARGIN_PX = 40
"""What is shown around the hole."""
INK, QUIET = "#1c2430", "#6b7683"


def filled(truth: Frames, holes: np.ndarray) -> dict[str, Frames]:
    """What each method makes of the clip."""
    cut = np.where(holes[..., None], 0, truth).astype(np.uint8)
    made = {name: plugins.make("methods", Spec.parse(name))(Holed("why", cut, holes)) for name in METHODS}
    return {name: np.where(holes[..., None], frames, truth).astype(np.uint8) for name, frames in made.items()}


def main() -> None:
    """Write the picture."""
    truth = open_dataset("bundled").load(CLIP).frames
    holes = stationary_square(*truth.shape[:3], 5)
    outputs = filled(truth, holes)
    rows, columns_of_hole = np.nonzero(holes[SHOWN])
    window = np.s_[
        max(0, rows.min() - MARGIN_PX) : rows.max() + MARGIN_PX,
        max(0, columns_of_hole.min() - MARGIN_PX) : columns_of_hole.max() + MARGIN_PX,
    ]
    figure = plt.figure(figsize=(10, 5.6), dpi=120, facecolor="white")
    columns = {"input": np.where(holes[..., None], 0, truth), **outputs, "truth": truth}
    for place, (name, frames) in enumerate(columns.items()):
        axes = figure.add_axes((0.01 + 0.247 * place, 0.55, 0.238, 0.4))
        axes.imshow(frames[SHOWN][window])
        axes.set_title(name, fontsize=11, color=INK)
        axes.axis("off")
    text = figure.add_axes((0, 0, 1, 0.55))
    text.set(xlim=(0, 1), ylim=(0, 1))
    text.axis("off")
    text.text(0.02, 0.93, "two filled videos, six numbers each", fontsize=12, weight="bold", color=INK)
    for x, name in zip((0.76, 0.97), METHODS, strict=True):
        text.text(x, 0.93, name, fontsize=11, ha="right", color=INK)
    for row, (says, metric, region, form) in enumerate(NUMBERS):
        y = 0.78 - 0.135 * row
        text.axhline(y + 0.09, 0.02, 0.97, color="#d8dde3", linewidth=0.8)
        text.text(0.02, y, says, fontsize=11, color=QUIET)
        scale = 1000 if metric.startswith("warping") else 1
        for x, frames in zip((0.76, 0.97), outputs.values(), strict=True):
            value = vibench.measure(metric, frames, truth, holes, device="cpu").mean[region]
            text.text(x, y, form.format(scale * value), fontsize=12, ha="right", color=INK)
    figure.savefig(DOCS / "images" / "why.png")


if __name__ == "__main__":
    main()
