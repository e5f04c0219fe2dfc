"""Every loss against a direct transcription of its equation in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vinet.training import losses

Array = NDArray[np.float64]


def picture(seed: int, channels: int = 3, size: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, channels, size, size, generator=generator) * 2 - 1


def hole() -> Tensor:
    return (picture(9, 1) > 0.4).float()


def fetched(image: Tensor, flow: Tensor) -> Array:
    """Bilinear sampling at x + u, y + v, coordinates clamped, pixel by pixel."""
    source, motion = image.double().numpy(), flow.double().numpy()
    batch, _, height, width = source.shape
    out = np.zeros_like(source)
    for b in range(batch):
        for y in range(height):
            for x in range(width):
                px = min(max(x + motion[b, 0, y, x], 0), width - 1)
                py = min(max(y + motion[b, 1, y, x], 0), height - 1)
                x0, y0 = min(int(px), width - 2), min(int(py), height - 2)
                fx, fy = px - x0, py - y0
                patch = source[b, :, y0 : y0 + 2, x0 : x0 + 2]
                out[b, :, y, x] = np.einsum("cij,i,j->c", patch, [1 - fy, fy], [1 - fx, fx])
    return out


def test_l1_is_the_mean_absolute_difference() -> None:
    a, b = picture(1), picture(2)
    assert losses.l1(a, b).item() == pytest.approx(np.abs(a.numpy() - b.numpy()).mean(), rel=1e-5)


def test_hole_is_the_mean_over_hole_pixels() -> None:
    a, b, m = picture(1), picture(2), hole()
    inside = np.broadcast_to(m.numpy() > 0, a.shape)
    assert losses.hole(a, b, m).item() == pytest.approx(np.abs(a.numpy() - b.numpy())[inside].mean(), rel=1e-5)
    assert losses.hole(a, b, 0 * m).item() == 0


def test_ssim_is_wangs() -> None:
    a, b = picture(1), picture(1) * 0.7 + picture(2) * 0.3
    x, y = a.double().numpy(), b.double().numpy()
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2, values = (0.01 * 2) ** 2, (0.03 * 2) ** 2, []
    for top in range(10):
        for left in range(10):
            p, q = (v[:, :, top : top + 11, left : left + 11] for v in (x, y))
            mp, mq = ((window * v).sum((2, 3)) for v in (p, q))
            pp, qq, pq = ((window * v).sum((2, 3)) for v in (p * p, q * q, p * q))
            above = (2 * mp * mq + c1) * (2 * (pq - mp * mq) + c2)
            values.append(above / ((mp**2 + mq**2 + c1) * (pp - mp**2 + qq - mq**2 + c2)))
    assert losses.ssim(a, b).item() == pytest.approx(np.mean(values), rel=1e-4)
    assert losses.ssim(a, a).item() == pytest.approx(1)
    assert losses.ssim_loss(a, b).item() == -losses.ssim(a, b).item()


def test_the_flow_loss_is_eq_11() -> None:
    before, own, reference = picture(3), picture(4, 2) * 3, picture(5, 2) * 3
    now = torch.from_numpy(fetched(before, reference)).float() + 0.12 * picture(6)
    visible = (picture(7, 1) > -0.5).float()
    truth = now.double().numpy()
    error = ((truth - fetched(before, reference)) ** 2).sum(1, keepdims=True)
    right = (error < 0.02) & (visible.numpy() > 0)
    assert 0 < right.sum() < visible.sum()
    vectors = np.abs(own.numpy() - reference.numpy()).sum(1, keepdims=True)
    colours = np.abs(truth - fetched(before, own)).sum(1, keepdims=True)
    found = losses.flow(own, reference, visible, now, before).item()
    assert found == pytest.approx((vectors + colours)[right].mean(), rel=1e-4)


def test_the_warping_loss_is_eqs_12_and_13() -> None:
    before, reference, output = picture(3), picture(5, 2) * 3, picture(8)
    now = torch.from_numpy(fetched(before, reference)).float() + 0.1 * picture(6)
    visible = (picture(7, 1) > -0.5).float()
    warped = fetched(before, reference)
    mask = np.exp(-50 * ((now.numpy() - warped) ** 2).sum(1, keepdims=True)) * visible.numpy()
    expected = (mask * np.abs(output.numpy() - warped)).mean()
    assert losses.warping(output, now, before, reference, visible).item() == pytest.approx(expected, rel=1e-3)


def test_the_steady_loss_compares_two_outputs_in_the_hole() -> None:
    earlier, reference, output, m = picture(3), picture(5, 2) * 3, picture(8), hole()
    trusted = picture(9, 1).abs()
    difference = np.abs(output.numpy() - fetched(earlier, reference)) * trusted.numpy()
    inside = np.broadcast_to(m.numpy() > 0, difference.shape)
    found = losses.steady(output, earlier, m, trusted, reference).item()
    assert found == pytest.approx(difference[inside].mean(), rel=1e-3)
    assert losses.steady(output, earlier, 0 * m, trusted, reference).item() == 0


def test_the_end_point_loss_is_robust() -> None:
    a, b = picture(1, 2) * 5, picture(2, 2) * 5
    lengths = np.sqrt(((a - b).double().numpy() ** 2).sum(1))
    assert losses.endpoint(a, b).item() == pytest.approx(((lengths + 0.01) ** 0.7).mean(), rel=1e-4)
    still = torch.zeros(1, 2, 4, 4, requires_grad=True)
    losses.endpoint(still, torch.zeros(1, 2, 4, 4)).backward()
    assert still.grad is not None and bool(still.grad.isfinite().all())


def test_the_total_is_eq_7() -> None:
    terms = {"l1": torch.tensor(2.0), "hole": torch.tensor(3.0), "ssim": torch.tensor(7.0)}
    assert losses.total(terms, {"l1": 1.0, "hole": 5.0, "flow": 10.0}).item() == 17


def test_perceptual_and_style_are_lius() -> None:
    """Eqs. 3 to 5 of Liu et al. 2018, over two layers of maps."""
    maps = [(picture(1, 4, 6), picture(2, 4, 6)), (picture(3, 8, 3), picture(4, 8, 3))]
    perceptual, style = 0.0, 0.0
    for a, b in maps:
        channels, cells = a.shape[1], a.shape[2] * a.shape[3]
        perceptual += np.abs(a.numpy() - b.numpy()).sum() / a.numel()
        for one, other in zip(a.double().numpy(), b.double().numpy(), strict=True):
            rows, others = one.reshape(channels, cells), other.reshape(channels, cells)
            difference = (rows @ rows.T - others @ others.T) / (channels * cells)
            style += np.abs(difference).sum() / channels**2 / len(a)
    left, right = [a for a, _ in maps], [b for _, b in maps]
    assert losses.perceptual(left, right).item() == pytest.approx(perceptual, rel=1e-5)
    assert losses.style(left, right).item() == pytest.approx(style, rel=1e-4)


def test_style_does_not_ask_where_features_are() -> None:
    maps = picture(5, 4, 8)
    assert losses.style([maps], [maps.flip(-1).roll(3, -2)]).item() == pytest.approx(0, abs=1e-7)
    assert losses.perceptual([maps], [maps.flip(-1)]).item() > 0.1
