"""VINet in the order and with the operations of the released code, which the package's speed is measured by.

Six images are encoded for every frame, every source goes through flow, warping and correlation by itself, aggregation
and decoder are three-dimensional convolutions, and the layout is PyTorch's default. Only the weights are shared with
`vinet`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vinet.network.aggregation import Aggregation, MaskEstimator
from vinet.network.encoder import Features
from vinet.network.flow import FlowHead
from vinet.network.layers import GatedStackConv, GatedUpConv, StackConv, gated
from vinet.network.memory import State
from vinet.network.vinet import Previous, VINet


@torch.no_grad()
def published_step(
    network: VINet,
    current: Tensor,
    mask: Tensor,
    neighbours: Tensor,
    neighbour_masks: Tensor,
    previous: Previous,
    memory: State | None,
) -> Tensor:
    """The output (1, 3, H, W) of one recurrent step of the published network; arguments as in `VINet.step`."""
    reference = network.encoder1(current, mask)
    sources = [network.encoder2(neighbours[:, n], neighbour_masks[:, n]) for n in range(4)]
    sources.append(network.encoder2(previous.output, torch.zeros_like(mask)))

    eighth = [_flow(network.flownet, reference.eighth, source.eighth, None) for source in sources]
    composed = _compose(reference.eighth, [s.eighth for s in sources], eighth, network.st_agg, network.masknet)
    quarter = [_flow(network.flownet_64, reference.quarter, s.quarter, f) for s, f in zip(sources, eighth, strict=True)]
    composed_quarter = _compose(
        reference.quarter, [s.quarter for s in sources], quarter, network.st_agg_64, network.masknet_64
    )
    half = [_flow(network.flownet_128, reference.half, s.half, f) for s, f in zip(sources, quarter, strict=True)]
    composed_half = _compose(reference.half, [s.half for s in sources], half, network.st_agg_128, network.masknet_128)

    features = network.convlstm(network.bottleneck(reference.eighth, composed), memory).hidden
    decoded = _decode(network.decoder, features, composed_quarter, composed_half)
    return _blend(network, reference, sources[-1], half[-1], decoded, previous)


def _flow(head: FlowHead, reference: Tensor, source: Tensor, coarser: Tensor | None) -> Tensor:
    if coarser is None:
        evidence = torch.cat([reference, _cost_volume(reference, source)], dim=1)
        return _estimate(head, evidence)
    start = _enlarged(coarser)
    warped = _warp(source, start, clamp=head.clamp)
    return start + _estimate(head, torch.cat([reference, _cost_volume(reference, warped), start], dim=1))


def _estimate(head: FlowHead, evidence: Tensor) -> Tensor:
    flow: Tensor = head.flow_estimator(evidence)
    return flow


def _enlarged(flow: Tensor) -> Tensor:
    return 2 * functional.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=False)


def _cost_volume(reference: Tensor, source: Tensor) -> Tensor:
    height, width = reference.shape[-2:]
    padded = functional.pad(source, (4, 4, 4, 4))
    shifts = ((dy, dx) for dy in range(9) for dx in range(9))
    costs = [(reference * padded[..., dy : dy + height, dx : dx + width]).mean(1) for dy, dx in shifts]
    return torch.stack(costs, dim=1)


def _warp(image: Tensor, flow: Tensor, *, clamp: bool = False) -> Tensor:
    """PyTorch's own sampling; that of the package runs compiled loops."""
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grid = torch.stack([(x + flow[:, 0]) * 2 / (width - 1) - 1, (y + flow[:, 1]) * 2 / (height - 1) - 1], dim=-1)
    outside = "border" if clamp else "zeros"
    return functional.grid_sample(image, grid, padding_mode=outside, align_corners=True)


def _compose(
    reference: Tensor, sources: list[Tensor], flows: list[Tensor], aggregation: Aggregation, estimator: MaskEstimator
) -> Tensor:
    aligned = [_warp(source, flow) for source, flow in zip(sources, flows, strict=True)]
    stack = torch.stack(aligned, dim=2)  # (1, C, 5, H, W)
    weight = aggregation.stAgg.conv.weight
    aggregated = gated(functional.conv3d(stack, weight, padding=(0, 1, 1))).squeeze(2)
    mask = estimator(reference, aggregated)
    return (1 - mask) * reference + mask * aggregated


def _decode(decoder: nn.Module, features: Tensor, quarter: Tensor, half: Tensor) -> Tensor:
    x = features.unsqueeze(2)  # (1, C, 1, H / 8, W / 8)
    for name, layer in decoder.named_children():
        if name == "dc2_1":
            x = torch.cat([x, quarter.unsqueeze(2)], dim=1)
        if name == "dc3_1":
            x = torch.cat([x, half.unsqueeze(2)], dim=1)
        x = _flat(layer, x)
    return x.squeeze(2)


def _flat(layer: nn.Module, x: Tensor) -> Tensor:
    """One layer of the decoder as the three-dimensional convolution that it is stored as."""
    match layer:
        case StackConv():
            return functional.conv3d(x, layer.weight, padding=(0, 1, 1))
        case GatedUpConv():
            x = functional.interpolate(x, scale_factor=(1, 2, 2), mode="trilinear", align_corners=False)
            weight = layer.conv.get_submodule("1").get_parameter("weight")
            return gated(functional.conv3d(x, weight, padding=(0, 1, 1)), 0.2)
        case GatedStackConv():
            d = layer.conv.dilation
            return gated(functional.conv3d(x, layer.conv.weight, padding=(0, d, d), dilation=(1, d, d)))
    raise ValueError(f"the decoder has no layer of type {type(layer).__name__}")


def _blend(
    network: VINet, reference: Features, source: Features, half: Tensor, decoded: Tensor, previous: Previous
) -> Tensor:
    flow = _flow(network.flownet_256, reference.full, source.full, half)
    mask = network.masknet_256(reference.full, _warp(source.full, _enlarged(half), clamp=True))
    return (1 - mask) * decoded + mask * _warp(previous.output, flow, clamp=True)
