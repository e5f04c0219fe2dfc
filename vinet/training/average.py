"""An exponential moving average of a network's parameters, which is what a training hands out."""

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class Average:
    """Average of all parameters with a decay that grows from 0.1 to `decay`, so that the first steps are forgotten."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.tensors = {name: values.detach().clone() for name, values in network.state_dict().items()}
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards `network` after its `step`-th step, counted from 1 over all stages."""
        decay = min(self._decay, step / (step + 9))
        for name, values in network.state_dict().items():
            self.tensors[name].lerp_(values, 1 - decay)

    def of(self, network: Network) -> Network:
        """A copy of `network` with the averaged parameters."""
        averaged = copy.deepcopy(network)
        averaged.load_state_dict(self.tensors)
        return averaged.eval()
