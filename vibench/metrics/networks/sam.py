"""The image encoder of SAM (Kirillov et al., Segment Anything, ICCV 2023), by transformers' ``SamVisionModel``."""

from __future__ import annotations

import re

import numpy as np
import torch
from numpy.typing import NDArray

from vibench.clip import Frame
from vibench.metrics.networks.pictures import IMAGENET, normalised, resized
from vibench.metrics.networks.pretrained import Backbone, Published
from vibench.metrics.networks.weights import State

SIDE_PX = 1024
CELLS = 64

Features = NDArray[np.float32]
"""(C, 64, 64): a vector for every 16 x 16 px of the picture, which lies in the upper left of 1024 x 1024."""

_NAMES = (
    (r"^image_encoder\.", ""),
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^blocks\.(\d+)\.norm", r"layers.\1.layer_norm"),
    (r"^blocks\.", "layers."),
    (r"^neck\.0\.", "neck.conv1."),
    (r"^neck\.1\.", "neck.layer_norm1."),
    (r"^neck\.2\.", "neck.conv2."),
    (r"^neck\.3\.", "neck.layer_norm2."),
)
"""What the authors' own files call a tensor, and what transformers calls it."""


def renamed(state: State) -> State:
    """Return the encoder's tensors by the names of transformers, whether they have those or the authors' own."""
    found: State = {}
    for name, tensor in state.items():
        new = name.removeprefix("vision_encoder.")
        for pattern, replacement in _NAMES:
            new = re.sub(pattern, replacement, new)
        found[f"vision_encoder.{new}"] = tensor
    return found


HUGE = Published(
    name="SAM ViT-H",
    repository="facebook/sam-vit-huge",
    variable="VIBENCH_SAM_WEIGHTS",
    size="2.56 GB",
    licence="Apache-2.0",
    model="SamVisionModel",
    config="SamVisionConfig",
    architecture={"hidden_size": 1280, "num_hidden_layers": 32},
    other_parts=("prompt_encoder.", "mask_decoder.", "shared_image_embedding."),
    renamed=renamed,
)


def features(backbone: Backbone, picture: Frame) -> Features:
    """Return the features of a picture, uint8 (H, W, 3) of any size: float32 (C, 64, 64), from the cache if there."""
    shape = (int(backbone.network.config.output_channels), CELLS, CELLS)
    return backbone.kept("features", picture, shape, lambda: encoded(backbone, picture))


@torch.inference_mode()
def encoded(backbone: Backbone, picture: Frame) -> Features:
    """Return what ``features`` does, computed now.

    The long side is made 1024 px by Pillow's bilinear filter; the rest of 1024 x 1024, right and below, is 0 after
    normalisation.
    """
    from PIL.Image import Resampling

    height, width = (int(side * SIDE_PX / max(picture.shape[:2]) + 0.5) for side in picture.shape[:2])
    larger = resized(picture, width, height, Resampling.BILINEAR)
    pixels = torch.zeros(1, 3, SIDE_PX, SIDE_PX)
    pixels[..., :height, :width] = normalised(larger, *IMAGENET)
    found: Features = backbone.network(pixels.to(backbone.device)).last_hidden_state[0].cpu().numpy()
    return found
