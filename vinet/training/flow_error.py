"""End-point error of a network's flow heads beside that of DIS, on held-out synthetic scenes with holes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vinet import weights as files
from vinet.errors import VINetError
from vinet.training import losses
from vinet.training.objective import estimated, flow_at_full_size
from vinet.training.scenes.chance import generator
from vinet.training.scenes.data import sources
from vinet.training.scenes.given_flow import GivenFlow
from vinet.training.scenes.photos import photos
from vinet.training.scenes.scene import REACH
from vinet.training.scenes.synthetic import synthetic

BATCH = 4
SOURCES = 4
REGIONS = ("outside", "inside", "outside, visible", "outside, visible: median")
"""Copied pixels are sharp only where flow is right to a fraction of a pixel, which a mean over a few lost ones does not
show."""
RESAMPLES = 2000


@dataclass(frozen=True)
class FlowError:
    """Mean end-point error in pixels of each scene (and a median) by estimator and region; NaN in empty regions."""

    scenes: dict[str, dict[str, list[float]]]

    def table(self) -> str:
        """Markdown: means over scenes and, of the network less DIS, the paired bootstrap 95 % interval."""
        lines = [
            "| region | scenes | network px | DIS px | no motion px | network - DIS, 95 % |",
            "|---|---|---|---|---|---|",
        ]
        for region in REGIONS:
            own, dis, still = (np.array(self.scenes[name][region]) for name in ("network", "dis", "still"))
            there = ~np.isnan(own)
            low, high = interval(own[there] - dis[there])
            means = " | ".join(f"{values[there].mean():.2f}" for values in (own, dis, still))
            lines.append(f"| {region} | {there.sum()} | {means} | {low:+.2f} to {high:+.2f} |")
        return "\n".join(lines)


def interval(differences: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> tuple[float, float]:
    """95 % percentile bootstrap interval of a mean."""
    picks = np.random.default_rng(0).integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.percentile(differences[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


@torch.inference_mode()
def measure(weights: Path, folder: str, scenes: int, size_px: int, motion_px: float) -> FlowError:
    """Flow to four random frames within six, of `scenes` scenes drawn from the held-out photos of `folder`.

    DIS sees what it sees in `vinet[flow=dis]`: holed frames, its flow completed in holes. Errors count all pixels, also
    those that the other frame does not show, as their flow is known; the third region leaves these out.
    """
    network, _ = files.load(weights)
    if not network.config.has_flow_heads:
        raise VINetError(f"{weights} holds a network without flow heads")
    if size_px % network.config.size_multiple:
        raise VINetError(f"size must be a multiple of {network.config.size_multiple}, not {size_px}")
    paths = photos(folder, validation=True)
    found: dict[str, dict[str, list[float]]] = {n: {r: [] for r in REGIONS} for n in ("network", "dis", "still")}
    for batch in range(-(-scenes // BATCH)):
        chance = generator("flow error", batch)
        times = sources(chance, SOURCES)
        scene = synthetic(chance, paths, BATCH, 2 * REACH + 1, size_px, motion_px, torch.device("cpu"))
        motions = [scene.motion(REACH, time) for time in times]
        truth = torch.stack([motion.flow for motion in motions], dim=1)
        visible = torch.stack([motion.visible for motion in motions], dim=1)
        flows = estimated(network.eval(), scene, REACH, times)
        own = flow_at_full_size(flows, size_px, BATCH)
        dis = GivenFlow(scene, "dis").between(REACH, times)
        for name, flow in (("network", own), ("dis", dis), ("still", torch.zeros_like(truth))):
            _collect(found[name], flow - truth, scene.mask(REACH), visible)
    return FlowError({n: {r: v[:scenes] for r, v in regions.items()} for n, regions in found.items()})


def _collect(regions: dict[str, list[float]], error: Tensor, mask: Tensor, visible: Tensor) -> None:
    """Append the mean or median error (B, S, 2, H, W) of each item over every region."""
    lengths = losses.length(error.flatten(0, 1)).reshape(*error.shape[:2], 1, *error.shape[-2:])  # (B, S, 1, H, W)
    hole = mask[:, None].expand_as(lengths) > 0.5
    seen = ~hole & (visible > 0.5)
    middles: list[tuple[Tensor, Callable[[Tensor], Tensor]]] = [
        (~hole, torch.mean),
        (hole, torch.mean),
        (seen, torch.mean),
        (seen, torch.median),
    ]
    for region, (pixels, middle) in zip(REGIONS, middles, strict=True):
        regions[region] += [
            float(middle(e[p])) if p.any() else float("nan") for e, p in zip(lengths, pixels, strict=True)
        ]
