"""The compiled loops compute what PyTorch's operators compute, for any size, and only where they may."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pytest
import torch
from golden_vinet import calm_weights, golden_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from vinet import weights, winograd
from vinet.config import VINetConfig
from vinet.inference import Inpainter, Settings
from vinet.kernels import cost_volume, warp
from vinet.kernels.loops import FAR, NEAR, six_to_four, six_to_six
from vinet.network.layers import StackConv, plain
from vinet.network.vinet import Previous, VINet
from vinet.winograd import WinogradConv2d, accelerate, kernel_matrix, suitable


@pytest.fixture(autouse=True)
def any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow layers too, so that examples are small."""
    monkeypatch.setattr(winograd, "LEAST_PRODUCTS", 1)


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def wide(inputs: int, outputs: int, dilation: int = 1, bias: bool = True) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=bias)
    return convolution.requires_grad_(False)


def multiplied_out(*roots: Fraction) -> list[Fraction]:
    """Coefficients of the product of (x - root), lowest power first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [high - root * low for high, low in zip(shifted, [*coefficients, Fraction(0)], strict=True)]
    return coefficients


def test_the_three_matrices_are_toom_and_cook_s_for_their_points() -> None:
    """Columns of what the loops do to unit vectors, against products of polynomials in exact arithmetic."""
    points = [Fraction(0), Fraction(NEAR), Fraction(-NEAR), Fraction(FAR), Fraction(-FAR)]
    rows = [multiplied_out(*(other for other in points if other != point)) + [Fraction(0)] for point in points]
    expected = np.array([[float(value) for value in row] for row in [*rows, multiplied_out(*points)]])
    tile, moved = np.eye(6, dtype=np.float32), np.zeros((6, 6), np.float32)
    six_to_six.py_func(*tile, *moved)
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-7)

    powers = np.array([[float(point**power) for point in points] + [float(power == 3)] for power in range(4)])
    pixels = np.zeros((4, 6), np.float32)
    six_to_four.py_func(*tile, *pixels)
    np.testing.assert_allclose(pixels, powers, rtol=1e-6)

    # Eq. 5 of the paper in one dimension, for four outputs of a filter of three.
    values, taps = np.random.default_rng(0).normal(size=6), np.random.default_rng(1).normal(size=3)
    products = (kernel_matrix() @ taps) * (expected @ values)
    np.testing.assert_allclose(powers @ products, np.correlate(values, taps, "valid"), atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    batch=st.integers(1, 3), height=st.integers(1, 40), width=st.integers(1, 40), inputs=st.integers(1, 9),
    outputs=st.integers(1, 9), dilation=st.sampled_from([1, 2, 3, 8]), bias=st.booleans(),
    slope=st.sampled_from([1.0, 0.1]), last=st.booleans(),
)  # fmt: skip
def test_a_convolution_is_pytorch_s(
    batch: int, height: int, width: int, inputs: int, outputs: int, dilation: int, bias: bool, slope: float, last: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "LEAST_PRODUCTS", 1)
        patch.setattr(winograd, "MOST_WASTE", float("inf"))  # as many tiles as it takes
        torch.manual_seed(0)
        convolution = wide(inputs, outputs, dilation, bias)
        features = maps(batch, inputs, height, width)
        laid_out = features.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
        with torch.inference_mode():
            found = WinogradConv2d(convolution, slope)(laid_out)
        expected = functional.leaky_relu(convolution.double()(features.double()), slope)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=2e-5)


def test_threads_share_the_tiles(threads: int) -> None:
    torch.manual_seed(0)
    convolution = wide(16, 8)
    features = maps(2, 16, 65, 130)
    with torch.inference_mode():
        torch.testing.assert_close(WinogradConv2d(convolution)(features), convolution(features), rtol=1e-5, atol=2e-5)


def test_layers_of_any_width_follow_each_other_in_either_mode(threads: int) -> None:
    """They share a thread's memory, which both modes may write."""
    torch.manual_seed(0)
    for mode in (torch.inference_mode, torch.no_grad, torch.inference_mode):
        for inputs, outputs in ((4, 4), (16, 8), (8, 2)):
            convolution, features = wide(inputs, outputs), maps(1, inputs, 40, 70)
            with mode():
                found = WinogradConv2d(convolution)(features)
            torch.testing.assert_close(found, convolution(features), rtol=1e-5, atol=2e-5)


