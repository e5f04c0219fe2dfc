"""DINOv2 (Oquab et al., 2023): a token for every 14 x 14 px of a picture, by transformers' ``Dinov2Model``."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from vibench.clip import Frame
from vibench.metrics.networks.pictures import IMAGENET, normalised
from vibench.metrics.networks.pretrained import Backbone, Published

PATCH_PX = 14

Tokens = NDArray[np.float32]
"""(1 + h w, D): the token of the class, and then those of the patches in row-major order."""

GIANT = Published(
    name="DINOv2-giant",
    repository="facebook/dinov2-giant",
    variable="VIBENCH_DINOV2_GIANT_WEIGHTS",
    size="4.5 GB",
    licence="Apache-2.0",
    model="Dinov2Model",
    config="Dinov2Config",
    architecture={"hidden_size": 1536, "num_hidden_layers": 40},
)

BASE = Published(
    name="DINOv2-base",
    repository="facebook/dinov2-base",
    variable="VIBENCH_DINOV2_BASE_WEIGHTS",
    size="0.35 GB",
    licence="Apache-2.0",
    model="Dinov2Model",
    config="Dinov2Config",
    architecture={"hidden_size": 768, "num_hidden_layers": 12},
)


def tokens(backbone: Backbone, picture: Frame) -> Tokens:
    """Return the tokens of a picture, uint8 (H, W, 3) with sides that are multiples of 14 px, from the cache if there.

    They are the network's last hidden state, after its last norm: float32 (1 + h w, D) with h = H / 14 and w = W / 14.
    """
    height, width = picture.shape[:2]
    if height % PATCH_PX or width % PATCH_PX:
        raise ValueError(f"a picture of {width}x{height} px has no whole patches of {PATCH_PX} px")
    shape = (1 + height // PATCH_PX * (width // PATCH_PX), int(backbone.network.config.hidden_size))
    return backbone.kept("tokens", picture, shape, lambda: last_hidden_state(backbone, picture))


@torch.inference_mode()
def last_hidden_state(backbone: Backbone, picture: Frame) -> Tokens:
    """Return what ``tokens`` does, computed now."""
    pixels = normalised(picture, *IMAGENET).to(backbone.device)
    found: Tokens = backbone.network(pixels).last_hidden_state[0].cpu().numpy()
    return found
