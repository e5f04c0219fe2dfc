"""The network that a training starts from: drawn from a seed, with what weights files hold of it."""

from pathlib import Path

import torch
from torch import Tensor

from vinet import weights
from vinet.config import VINetConfig
from vinet.errors import VINetError
from vinet.network.frame_network import FrameNetwork
from vinet.network.vinet import VINet
from vinet.training.recipe import NetworkRecipe


def network_of(recipe: NetworkRecipe, seed: int) -> VINet | FrameNetwork:
    """The untrained network of a recipe, the same for the same seed, with what its `start` files hold of it.

    Raises VINetError where a file cannot be read or holds nothing that fits.
    """
    config = recipe.config()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FrameNetwork(config) if recipe.kind == "frame" else VINet(config)
    own_encoder = False
    for file in recipe.start:
        have = network.state_dict()
        given = weights.read(Path(file))
        tensors = {name: of_sources(values, name, given.config, config) for name, values in given.tensors.items()}
        fitting = {n: v.float() for n, v in tensors.items() if n in have and v.shape == have[n].shape}
        if not fitting:
            raise VINetError(f"{file} holds no tensor that this network could start from")
        network.load_state_dict(have | fitting)
        own_encoder |= any(name.startswith("flow_encoder") for name in fitting)
    if isinstance(network, VINet) and config.flow_encoder and recipe.start and not own_encoder:
        network.flow_encoder.load_state_dict(network.encoder1.state_dict())
    return network


def of_sources(values: Tensor, name: str, before: VINetConfig | None, after: VINetConfig) -> Tensor:
    """The slices of an aggregation's (C, C, S, 3, 3) whose sources the new network keeps; any other tensor as it is.

    `before` is the configuration that the weights were trained with, `after` that of the new network.
    """
    if before is None or not (name.startswith("st_agg") and values.ndim == 5):
        return values
    had, kept = ([*c.neighbour_offsets, *["previous"] * c.recurrence] for c in (before, after))
    return values[:, :, [had.index(source) for source in kept]] if set(kept) <= set(had) else values
