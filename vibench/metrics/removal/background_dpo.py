"""Background preservation as the DAVIS-50 benchmark of Video_inpainting_DPO publishes it.

Source: jh5117-debug/Video_inpainting_DPO, ``exp15_or_benchmark_davis50/code/or_bg_metric_eval.py``. Its PSNR is over
known pixels alone. Its SSIM has the hole blacked out in both frames, and counts the agreement there. What it calls TC
is the PSNR of how frames change, where both neighbours are known. Infinite values are left out of its means. Frames are
compared with the truth or, where nobody knows it, with the input, which is the same outside the hole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vibench.clip import Case, Frame, Frames, Mask, Masks, as_frames, as_mask, as_pair, check_pair
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series

WINDOW_PX = 65


def original_of(case: Case) -> Frames:
    """Return what the background is compared with: the truth, or the input where nobody knows the truth."""
    return case.frames if case.truth is None else case.truth


def known_psnr(frame: Frame, truth: Frame, hole: Mask) -> float | None:
    """Return the PSNR of two frames, uint8 (H, W, 3), over the pixels outside ``hole``, bool (H, W), in dB.

    Higher is better; None where every pixel is hole, or no known one differs.
    """
    frame, truth = as_pair(frame, truth)
    known = ~as_mask(hole, frame)
    return _decibels(np.square(frame[known].astype(np.float64) - truth[known]))


def blackened_ssim(frame: Frame, truth: Frame, hole: Mask) -> float:
    """Return the SSIM of two frames, uint8 (H, W, 3), with the hole, bool (H, W), black in both: higher is better.

    The window is 65 px, or the largest odd number that fits; the mean is over pixels with a whole window. Frames under
    3 px raise InputError.
    """
    from skimage.metrics import structural_similarity

    frame, truth = as_pair(frame, truth)
    short = min(frame.shape[:2])
    if short < 3:
        raise InputError(f"background-ssim-dpo needs frames of at least 3 px a side, and these have {short}")
    known = ~as_mask(hole, frame)[..., None]
    window = min(WINDOW_PX, short - (short % 2 == 0))
    black = truth * known, frame * known
    found = structural_similarity(*black, win_size=window, channel_axis=-1, data_range=255)  # type: ignore[no-untyped-call]
    return float(found)


def change_psnr(frames: Frames, truth: Frames, holes: Masks) -> list[float | None]:
    """Return the PSNR of the change from each frame to the next, T - 1 values in dB, higher is better.

    ``frames`` and ``truth`` are uint8 (T, H, W, 3), ``holes`` bool (T, H, W); counted are the pixels that are known in
    both frames. A value is None where there are none, or none differs.
    """
    frames, truth = as_frames(frames), as_frames(truth, "truth")
    check_pair(frames, truth, None)
    difference = frames.astype(np.float64) - truth
    known = ~(holes[:-1] | holes[1:])
    pairs = zip(difference[:-1], difference[1:], known, strict=True)
    return [_decibels(np.square(after[counted] - before[counted])) for before, after, counted in pairs]


def _decibels(squared: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float | None:
    error = float(squared.mean()) if squared.size else 0.0
    return 10 * float(np.log10(255**2 / error)) if error else None


Compare = Callable[[Frames, Frames, Masks], list[float | None]]
"""A function that compares two clips with their holes, frame by frame or pair by pair."""


class KnownBackground:
    """One measure of the background of every frame, or every pair of neighbours."""

    def __init__(self, info: MetricInfo, compare: Compare) -> None:
        self.info = info
        self._compare = compare

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per frame or pair in the region ``outside``. One frame has no pair, and no value."""
        return {"outside": Series.of(self._compare(frames, original_of(case), case.holes))}


def psnr_dpo() -> KnownBackground:
    """Background PSNR of Video_inpainting_DPO: known pixels alone, perfect frames left out."""

    def compare(frames: Frames, original: Frames, holes: Masks) -> list[float | None]:
        return [known_psnr(*triple) for triple in zip(frames, original, holes, strict=True)]

    return KnownBackground(_info("psnr", "PSNR", "dB", "known pixels, perfect frames left out; every frame"), compare)


def ssim_dpo() -> KnownBackground:
    """Background SSIM of Video_inpainting_DPO: the hole is black in both frames and counts as equal."""

    def compare(frames: Frames, original: Frames, holes: Masks) -> list[float | None]:
        return [blackened_ssim(*triple) for triple in zip(frames, original, holes, strict=True)]

    return KnownBackground(_info("ssim", "SSIM", "", "hole black in both, window of 65 px; every frame"), compare)


def change_dpo() -> KnownBackground:
    """Background TC of Video_inpainting_DPO: PSNR of frame differences over pixels known in both frames."""
    info = _info("change", "TC", "dB", "TC_bg_pixel_proxy, PSNR of frame differences; every frame")
    return KnownBackground(info, change_psnr)


def _info(name: str, title: str, unit: str, how: str) -> MetricInfo:
    return MetricInfo(
        name=f"background-{name}-dpo",
        title=f"background {title} (DPO)",
        unit=unit,
        better="higher",
        needs=frozenset(),
        source=f"jh5117-debug/Video_inpainting_DPO or_bg_metric_eval.py: {how}",
    )