def test_operations_are_counted_as_those_of_a_convolution(threads: int) -> None:
    convolution, features = wide(16, 8, dilation=2), maps(2, 16, 64, 64)
    counts = []
    for layer in (convolution, WinogradConv2d(convolution)):
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            layer(features)
        counts.append(counter.get_total_flops())
    assert counts == [2 * 2 * 64 * 64 * 16 * 8 * 9] * 2


def test_where_gradients_are_recorded_it_is_the_ordinary_convolution() -> None:
    convolution = wide(4, 4)
    features = maps(1, 4, 12, 12).requires_grad_()
    outputs = WinogradConv2d(convolution, 0.1)(features)
    outputs.sum().backward()
    assert features.grad is not None
    assert torch.equal(outputs, functional.leaky_relu(convolution(features), 0.1))


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, padding=1, dilation=2),
    ],
)
def test_other_convolutions_are_refused(convolution: nn.Conv2d) -> None:
    assert not suitable(convolution)
    with pytest.raises(ValueError, match="not a wide 3x3 convolution"):
        WinogradConv2d(convolution)


def test_activations_go_into_the_layer_before_and_stacks_become_flat() -> None:
    torch.manual_seed(0)
    network = nn.ModuleDict(
        {"plain": plain(8, 6), "stack": nn.Sequential(StackConv(8, 6, depth=2)), "flownet": plain(8, 8)}
    )
    network.requires_grad_(False)
    features, stack = maps(1, 8, 20, 20), maps(1, 16, 20, 20)
    expected = network["plain"](features), network["stack"](stack)
    assert accelerate(network) == 2  # the coarsest head is left alone
    assert [type(layer) for layer in network["plain"]] == [WinogradConv2d, nn.Identity]
    with torch.inference_mode():
        found = network["plain"](features), network["stack"](stack)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_a_compiled_warp_is_grid_sample(clamp: bool, last: bool, threads: int) -> None:
    """Also for flow that leaves the map by far, by an infinite way, and by whole pixels."""
    image, flow = maps(2, 64, 23, 31), 9 * maps(2, 2, 23, 31, seed=1)
    flow[0, 0, 3, 4], flow[0, 1, 5, 6], flow[1, 0, :, 2], flow[1, 1, 7] = 1e20, -torch.inf, -2, 0
    flow[1, :, 0] = flow[1, :, 0].round()
    image = image.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
    with torch.inference_mode():
        found = warp(image, flow, clamp=clamp)
    with torch.enable_grad():  # PyTorch's own
        expected = warp(image.double(), flow.double().clamp(-1e6, 1e6), clamp=clamp)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


def test_a_compiled_cost_volume_is_pytorch_s(threads: int) -> None:
    reference, source = maps(2, 20, 21, 33), maps(2, 20, 21, 33, seed=1)
    with torch.inference_mode():
        found = cost_volume(reference, source)
        expected = cost_volume(reference.double(), source.double())  # by products of matrices
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


def published() -> VINet:
    return weights.build(VINetConfig.published(), calm_weights(), "calm weights").requires_grad_(False)


def test_the_published_network_s_output_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 1e-4 of the direct convolutions', and as near to double precision as these, to a factor of two."""
    monkeypatch.undo()  # layers of the usual width only
    network = published()
    clip, masks = golden_clip(15, 64)
    holed, around = clip * (1 - masks), [0, 3, 9, 12]
    arguments = holed[[6]], masks[[6]], holed[around][None], masks[around][None]
    previous = Previous(holed[[5]], masks[[5]])
    accelerated = copy.deepcopy(network)
    assert accelerate(accelerated) > 50
    exact = copy.deepcopy(network).double()
    with torch.inference_mode():
        direct = network.step(*arguments, previous).output
        found = accelerated.step(*arguments, previous).output
        truth = exact.step(
            *(plane.double() for plane in arguments), Previous(*(plane.double() for plane in previous[:2]))
        ).output
    assert float((found - direct).abs().max()) < 1e-4
    assert float((found - truth).abs().max()) < 2 * float((direct - truth).abs().max())


def test_only_wide_networks_in_float32_on_a_cpu_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert Inpainter(weights.random_network(VINetConfig.compact())).winograd_layers == 0
    assert Inpainter(published()).winograd_layers > 50
    assert Inpainter(published(), settings=Settings(winograd=False)).winograd_layers == 0
    assert Inpainter(published(), settings=Settings(compile=True)).winograd_layers == 0
