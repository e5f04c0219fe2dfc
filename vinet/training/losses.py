"""The paper's losses (Kim et al. 2019, eqs. 7 to 14) and those that it lacks, each a pure function of tensors.

Images are (B, 3, H, W) in [-1, 1], masks (B, 1, H, W) with 1 = hole, flows (B, 2, H, W) in pixels; every loss is a
scalar.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vinet.kernels import warp

WINDOW_PX = 11
SIGMA_PX = 1.5
PEAK = 2.0
"""Range of the images, for SSIM's constants."""
ALPHA = 50.0
"""Sharpness of the visibility mask of eqs. 12 and 13."""
RIGHT = 0.02
"""Squared colour error (sum over channels) below which a reference warp counts as right."""
ROBUST = 0.7
"""Exponent of the end-point loss: large errors, most of them occluded, do not rule the gradient."""


def total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Eq. 7: the weighted sum of the terms that have a weight."""
    parts = [weights[name] * term for name, term in terms.items() if weights.get(name)]
    return torch.stack(parts).sum()


def l1(output: Tensor, truth: Tensor) -> Tensor:
    """Eq. 8: mean absolute difference."""
    return (output - truth).abs().mean()


def ssim(output: Tensor, truth: Tensor) -> Tensor:
    """Eq. 9: mean structural similarity (Wang et al. 2004), Gaussian 11x11 of 1.5 px, over whole windows only.

    In print eq. 9 names Y twice in its denominator, a slip; this is the usual formula. 1 for equal images.
    """
    steps = torch.arange(WINDOW_PX, device=output.device, dtype=torch.float32) - WINDOW_PX // 2
    kernel = torch.exp(-(steps**2) / (2 * SIGMA_PX**2))
    kernel = kernel / kernel.sum()
    x, y = output.float().flatten(0, 1)[:, None], truth.float().flatten(0, 1)[:, None]  # (B * 3, 1, H, W)
    planes = torch.cat([x, y, x * x, y * y, x * y])
    with torch.autocast(output.device.type, enabled=False):  # a variance is a small difference of large numbers
        planes = functional.conv2d(functional.conv2d(planes, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    mean_x, mean_y, xx, yy, xy = planes.chunk(5)
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (xx - mean_x**2 + yy - mean_y**2 + c2)
    return (above / below).mean()


def ssim_loss(output: Tensor, truth: Tensor) -> Tensor:
    """The SSIM part of eq. 10 with the sign that makes it a loss: L_R = L1 - SSIM, where print has a plus."""
    return -ssim(output, truth)


def hole(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """The authors' extra term: mean absolute difference over the hole's pixels alone; 0 without a hole."""
    difference = (output - truth).abs() * mask
    return difference.sum() / (mask.sum() * output.shape[1]).clamp(min=1)


def flow(own: Tensor, reference: Tensor, visible: Tensor, now: Tensor, before: Tensor) -> Tensor:
    """Eq. 11, one pair: |W - W^| + |Y_t - W^(Y_{t-1})|, where the reference warp is right.

    `own` is W^, the network's flow from t to t-1, `reference` is W with `visible` (B, 1, H, W); `now` and `before` are
    the true frames. Right: visible and a squared colour error of the reference warp below 0.02. Sums over channels.
    """
    error = (now - warp(before, reference, clamp=True)).square().sum(1, keepdim=True)
    right = visible * (error < RIGHT)
    vectors = (own - reference).abs().sum(1, keepdim=True)
    colours = (now - warp(before, own, clamp=True)).abs().sum(1, keepdim=True)
    return (right * (vectors + colours)).sum() / right.sum().clamp(min=1)


def visibility(now: Tensor, before: Tensor, reference: Tensor) -> Tensor:
    """M of eqs. 12 and 13, (B, 1, H, W): exp(-50 e²), e² the squared colour error of the true frame warped."""
    error = (now - warp(before, reference, clamp=True)).square().sum(1, keepdim=True)
    return torch.exp(-ALPHA * error)


def warping(output: Tensor, now: Tensor, before: Tensor, reference: Tensor, visible: Tensor) -> Tensor:
    """Eqs. 12 (short term, before = t-1) and 13 (long term, before = 1): mean of M |Y^_t - W(Y)| over all values.

    The target is the *true* earlier frame warped. Eq. 14 is the sum of both.
    """
    mask = visibility(now, before, reference) * visible
    return (mask * (output - warp(before, reference, clamp=True)).abs()).mean()


def steady(output: Tensor, earlier: Tensor, hole: Tensor, trusted: Tensor, reference: Tensor) -> Tensor:
    """Not in the paper: mean over the hole's values of M |Y^_t - W(Y^_{t-1})|, between two *outputs*.

    Eq. 12 compares an output with the true frame before it, and so asks again for the truth; this asks for what does
    not flicker where the truth cannot be known. `trusted` is M times what is visible, `hole` (B, 1, H, W) the hole at
    t.
    """
    weight = trusted * hole
    difference = (output - warp(earlier, reference, clamp=True)).abs()
    return (weight * difference).sum() / (hole.sum() * output.shape[1]).clamp(min=1)


def perceptual(output: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Not in the paper: eq. 3 of Liu et al. 2018 (arXiv 1804.07723).

    The mean absolute difference of feature maps, summed over layers. Maps are (B, C, H, W), a pair of equal shape for
    each layer.
    """
    return torch.stack([(a.float() - b.float()).abs().mean() for a, b in zip(output, truth, strict=True)]).sum()


def style(output: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Not in the paper: eqs. 4 and 5 of Liu et al. 2018, the same of the maps' Gram matrices.

    These say which features occur together, and not where.
    """
    return torch.stack([(_gram(a) - _gram(b)).abs().mean() for a, b in zip(output, truth, strict=True)]).sum()


def _gram(maps: Tensor) -> Tensor:
    """Products of channels (B, C, C), over C H W."""
    rows = maps.float().flatten(2)  # (B, C, H W)
    with torch.autocast(maps.device.type, enabled=False):  # thousands of products are summed
        return rows @ rows.transpose(1, 2) / rows[0].numel()


def endpoint(own: Tensor, truth: Tensor) -> Tensor:
    """Not in the paper: mean of (|e| + 0.01)^0.7, |e| the end-point error in pixels."""
    return (length(own - truth) + 0.01).pow(ROBUST).mean()


def length(vectors: Tensor) -> Tensor:
    """Lengths (B, 1, H, W) of (B, 2, H, W); its gradient at 0 is finite."""
    return (vectors.square().sum(1, keepdim=True) + 1e-8).sqrt()
