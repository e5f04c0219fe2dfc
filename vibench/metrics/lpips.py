"""LPIPS: distance of deep features, calibrated on people's judgements of similarity.

Source: Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018; the authors'
package ``lpips``, version 0.1 of its linear layers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vibench.clip import Case, Frames
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series, truth_of
from vibench.metrics.networks import backbones
from vibench.metrics.networks.weights import State

BATCH_PIXELS = 8 * 432 * 240
"""Frames go through the network in batches of about this many pixels, which bounds the memory taken."""

REMEMBERED_BYTES = 512 * 2**20
"""Features of the truth are kept from one method to the next up to this size; longer clips compute the rest again."""

Features = list[Tensor]
"""Per layer (N, C, h, w), unit length over channels."""


class Distances(NamedTuple):
    """LPIPS of N frames: (N,) the published number, and (N, H, W) the map whose layers were each upsampled."""

    frame: NDArray[np.float32]
    spatial: NDArray[np.float32]


class LPIPS:
    """LPIPS of every frame; features of a case's truth are computed once for all methods."""

    def __init__(self, info: MetricInfo, network: Any, least_px: int, device: str) -> None:
        self.info = info
        self._least_px = least_px
        self._network = network.to(device, memory_format=torch.channels_last).eval()
        self._device = device
        self._last: tuple[str, dict[int, Features]] = ("", {})

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Region ``frame``: the published number; ``hole``: mean of the spatial map over hole pixels, one per frame."""
        height, width = frames.shape[1:3]
        if min(height, width) < self._least_px:
            raise InputError(
                f"{self.info.name} needs frames of at least {self._least_px} px a side, not {width}x{height}"
            )
        whole: list[float | None] = []
        inside: list[float | None] = []
        for start, truth in self._truth_features(case):
            batch = slice(start, start + len(truth[0]))
            distances = self._distances(self._features(frames[batch]), truth, (height, width))
            whole.extend(distances.frame.tolist())
            for spatial, hole in zip(distances.spatial, case.holes[batch], strict=True):
                inside.append(float(spatial[hole].mean(dtype=np.float64)) if hole.any() else None)
        return {"frame": Series.of(whole), "hole": Series.of(inside)}

    def _truth_features(self, case: Case) -> Iterator[tuple[int, Features]]:
        """Index of each batch's first frame, and the features of the truth there."""
        if self._last[0] != case.truth_digest:
            self._last = (case.truth_digest, {})
        remembered, truth = self._last[1], truth_of(case)
        batch = max(1, BATCH_PIXELS // (truth.shape[1] * truth.shape[2]))
        for start in range(0, len(truth), batch):
            features = remembered.get(start) or self._features(truth[start : start + batch])
            if (1 + len(remembered)) * sum(layer.nbytes for layer in features) <= REMEMBERED_BYTES:
                remembered[start] = features
            yield start, features

    @torch.inference_mode()
    def _features(self, frames: Frames) -> Features:
        from lpips import normalize_tensor

        images = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device).permute(0, 3, 1, 2) / 127.5 - 1
        return [normalize_tensor(layer) for layer in self._network.net(self._network.scaling_layer(images))]

    @torch.inference_mode()
    def _distances(self, features: Features, truth: Features, size: tuple[int, int]) -> Distances:
        frame = torch.zeros(len(truth[0]), device=self._device)
        spatial = torch.zeros(len(truth[0]), 1, *size, device=self._device)
        for weigh, ours, true in zip(self._network.lins, features, truth, strict=True):
            layer = weigh(torch.square(ours - true))
            frame += layer.mean(dim=(1, 2, 3))
            spatial += torch.nn.functional.interpolate(layer, size, mode="bilinear", align_corners=False)
        return Distances(frame.cpu().numpy(), spatial[:, 0].cpu().numpy())


def alex(device: str = "cpu") -> LPIPS:
    """With AlexNet, whose weights come with vibench; MissingResource where they are damaged."""
    return _lpips("alex", "AlexNet", backbones.alex(), 31, device)


def vgg(weights: str | None = None, device: str = "cpu") -> LPIPS:
    """With VGG-16; ``weights`` as ``backbones.vgg`` finds them, MissingResource where it does not."""
    return _lpips("vgg", "VGG-16", backbones.vgg(weights), 16, device)


def squeeze(device: str = "cpu") -> LPIPS:
    """With SqueezeNet 1.1, downloaded by torch; MissingResource where that fails."""
    return _lpips("squeeze", "SqueezeNet", backbones.squeeze(), 17, device)


def _lpips(name: str, title: str, backbone: State, least_px: int, device: str) -> LPIPS:
    """``least_px``: on smaller frames the backbone's last pooling has nothing to pool."""
    network = untrained(name)
    load_backbone(network, backbone)
    info = MetricInfo(
        name=f"lpips-{name}",
        title=f"LPIPS ({title})",
        unit="",
        better="lower",
        source="Zhang et al. 2018, lpips 0.1 on [-1, 1]; hole: spatial map, mean over hole pixels",
    )
    return LPIPS(info, network, least_px, device)


def untrained(backbone: str) -> Any:
    """The package's network with its calibrated linear layers and a backbone that still has to be loaded."""
    with warnings.catch_warnings():  # lpips calls torchvision in a way of which torchvision warns
        warnings.simplefilter("ignore")
        import lpips

        return lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)


def load_backbone(network: Any, state: State) -> None:
    """Load torchvision's ``features.N.*`` into the slices that lpips makes of them; every key and shape is checked."""
    expected = network.net.state_dict()
    network.net.load_state_dict({key: state[f"features.{key.partition('.')[2]}"] for key in expected}, strict=True)
