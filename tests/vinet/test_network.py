"""The network computes what the published one does."""

import numpy as np
import pytest
import torch
from golden_vinet import GOLDEN, SHAPES, golden_clip, golden_weights
from torch import Tensor

from vinet.config import VINetConfig
from vinet.network.vinet import Previous, VINet


def published(double: bool = False) -> VINet:
    network = VINet(VINetConfig.published(double=double))
    network.load_state_dict(golden_weights(), strict=True)
    return network.eval()


def test_keys_and_shapes_are_those_of_the_released_checkpoint() -> None:
    state = VINet(VINetConfig.published()).state_dict()
    assert {name: list(values.shape) for name, values in state.items()} == SHAPES
    assert len(SHAPES) == 166
    assert sum(values.numel() for values in state.values()) == 14_115_364


@pytest.mark.parametrize(
    ("case", "double", "carry_memory", "size_px"),
    [("single_nomem", False, False, 64), ("single_mem", False, True, 64), ("double_nomem", True, False, 128)],
)
@torch.inference_mode()
def test_outputs_and_flows_match_the_published_network(
    case: str, double: bool, carry_memory: bool, size_px: int
) -> None:
    golden = np.load(GOLDEN / f"vinet_{case}.npz")
    network = published(double)
    clip, masks = golden_clip(15, size_px)
    holed = clip * (1 - masks)
    previous, memory = None, None
    for t in range(3):
        around = [t, t + 3, t + 9, t + 12]
        step = network.step(
            holed[t + 6][None], masks[t + 6][None], holed[around][None], masks[around][None], previous, memory
        )
        previous = Previous(step.output, masks[t + 6][None])
        memory = step.memory if carry_memory else None
        assert_close(step.output[0], golden["outputs"][t])
        if "flows_half" in golden:
            assert_close(step.flows[2][0].transpose(0, 1), golden["flows_half"][t])


def assert_close(actual: Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=1e-4)
