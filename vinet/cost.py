"""What a network costs: parameters, and floating-point operations for one frame."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from vinet.config import VINetConfig
from vinet.network.memory import State
from vinet.network.pixels import Neighbours
from vinet.network.vinet import Previous, VINet, beside


def parameters(network: VINet) -> int:
    """Numbers in all parameters."""
    return sum(values.numel() for values in network.parameters())


def flop_per_frame(config: VINetConfig, height: int, width: int) -> int:
    """Operations for one frame in the middle of a video, neighbours' features known, as torch counts them.

    Convolutions, a multiplication and an addition each; warps and cost volumes are not counted (the latter are products
    of matrices of which only a band is wanted, so their count would say more about the code than about the network).
    Nothing is computed: the network and its input have shapes only.
    """
    with torch.device("meta"):
        network = VINet(config).eval()
        image, mask = torch.empty(1, 3, height, width), torch.empty(1, 1, height, width)
        neighbours = Neighbours(
            torch.empty(1, config.neighbours, 3, height, width), torch.empty(1, config.neighbours, 1, height, width)
        )
        flows = torch.empty(1, config.sources, 2, height, width) if config.given_flow else None
        known = network.encode_source(image, mask)
        hidden = torch.empty_like(known.eighth)
        previous = Previous(image, mask) if config.recurrence else None
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            network.encode_source(image, mask)  # the one neighbour that is new
            reference = known if config.shared_encoder else network.encode_reference(image, mask)
            sources = [known] * config.neighbours
            if config.recurrence:
                sources.append(network.encode_previous(image, mask, previous))
            state = State(hidden, hidden) if config.memory else None
            network.fill(image, mask, reference, beside(sources, 1), neighbours, previous, state, flows)
    counts = counter.get_flop_counts()["Global"]
    return sum(count for operation, count in counts.items() if operation != torch.ops.aten.bmm)
