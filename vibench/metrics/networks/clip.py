"""The image side of CLIP (Radford et al., ICML 2021), by transformers' ``CLIPVisionModelWithProjection``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vibench.metrics.networks.pretrained import Backbone, Published

Vector = NDArray[np.float32]


class Embedding(NamedTuple):
    """What CLIP says of one picture.

    ``pooled`` (D,) is the token of the class after its norm, ``projected`` (E,) its place in the space of texts.
    """

    pooled: Vector
    projected: Vector


def _published(name: str, repository: str, variable: str, size: str, width: int, layers: int) -> Published:
    return Published(
        name=name,
        repository=repository,
        variable=variable,
        size=size,
        licence="MIT",
        model="CLIPVisionModelWithProjection",
        config="CLIPVisionConfig",
        architecture={"hidden_size": width, "num_hidden_layers": layers},
        other_parts=("text_model.", "text_projection.", "logit_scale"),
    )


B32 = _published("CLIP ViT-B/32", "openai/clip-vit-base-patch32", "VIBENCH_CLIP_B32_WEIGHTS", "0.6 GB", 768, 12)
L14 = _published("CLIP ViT-L/14", "openai/clip-vit-large-patch14", "VIBENCH_CLIP_L14_WEIGHTS", "1.7 GB", 1024, 24)
H14 = _published(
    "CLIP ViT-H/14", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "VIBENCH_CLIP_H14_WEIGHTS", "3.9 GB", 1280, 32
)


@torch.inference_mode()
def embedded(backbone: Backbone, pixels: torch.Tensor) -> Embedding:
    """Return the embedding of one picture, float32 (1, 3, 224, 224), prepared as the metric's authors do it."""
    network = backbone.network
    pooled = network.vision_model(pixels.to(backbone.device)).pooler_output
    projected = network.visual_projection(pooled)
    return Embedding(pooled[0].cpu().numpy(), projected[0].cpu().numpy())
