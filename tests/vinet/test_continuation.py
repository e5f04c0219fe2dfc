"""The smooth continuation of known pixels, and its composition with what a decoder made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, identity
from scipy.sparse.linalg import spsolve
from torch import Tensor

from vinet.config import VINetConfig
from vinet.network.continuation import SmoothComposition, continued
from vinet.network.frame_network import FrameNetwork
from vinet.network.vinet import VINet

SMALL = VINetConfig.compact(0.0625)


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def square(height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[:, :, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
    return mask


@given(height=st.integers(1, 50), width=st.integers(1, 50), share=st.floats(0, 0.95), seed=st.integers(0, 99))
def test_known_pixels_stay_and_others_lie_between_them(height: int, width: int, share: float, seed: int) -> None:
    image = picture(height, width, seed)
    mask = (picture(height, width, seed + 100)[:, :1] / 2 + 0.5 < share).float()
    filled = continued(image, mask)
    known = (mask == 0).expand_as(image)
    assert torch.equal(filled[known], image[known])
    for channel in range(3):
        values = image[:, channel][mask[:, 0] == 0]
        if len(values):
            assert filled[:, channel].min() >= values.min() - 1e-5 and filled[:, channel].max() <= values.max() + 1e-5
        else:
            assert not filled.any()


def test_what_a_hole_holds_does_not_count() -> None:
    image, mask = picture(24, 40), square(24, 40)
    assert torch.equal(continued(image, mask), continued(image * (1 - mask) + picture(24, 40, 1) * mask, mask))


def test_it_is_near_the_harmonic_continuation() -> None:
    """Laplace's equation in the hole, solved by scipy: no smooth continuation has less gradient."""
    size = 32
    y, x = np.mgrid[:size, :size] / size
    image = np.sin(3 * x) + y**2 - 1
    hole = square(size, size)[0, 0].numpy() > 0.5
    at = np.arange(size * size).reshape(size, size)
    rows = np.repeat(at[hole], 4)
    columns = np.concatenate([np.roll(at, s, a)[hole][:, None] for s, a in ((1, 0), (-1, 0), (1, 1), (-1, 1))], axis=1)
    mean = csr_array((np.full(len(rows), 0.25), (rows, columns.ravel())), shape=(size**2, size**2))
    harmonic = spsolve((identity(size**2) - mean).tocsc(), np.where(hole, 0, image).ravel()).reshape(size, size)
    planes = torch.from_numpy(image).float().expand(1, 3, -1, -1)
    filled = continued(planes, square(size, size))[0, 0].double().numpy()
    away = np.abs(filled - harmonic)[hole]
    assert away.mean() < 0.1 * np.ptp(image) and away.max() < 0.25 * np.ptp(image)
    constant = np.abs(harmonic - image[~hole].mean())[hole]
    assert away.mean() < constant.mean() / 2


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_comes_out_as_it_went_in(kind: torch.dtype) -> None:
    image, mask = picture(16, 16), square(16, 16)
    halved = continued(image.to(kind), mask.to(kind))
    assert halved.dtype == kind
    torch.testing.assert_close(halved.float(), continued(image, mask), atol=0.02, rtol=0)


def test_autocast_does_not_round_it() -> None:
    image, mask = picture(24, 40), square(24, 40)
    with torch.autocast("cpu", torch.bfloat16):
        inside = continued(image, mask)
    assert torch.equal(inside, continued(image, mask))


def shared(smooth: SmoothComposition, opening: float) -> None:
    """Let the mask be sigmoid(`opening`) everywhere."""
    torch.nn.init.zeros_(smooth.blend[-1].weight)  # type: ignore[arg-type]
    torch.nn.init.constant_(smooth.blend[-1].bias, opening)  # type: ignore[arg-type]


def test_a_closed_mask_leaves_the_network_as_it_was_and_an_open_one_gives_the_continuation() -> None:
    torch.manual_seed(0)
    smooth = VINet(dataclasses.replace(SMALL, smooth_composition=True, given_flow=True, recurrence=False))
    plain = VINet(smooth.config.from_dict(smooth.config.to_dict() | {"smooth_composition": False}))
    plain.load_state_dict({name: v for name, v in smooth.state_dict().items() if not name.startswith("smooth.")})
    mask = square(16, 16)
    image = picture(16, 16) * (1 - mask)
    inputs = (image, mask, image[:, None].expand(-1, 4, -1, -1, -1), mask[:, None].expand(-1, 4, -1, -1, -1))
    flows = torch.zeros(1, 4, 2, 16, 16)
    shared(smooth.smooth, -100)
    torch.testing.assert_close(
        smooth.step(*inputs, None, None, flows).output, plain.step(*inputs, None, None, flows).output
    )
    shared(smooth.smooth, 100)
    torch.testing.assert_close(smooth.step(*inputs, None, None, flows).decoded, continued(image, mask))


def test_the_frame_network_composes_where_its_configuration_says_so() -> None:
    torch.manual_seed(0)
    smooth = FrameNetwork(dataclasses.replace(SMALL, smooth_composition=True))
    plain = FrameNetwork(SMALL)
    plain.load_state_dict({name: v for name, v in smooth.state_dict().items() if not name.startswith("smooth.")})
    mask = square(16, 16)
    image = picture(16, 16) * (1 - mask)
    shared(smooth.smooth, 0)
    torch.testing.assert_close(smooth(image, mask), (plain(image, mask) + continued(image, mask)) / 2)
