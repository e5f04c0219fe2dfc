import itertools

import numpy as np
import pytest
import torch
from golden_metrics import noisy_pair
from torch.nn import functional

from vibench.errors import InputError
from vibench.metrics.networks.i3d import I3D, Pool, Unit, from_flax, pooled_features, same_padded
from vibench.metrics.vfid import video_features


@pytest.fixture(scope="module")
def network() -> I3D:
    torch.manual_seed(0)
    network = I3D()
    for name, value in network.state_dict().items():
        value.copy_(torch.rand_like(value) + 0.5 if name.endswith("variance") else 0.05 * torch.randn_like(value))
    return network


@pytest.mark.parametrize(("size", "kernel", "stride"), [*itertools.product([1, 2, 5, 8, 9], [1, 2, 3, 7], [1, 2])])
def test_same_padding_gives_every_stride_one_result(size: int, kernel: int, stride: int) -> None:
    padded = same_padded(torch.zeros(1, 1, size, 1, 1), (kernel, 1, 1), (stride, 1, 1))
    positions = (padded.shape[2] - kernel) // stride + 1
    assert positions == -(-size // stride)
    assert padded.shape[2] - size <= max(kernel - 1, 0)


def test_an_odd_zero_goes_behind() -> None:
    padded = same_padded(torch.ones(1, 1, 4, 1, 1), (3, 1, 1), (2, 1, 1))
    assert padded.flatten().tolist() == [1, 1, 1, 1, 0]


def test_mixed_5c_has_1024_channels_and_an_eighth_of_the_frames(network: I3D) -> None:
    with torch.inference_mode():
        assert network.eval()(torch.rand(1, 3, 9, 40, 33)).shape == (1, 1024, 2, 2, 2)


def test_a_unit_normalises_convolves_and_cuts_negatives() -> None:
    torch.manual_seed(0)
    unit = Unit(2, 3, 3)
    for parameter in unit.state_dict().values():
        parameter.copy_(torch.rand_like(parameter))
    x = torch.randn(1, 2, 4, 5, 6)
    convolved = functional.conv3d(x, unit.weight, padding=1)
    statistics = [value[:, None, None, None] for value in (unit.mean, unit.variance, unit.bias)]
    expected = torch.relu((convolved - statistics[0]) / torch.sqrt(statistics[1] + 1e-3) + statistics[2])
    torch.testing.assert_close(unit.eval()(x), expected, rtol=1e-4, atol=1e-5)


def test_training_mode_uses_the_clip_s_statistics_and_changes_nothing(network: I3D) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    clip = torch.rand(3, 9, 40, 40)
    trained = pooled_features(network.train(), clip)
    np.testing.assert_array_equal(pooled_features(network.train(), clip), trained)
    assert np.abs(pooled_features(network.eval(), clip) - trained).mean() > 0.01
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_pools_take_the_largest_even_at_the_border() -> None:
    x = torch.tensor([1.0, 5, 2, 3])[None, None, None, None]
    assert Pool((1, 1, 3), (1, 1, 2))(x).flatten().tolist() == [5, 3]


def test_flax_arrays_are_renamed_and_turned() -> None:
    kernel = np.arange(7 * 5 * 3 * 2 * 4, dtype=np.float32).reshape(7, 5, 3, 2, 4)
    state = from_flax(
        {
            "params/Mixed_3b/Branch_1/Conv3d_0a_1x1/Conv_0/kernel": kernel,
            "batch_stats/Conv3d_1a_7x7/BatchNorm_0/var": np.ones((1, 1, 1, 1, 64), np.float32),
            "params/Logits/Conv3d_0c_1x1/Conv_0/bias": np.ones(400, np.float32),
        }
    )
    turned = state["Mixed_3b.Branch_1.Conv3d_0a_1x1.weight"]
    assert turned.shape == (4, 2, 7, 5, 3)
    assert turned[3, 1, 6, 4, 2] == kernel[6, 4, 2, 1, 3]
    assert state["Conv3d_1a_7x7.variance"].shape == (64,)
    assert len(state) == 2


def test_features_of_a_clip_of_bytes_are_those_of_its_values_in_range(network: I3D) -> None:
    frames, _ = noisy_pair(0, 40, 33, 9)
    clip = torch.from_numpy(frames).permute(3, 0, 1, 2) / 255
    np.testing.assert_array_equal(video_features(network.eval(), frames), pooled_features(network, clip * 2 - 1))
    np.testing.assert_array_equal(video_features(network.train(), frames, True), pooled_features(network, clip))
    with pytest.raises(InputError, match=r"frames are float64 .* in 0..1"):
        video_features(network, frames / 255)
