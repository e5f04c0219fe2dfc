"""What the tests of training share: a tiny recipe, a folder of small photos, and a script that forks trainings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from vinet.training.scenes.photos import held_out

TINY = """
seed = 7
checkpoint_seconds = 0.001
validate_every = 4
validation_batches = 1
[network]
width = 0.0625
[data]
photos = "{photos}"
[[stages]]
name = "heads"
kind = "flow"
steps = 6
crop_px = 16
batch = 1
[[stages]]
name = "whole"
kind = "unrolled"
steps = 5
crop_px = 16
batch = 1
targets = 2
weights = {{ l1 = 1, hole = 1, flow = 0.1, warping = 1 }}
"""


def photo_folder(folder: Path) -> Path:
    """Ten smooth random photos, three of them on the validation side of the split."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    wanted = {False: 7, True: 3}
    number = 0
    while any(wanted.values()):
        name = f"photo{number}.png"
        number += 1
        if wanted[held_out(name)]:
            wanted[held_out(name)] -= 1
            coarse = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
            coarse.resize((64, 64), Image.Resampling.BICUBIC).save(folder / name)
    return folder


def tiny_recipe(folder: Path) -> Path:
    """A recipe of two stages and eleven steps, its photos beside it."""
    path = folder / "tiny.toml"
    path.write_text(TINY.format(photos=photo_folder(folder / "photos")), encoding="utf-8")
    return path


def forked(script: str, *arguments: object) -> str:
    """Run `script` in an interpreter of its own that has imported torch once and may fork as often as it likes."""
    start = "import os, random, signal, sys, time, torch; from pathlib import Path\ntorch.set_num_threads(1)\n"
    start += "import torch.utils.tensorboard\nfrom vinet.training.recipe import read\n"
    start += "from vinet.training.trainer import train\n"
    command = [sys.executable, "-c", start + script, *map(str, arguments)]
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
