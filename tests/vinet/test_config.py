"""Each ablation of the paper and each departure of the compact network is a switch that moves parameters."""

import pytest
import torch
from torch import Tensor

from vinet.config import VINetConfig
from vinet.network.pixels import Neighbours, PixelComposition, PixelSources
from vinet.network.vinet import Previous, Step, VINet

SIZE_PX = 32
DEPARTURES = (
    "shared_encoder",
    "normalised_correlation",
    "soft_argmax",
    "pixel_composition",
    "given_flow",
    "flow_encoder",
)


def names(config: VINetConfig) -> set[str]:
    with torch.device("meta"):
        return set(VINet(config).state_dict())


def parts(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def planes(batch: int, channels: int) -> Tensor:
    return torch.rand(batch, channels, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(3))


def second_step(config: VINetConfig, network: VINet | None = None) -> Step:
    """The second frame of a video that does not move: it has a previous output and a memory."""
    torch.manual_seed(0)
    network = network or VINet(config)
    image, mask = planes(2, 3) * 2 - 1, (planes(2, 1) > 0.7).float()
    image = image * (1 - mask)
    around = (
        image[:, None].expand(-1, config.neighbours, -1, -1, -1),
        mask[:, None].expand(-1, config.neighbours, -1, -1, -1),
    )
    flows = torch.ones(2, config.sources, 2, SIZE_PX, SIZE_PX) if config.given_flow else None
    first = network.step(image, mask, *around, given_flows=flows)
    return network.step(image, mask, *around, Previous(first.output.detach(), mask), first.memory, flows)


def test_no_departure_is_in_the_published_network() -> None:
    assert not any(getattr(VINetConfig.published(), switch) for switch in DEPARTURES)


def test_the_compact_network_is_a_sixteenth_of_the_published_one() -> None:
    network = VINet(VINetConfig.compact())
    assert network.config.channels == (8, 16, 24, 32)
    assert 14.1e6 / 18 < sum(values.numel() for values in network.parameters()) < 14.1e6 / 15


@pytest.mark.parametrize(
    ("switch", "gone"),
    [
        ("recurrence", {"flownet_256", "masknet_256"}),
        ("memory", {"convlstm"}),
        ("flow_warping", {"flownet", "flownet_64", "flownet_128", "flownet_256"}),
        ("feature_composition", {"masknet", "masknet_64", "masknet_128"}),
    ],
)
def test_switching_a_part_off_removes_its_parameters_and_the_network_still_runs(switch: str, gone: set[str]) -> None:
    whole, without = VINetConfig.published(), VINetConfig.published(**{switch: False})
    assert parts(names(whole)) - parts(names(without)) == gone
    assert names(without) < names(whole)
    assert second_step(VINetConfig.compact(0.125, **{switch: False})).output.shape == (2, 3, SIZE_PX, SIZE_PX)


@pytest.mark.parametrize("switches", [{}, {"pixel_composition": False}])
def test_flow_is_that_of_the_heads_own_encoder_and_everything_else_that_of_the_body_s(
    switches: dict[str, bool],
) -> None:
    """Flow follows the flow encoder's weights and not the body's; holding the body's, it changes nothing."""
    torch.manual_seed(1)
    one = VINet(VINetConfig.compact(0.125, **switches))
    two = VINet(VINetConfig.compact(0.125, flow_encoder=True, **switches))
    state = one.state_dict()
    assert parts(names(two.config)) - parts(names(one.config)) == {"flow_encoder"}
    own = {f"flow_encoder.{n.removeprefix('encoder1.')}": v for n, v in state.items() if n.startswith("encoder1.")}
    two.load_state_dict(state | own)
    expected, found = second_step(one.config, one), second_step(two.config, two)
    assert torch.equal(expected.output, found.output)
    with torch.no_grad():
        two.encoder1.ec0.conv.weight.mul_(1.5)
    moved = second_step(two.config, two)
    assert not torch.equal(found.output, moved.output)
    # The last source is the previous output, which the body has changed.
    assert torch.equal(found.flows[0][:, :-1], moved.flows[0][:, :-1])
    with torch.no_grad():
        two.flow_encoder.ec5.conv.weight.mul_(1.5)
    assert not torch.equal(moved.flows[0], second_step(two.config, two).flows[0])


def test_without_recurrence_the_previous_output_is_never_looked_at() -> None:
    step = second_step(VINetConfig.compact(0.125, recurrence=False, pixel_composition=False))
    assert step.output is step.decoded
    assert step.output_mask is None and step.output_flow is None
    assert step.flows[0].shape[1] == 4


def test_without_flow_warping_nothing_moves() -> None:
    step = second_step(VINetConfig.compact(0.125, flow_warping=False, pixel_composition=False))
    assert step.output_flow is None
    assert all(not flow.any() for flow in step.flows)
    assert step.output_mask is not None


def test_without_feature_composition_the_aggregate_is_what_the_decoder_sees() -> None:
    step = second_step(VINetConfig.compact(0.125, feature_composition=False))
    assert all(scale.composed is scale.aggregated and scale.mask is None for scale in step.compositions)


def test_without_memory_there_is_no_state() -> None:
    assert second_step(VINetConfig.compact(0.125, memory=False)).memory is None


@pytest.mark.parametrize(("neighbours", "offsets"), [(0, ()), (1, (3,)), (2, (-3, 3)), (4, (-6, -3, 3, 6))])
def test_fewer_neighbours_are_fewer_maps_in_the_aggregation(neighbours: int, offsets: tuple[int, ...]) -> None:
    config = VINetConfig.compact(0.125, neighbours=neighbours, pixel_composition=neighbours > 0)
    assert config.neighbour_offsets == offsets
    assert VINet(config).st_agg.stAgg.conv.weight.shape[2] == neighbours + 1
    assert second_step(config).flows[2].shape == (2, neighbours + 1, 2, SIZE_PX // 2, SIZE_PX // 2)


def test_a_shared_encoder_is_one_encoder() -> None:
    assert parts(names(VINetConfig.published())) - parts(names(VINetConfig.published(shared_encoder=True))) == {
        "encoder2"
    }


def test_given_flow_removes_the_heads_and_is_what_warps() -> None:
    assert not any(part.startswith("flownet") for part in parts(names(VINetConfig.compact(given_flow=True))))
    step = second_step(VINetConfig.compact(0.125, given_flow=True, pixel_composition=False))
    assert torch.equal(step.flows[0], torch.full_like(step.flows[0], 1 / 8))
    assert step.output_flow is not None and torch.equal(step.output_flow, torch.ones_like(step.output_flow))


def test_soft_argmax_finds_a_shift_that_the_head_was_never_taught() -> None:
    torch.manual_seed(0)
    network = VINet(VINetConfig.compact())
    features = torch.randn(1, 32, 24, 24)
    flow = network.flownet(features, torch.roll(features, (2, -3), (2, 3)))[..., 6:-6, 6:-6]
    torch.testing.assert_close(flow.mean((0, 2, 3)), torch.tensor([-3.0, 2.0]), rtol=0, atol=0.3)


def test_pixel_composition_brings_visible_pixels_unchanged_and_no_others() -> None:
    torch.manual_seed(0)
    pixels = PixelComposition()
    torch.nn.init.constant_(pixels.blend.get_submodule("2").get_parameter("bias"), 50.0)  # blend all there is
    decoded, image, hole = torch.zeros(2, 3, 16, 16), planes(2, 3)[..., :16, :16], torch.zeros(2, 1, 16, 16)
    hole[..., :8] = 1
    around = PixelSources.of(Neighbours((image * (1 - hole))[:, None], hole[:, None]))
    output, blend = pixels(decoded, hole, around, torch.zeros(2, 2, 16, 16))
    torch.testing.assert_close(output, image * (1 - hole), rtol=0, atol=2e-3)
    torch.testing.assert_close(blend, 1 - hole, rtol=0, atol=2e-3)


def test_pixels_of_the_previous_output_stand_in_where_no_neighbour_saw_anything() -> None:
    torch.manual_seed(0)
    pixels = PixelComposition()
    torch.nn.init.constant_(pixels.blend.get_submodule("2").get_parameter("bias"), 50.0)
    decoded, previous, hole = torch.zeros(1, 3, 16, 16), planes(1, 3)[..., :16, :16], torch.ones(1, 1, 16, 16)
    around = PixelSources.of(Neighbours(torch.zeros(1, 2, 3, 16, 16), torch.ones(1, 2, 1, 16, 16)))
    output, _ = pixels(decoded, hole, around.with_output(previous, hole), torch.zeros(3, 2, 16, 16))
    torch.testing.assert_close(output, previous, rtol=0, atol=2e-3)


def test_what_is_fed_back_has_true_pixels_around_the_hole_only_with_pixel_composition() -> None:
    image, mask = planes(1, 3), (planes(1, 1) > 0.7).float()
    output = torch.full_like(image, 3.0)
    for switch, expected in ((False, output), (True, torch.where(mask > 0, 1.0, image))):
        network = VINet(VINetConfig.compact(0.125, pixel_composition=switch))
        torch.testing.assert_close(network.feed_back(image, mask, output).output, expected)


@pytest.mark.parametrize("departures", [{}, {"given_flow": True}, {"pixel_composition": False}])
def test_every_parameter_learns(departures: dict[str, bool]) -> None:
    config = VINetConfig.compact(0.125, **departures)
    torch.manual_seed(0)
    network = VINet(config)
    torch.autograd.backward(second_step(config, network).output.square().mean())
    assert [name for name, values in network.named_parameters() if values.grad is None] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"neighbours": 0, "recurrence": False},
        {"neighbours": -1},
        {"stride": 0},
        {"given_flow": True, "flow_warping": False},
        {"neighbours": 0, "pixel_composition": True},
        {"channel_order": "grey"},
        {"channels": (1, 2, 3, 4)},
    ],
)
def test_a_configuration_that_makes_no_network_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        VINetConfig.published(**fields)
