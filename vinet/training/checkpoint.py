"""What a training keeps: one file that holds all of its state, and the average of its weights."""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from vinet.errors import VINetError
from vinet.files import replacing

VERSION = 2


def save(state: dict[str, Any], path: Path) -> None:
    """Replace the checkpoint in one move: after `kill -9` it is the old one or the new one."""
    with replacing(path) as temporary:
        torch.save({"version": VERSION, **state}, temporary)


def load(path: Path) -> dict[str, Any] | None:
    """What `save` wrote, on the CPU; None where there is no file.

    It runs no code from the file. Raises VINetError where the file is damaged or is something else.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, LookupError, ValueError, pickle.UnpicklingError) as error:
        raise VINetError(f"{path} is not a checkpoint of vinet train, or was damaged") from error
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise VINetError(f"{path} is not a checkpoint of this version of vinet train")
    return state


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of the parameters of `network`, which is what a training hands out.

    Its decay grows from 0.1 at the first step to `decay`, so that the first steps are forgotten. `module` of the result
    is the network with the averaged parameters, and `n_averaged` is the number of the next step, counted from 1.
    """

    def move(averages: Any, values: Any, step: Tensor | int) -> None:
        number = int(step)
        for average, value in zip(averages, values, strict=True):
            average.lerp_(value, 1 - min(decay, number / (number + 9)))

    average = AveragedModel(network, multi_avg_fn=move)
    continue_average(average, network.state_dict(), steps=0)
    average.module.eval()
    return average


def continue_average(average: AveragedModel, tensors: dict[str, Tensor], steps: int) -> None:
    """Go on from the averaged parameters `tensors` after `steps` steps.

    The count starts at 1, because at 0 the next update would copy the network instead of averaging.
    """
    average.module.load_state_dict(tensors)
    average.n_averaged.fill_(steps + 1)
