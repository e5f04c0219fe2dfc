"""The feature composition view (paper, section 4.1): what one frame's fill was made of, as one figure."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vinet.errors import VINetError
from vinet.inference import Frame, Inpainter, Mask
from vinet.network.aggregation import Composition
from vinet.network.vinet import Step

Picture = NDArray[np.uint8]
"""(h, w, 3) RGB."""

SCALES = ("1/8", "1/4", "1/2")


def explain(inpainter: Inpainter, frames: Sequence[Frame], masks: Sequence[Mask], index: int, output: Path) -> None:
    """Fill a clip up to frame `index` and draw that frame's step into the picture file `output`.

    Rows: input, decoder and output; then, for each scale, the composition mask m (white = from the sources), the flow
    to every source in Middlebury colours, and the aggregated and composed features as their first three principal
    components.
    """
    if not 0 <= index < len(frames):
        raise VINetError(f"there is no frame {index}: the clip has frames 0 to {len(frames) - 1}")
    filled = next(islice(inpainter.steps(frames, masks), index, None))
    holed = np.where(masks[index][..., None], 0, frames[index]).astype(np.uint8)
    names = [f"t{offset:+d}" for offset in inpainter.config.neighbour_offsets]
    names += ["previous output"] if inpainter.config.recurrence else []
    rows = [_pictures(filled.step, holed, filled.frame)]
    rows += [_scale(*part, names) for part in zip(SCALES, filled.step.compositions, strict=True)]
    _draw(rows, output, f"frame {index}")


def flow_colours(flow: Tensor) -> Picture:
    """Flow (2, h, w) in the Middlebury colours, the longest vector of this map at full saturation."""
    from torchvision.utils import flow_to_image

    picture: Picture = flow_to_image(flow.float().cpu()).permute(1, 2, 0).numpy()
    return picture


def principal_colours(features: Tensor) -> Picture:
    """The first three principal components of a map (C, h, w) as red, green and blue, 2nd to 98th percentile."""
    channels, height, width = features.shape
    pixels = features.float().cpu().flatten(1).T  # (h * w, C)
    pixels = pixels - pixels.mean(dim=0)
    _, _, directions = torch.linalg.svd(pixels.T @ pixels)
    values = (pixels @ directions[: min(3, channels)].T).numpy()
    low, high = np.percentile(values, [2, 98], axis=0)
    colours = np.zeros((height * width, 3), np.uint8)
    scaled = (values - low) / np.maximum(high - low, 1e-12)
    colours[:, : values.shape[1]] = np.clip(255 * scaled, 0, 255).astype(np.uint8)
    return colours.reshape(height, width, 3)


def _pictures(step: Step, holed: Picture, filled: Picture) -> list[tuple[str, NDArray[Any]]]:
    height, width = filled.shape[:2]
    colours = ((step.decoded[0, :, :height, :width].float().cpu() + 1) * 127.5).clamp(0, 255).permute(1, 2, 0)
    row: list[tuple[str, NDArray[Any]]] = [
        ("input", holed),
        ("decoder", colours.numpy().astype(np.uint8)),
        ("output", filled),
    ]
    masks = (
        ("smooth continuation's share", step.smooth_mask),
        ("pixels from other frames", step.pixel_mask),
        ("previous output's share", step.output_mask),
    )
    for name, mask in masks:
        if mask is not None:
            row.append((name, mask[0, 0, :height, :width].float().cpu().numpy()))
    return row


def _scale(name: str, scale: Composition, sources: list[str]) -> list[tuple[str, NDArray[Any]]]:
    row: list[tuple[str, NDArray[Any]]] = []
    if scale.mask is not None:
        row.append((f"{name}: mask m", scale.mask[0, 0].float().cpu().numpy()))
    row += [(f"flow to {source}", flow_colours(flow)) for source, flow in zip(sources, scale.flow, strict=True)]
    row.append(("aggregated", principal_colours(scale.aggregated[0])))
    row.append(("composed", principal_colours(scale.composed[0])))
    return row


def _draw(rows: list[list[tuple[str, NDArray[Any]]]], output: Path, title: str) -> None:
    from matplotlib.figure import Figure

    columns = max(map(len, rows))
    height, width = rows[0][0][1].shape[:2]
    figure = Figure(figsize=(2.4 * columns, 2.4 * len(rows) * height / width + 0.32 * len(rows)), layout="constrained")
    figure.suptitle(title, fontsize=9)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for axis in line[len(row) :]:
            axis.set_axis_off()
        for axis, (name, picture) in zip(line, row, strict=False):
            axis.set(xticks=[], yticks=[])
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1 if picture.ndim == 2 else None, interpolation="nearest")
            axis.set_title(name, fontsize=7)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        figure.savefig(output, dpi=130)
    except ValueError as error:
        raise VINetError(f"{output} does not name a picture format: {error}") from error
