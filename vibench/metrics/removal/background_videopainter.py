"""Background preservation as VideoPainter publishes it, and as its words would have it.

Source: TencentARC/VideoPainter, ``evaluate/metrics.py`` and ``evaluate/eval_inpainting.py``. Its scripts black out the
hole in the output but not in the original, so "masked PSNR" mostly measures how bright the original is in the hole: a
perfect background has 16.8 dB on a clip where both ways of masking agree elsewhere. That is region ``one-masked``.
``both-masked`` blacks out both. In either, the black pixels stay in the mean, so a larger hole makes a better number;
vibench's own ``psnr`` and its kin in the region ``kept`` do not have that fault.

The authors resize to 720 x 480 and use 49 frames; here frames are measured as the protocol has them, all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from vibench.clip import Case, Frame, Frames, Masks, as_pair
from vibench.metric import Direction, MetricInfo, Series
from vibench.metrics import lpips as lpips_metric
from vibench.metrics.networks import backbones
from vibench.metrics.psnr import psnr
from vibench.metrics.ssim import ssim_map
from vibench.metrics.ssim_gaussian import smooth

Measure = Callable[[Frames, Frames], list[float | None]]
"""A function that compares two clips, uint8 (T, H, W, 3), frame by frame."""

REGIONS = ("one-masked", "both-masked")


def blackened(frames: Frames, holes: Masks) -> Frames:
    """Return a copy of frames, uint8 (T, H, W, 3), that is 0 in their holes, bool (T, H, W)."""
    copy = frames.copy()
    copy[holes] = 0
    return copy


def mean_squared_error(frame: Frame, truth: Frame) -> float:
    """Return the mean squared difference of two frames, uint8 (H, W, 3), in the range 0..1; lower is better."""
    frame, truth = as_pair(frame, truth)
    return float(np.square((frame.astype(np.float64) - truth) / 255).mean())


def mean_absolute_error(frame: Frame, truth: Frame) -> float:
    """Return the mean absolute difference of two frames, uint8 (H, W, 3), in the range 0..1; lower is better."""
    frame, truth = as_pair(frame, truth)
    return float(np.abs((frame.astype(np.float64) - truth) / 255).mean())


def padded_ssim(frame: Frame, truth: Frame) -> float:
    """Return the SSIM of two frames, uint8 (H, W, 3), as torchmetrics computes it: -1 to 1, higher is better.

    The window is that of ``ssim-gaussian``, but the frames are reflected at their border and all pixels are counted.
    """
    return float(ssim_map(frame, truth, smooth).mean())


def masked_twice(frames: Frames, truth: Frames, holes: Masks) -> Iterator[tuple[str, Frames, Frames]]:
    """Yield each region with the clips that are compared in it: the output first, then the original."""
    output = blackened(frames, holes)
    yield "one-masked", output, truth
    yield "both-masked", output, blackened(truth, holes)


class Background:
    """One of VideoPainter's measures of the background, with one of the two clips masked and with both."""

    def __init__(self, info: MetricInfo, compare: Measure, resources: Mapping[str, str] | None = None) -> None:
        self.info = info
        self.resources = dict(resources or {})
        self._compare = compare

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per frame in ``one-masked``, which is the published number, and in ``both-masked``.

        The original is the truth, or the input where nobody knows the truth.
        """
        original = case.frames if case.truth is None else case.truth
        pairs = masked_twice(frames, original, case.holes)
        return {region: Series.of(self._compare(output, true)) for region, output, true in pairs}


def _framewise(measure: Callable[[Frame, Frame], float | None]) -> Measure:
    return lambda frames, truth: [measure(*pair) for pair in zip(frames, truth, strict=True)]


def psnr_videopainter() -> Background:
    """VideoPainter's background PSNR: as released, with only the output masked, and with both; 100 dB if perfect."""
    return Background(
        _info("psnr", "PSNR", "dB", "higher", "a perfect frame, theirs infinite, is 100"), _framewise(psnr)
    )


def ssim_videopainter() -> Background:
    """VideoPainter's background SSIM (torchmetrics): as released, with only the output masked, and with both."""
    return Background(_info("ssim", "SSIM", "", "higher", "torchmetrics' padded frames"), _framewise(padded_ssim))


def mse_videopainter() -> Background:
    """VideoPainter's background MSE in 0..1: as released, with only the output masked, and with both."""
    return Background(_info("mse", "MSE", "", "lower", "range 0..1"), _framewise(mean_squared_error))


def mae_videopainter() -> Background:
    """VideoPainter's background MAE in 0..1: as released, with only the output masked, and with both."""
    return Background(_info("mae", "MAE", "", "lower", "range 0..1"), _framewise(mean_absolute_error))


def lpips_videopainter(device: str = "cpu") -> Background:
    """VideoPainter's background LPIPS (SqueezeNet): as released, with only the output masked, and with both.

    Raises MissingResource where SqueezeNet's weights can neither be found nor downloaded.
    """
    network = lpips_metric.trained("squeeze", backbones.squeeze()).to(device).eval()

    def compare(frames: Frames, truth: Frames) -> list[float | None]:
        return [
            float(lpips_metric.lpips(network, *pair).frame[0])
            for pair in zip(frames[:, None], truth[:, None], strict=True)
        ]

    info = _info("lpips", "LPIPS", "", "lower", "SqueezeNet on [-1, 1]")
    return Background(info, compare, backbones.resources("squeeze"))


def _info(name: str, title: str, unit: str, better: Direction, how: str) -> MetricInfo:
    return MetricInfo(
        name=f"background-{name}-videopainter",
        title=f"background {title} (VideoPainter)",
        unit=unit,
        better=better,
        has_floor=True,
        needs=frozenset(),
        source=f"TencentARC/VideoPainter evaluate/metrics.py: {how}; one-masked, as released: only the output is black "
        "in the hole; both-masked: the original too; black pixels count; every frame",
    )
