"""Metrics as one writes them first, to compare the speed of the package's metrics with.

Libraries do the work, frame by frame, each region by itself, and nothing is kept from one method to the next. The
numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vibench.clip import Case, Frame, Frames, Mask
from vibench.metric import truth_of
from vibench.metrics.flow.motion import Flow
from vibench.metrics.flow.sources import dis_flow
from vibench.metrics.lpips import load_backbone, untrained
from vibench.metrics.networks import backbones

Values = dict[str, list[float]]
"""A mapping from each region to one value per frame or pair."""


def psnr(frames: Frames, case: Case) -> Values:
    """PSNR of whole frames and of holes, by scikit-image."""
    triples = list(zip(frames, truth_of(case), case.holes, strict=True))
    return {
        "frame": [peak_signal_noise_ratio(true, frame, data_range=255) for frame, true, _ in triples],
        "hole": [peak_signal_noise_ratio(true[hole], frame[hole], data_range=255) for frame, true, hole in triples],
    }


def ssim_gaussian(frames: Frames, case: Case) -> Values:
    """SSIM by scikit-image's map, of which the border is cut off."""
    inner = np.zeros(frames.shape[1:3], bool)
    inner[5:-5, 5:-5] = True
    maps = [
        structural_similarity(
            true, frame, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            data_range=255, channel_axis=2, full=True,
        )[1]
        for frame, true in zip(frames, truth_of(case), strict=True)
    ]  # fmt: skip
    return {
        "frame": [similar[inner].mean() for similar in maps],
        "hole": [similar[inner & hole].mean() for similar, hole in zip(maps, case.holes, strict=True)],
    }


def ssim_sttn(frames: Frames, case: Case) -> Values:
    """SSIM by scikit-image with a window of 65 px."""
    pairs = zip(frames, truth_of(case), strict=True)
    return {
        "frame": [
            structural_similarity(true, ours, win_size=65, data_range=255, channel_axis=2) for ours, true in pairs
        ]
    }


def lpips_alex(frames: Frames, case: Case) -> Values:
    """LPIPS by the package lpips, which is called once for the number and once for the map."""
    network, whole, inside = _lpips(), [], []
    for frame, true, hole in zip(frames, truth_of(case), case.holes, strict=True):
        with torch.inference_mode():
            network.spatial = False
            whole.append(float(network(_image(frame), _image(true))))
            network.spatial = True
            inside.append(float(network(_image(frame), _image(true))[0, 0].numpy()[hole].mean()))
    return {"frame": whole, "hole": inside}


def warping_error_dis(frames: Frames, case: Case) -> Values:
    """Warping error by flow of the truth in both directions and SciPy's linear interpolation."""
    truth, whole, inside = truth_of(case), [], []
    for index in range(len(frames) - 1):
        forward, backward = dis_flow(truth[index], truth[index + 1]), dis_flow(truth[index + 1], truth[index])
        visible = _visible(forward, backward)
        here, after = frames[index] / 255, frames[index + 1] / 255
        error = np.square(_fetched(after, forward) - here)
        whole.append(error[visible].mean())
        inside.append(error[visible & case.holes[index]].mean())
    return {"frame": whole, "hole": inside}


PLAIN: dict[str, Callable[[Frames, Case], Values]] = {
    "psnr": psnr,
    "ssim-gaussian": ssim_gaussian,
    "ssim-sttn": ssim_sttn,
    "lpips-alex": lpips_alex,
    "warping-error-dis": warping_error_dis,
}


@cache
def _lpips() -> Any:
    network = untrained("alex").eval()
    load_backbone(network, backbones.alex())
    return network


def _image(frame: Frame) -> torch.Tensor:
    return torch.from_numpy(frame).permute(2, 0, 1)[None] / 127.5 - 1


def _fetched(picture: NDArray[Any], flow: Flow) -> NDArray[Any]:
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]]
    places = [rows + flow[..., 1], columns + flow[..., 0]]
    return np.dstack(
        [map_coordinates(channel, places, order=1, mode="nearest") for channel in np.moveaxis(picture, -1, 0)]
    )


def _visible(forward: Flow, backward: Flow) -> Mask:
    """Where the flow returns to where it began and has no edge (Ruder et al. 2016, equations 5 to 7)."""
    returned = _fetched(backward, forward)
    length = (forward**2).sum(-1)
    lost = ((returned + forward) ** 2).sum(-1) > 0.01 * ((returned**2).sum(-1) + length) + 0.5
    down = np.diff(forward, axis=0, append=forward[-1:])
    right = np.diff(forward, axis=1, append=forward[:, -1:])
    return np.asarray(~(lost | ((down**2 + right**2).sum(-1) > 0.01 * length + 0.002)))
