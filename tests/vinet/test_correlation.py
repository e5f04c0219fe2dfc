"""The cost volume is what its definition says, forward and backward."""

import pytest
import torch
from torch import Tensor

from vinet.kernels import cost_volume
from vinet.network.flow import displacements


def by_definition(reference: Tensor, source: Tensor) -> Tensor:
    batch, _, height, width = reference.shape
    costs = reference.new_zeros(batch, 81, height, width)
    for channel in range(81):
        dy, dx = channel // 9 - 4, channel % 9 - 4
        for y in range(height):
            for x in range(width):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    costs[:, channel, y, x] = (reference[:, :, y, x] * source[:, :, y + dy, x + dx]).mean(1)
    return costs


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 3, 5, 7), (1, 2, 3, 19), (3, 2, 4, 16)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_every_candidate_is_a_mean_of_products(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    reference, source = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    volume = cost_volume(reference.to(memory_format=layout), source.to(memory_format=layout))
    torch.testing.assert_close(volume, by_definition(reference, source))


def test_gradients_are_those_of_the_definition() -> None:
    reference, source = torch.randn(2, 1, 2, 2, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(cost_volume, (reference.requires_grad_(), source.requires_grad_()), fast_mode=True)


def test_the_best_match_of_a_shifted_map_is_at_its_shift() -> None:
    reference = torch.randn(1, 64, 20, 20, generator=torch.Generator().manual_seed(1))
    best = cost_volume(reference, torch.roll(reference, (2, -3), (2, 3)))[..., 6:-6, 6:-6].argmax(1)
    assert (displacements(reference)[best] == torch.tensor([-3.0, 2.0])).all()


def test_maps_of_two_precisions_meet_in_the_wider_one() -> None:
    reference = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(1))
    assert cost_volume(reference.bfloat16(), reference).dtype == torch.float32
