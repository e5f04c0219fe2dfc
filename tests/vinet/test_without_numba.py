"""numba is for speed alone: without it, networks that use it fill the same frames, up to rounding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FILL = """
import sys
if sys.argv[2] == "without":
    sys.modules["numba"] = None
import numpy as np
import torch
from vibench.clip import Holed
from vinet import kernels
from vinet.method import VINetMethod

OPTIONS = {"learned": {"flow": "learned"}, "published": {"preset": "published", "weights": "random"}}
assert kernels.HAS_NUMBA == (sys.argv[2] == "with")
torch.manual_seed(0)
y, x = np.mgrid[:64, :64]
frames = np.stack([np.stack([127 + 100 * np.sin((x + 2 * t) / 9 + c) for c in range(3)], -1) for t in range(4)])
masks = np.zeros((4, 64, 64), bool)
masks[:, 24:40, 24:40] = True
frames = np.where(masks[..., None], 0, frames).astype(np.uint8)
np.save(sys.argv[1], VINetMethod(warm_up=0, **OPTIONS[sys.argv[3]])(Holed("clip", frames, masks)))
assert ("numba" in sys.modules and sys.modules["numba"] is not None) == (sys.argv[2] == "with")
"""


@pytest.mark.parametrize("network", ["learned", "published"])
def test_frames_are_the_same_to_a_grey_level(tmp_path: Path, network: str) -> None:
    pytest.importorskip("numba")
    made = {}
    for numba in ("with", "without"):
        subprocess.run([sys.executable, "-c", FILL, str(tmp_path / f"{numba}.npy"), numba, network], check=True)
        made[numba] = np.load(tmp_path / f"{numba}.npy").astype(int)
    assert np.abs(made["with"] - made["without"]).max() <= 1
