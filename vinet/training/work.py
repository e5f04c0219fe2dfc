"""How many operations a recipe is: what a statement of hours is made of, before any hour is spent."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from vinet.training import losses
from vinet.training.objective import Objective, trained
from vinet.training.recipe import Recipe, Stage
from vinet.training.scenes.data import sources
from vinet.training.scenes.scene import Motion
from vinet.training.start import network_of
from vinet.training.trainer import DEFAULT_WEIGHTS

COUNTED_PX = 64
"""Side of the crop that is counted; operations grow with its pixels."""
RATES = (10, 100, 400)
"""Operations a second in 1e12 that the table turns into hours: a small GPU, a large one, and one with bfloat16 at its
best."""


class Work(NamedTuple):
    """A stage and its operations."""

    stage: str
    steps: int
    flop_per_step: float

    @property
    def flop(self) -> float:
        """Of all its steps."""
        return self.steps * self.flop_per_step


class Noise:
    """A scene of noise that stands still; see `Scene`."""

    def __init__(self, size_px: int) -> None:
        self.size_px = size_px

    def frame(self, time: int) -> Tensor:
        """See `Scene`."""
        return torch.rand(1, 3, self.size_px, self.size_px, generator=torch.Generator().manual_seed(time)) * 2 - 1

    def mask(self, time: int) -> Tensor:
        """See `Scene`."""
        mask = torch.zeros(1, 1, self.size_px, self.size_px)
        mask[..., self.size_px // 4 : self.size_px // 2, self.size_px // 4 : self.size_px // 2] = 1
        return mask

    def motion(self, start: int, end: int) -> Motion:
        """See `Scene`."""
        return Motion(torch.zeros(1, 2, self.size_px, self.size_px), torch.ones(1, 1, self.size_px, self.size_px))


def work_of(recipe: Recipe) -> list[Work]:
    """The operations of convolutions and matrix products, forward and backward, as torch counts them.

    One item of a small crop is counted, and multiplied by batch and pixels. The terms of texture, which look through
    another network, and frames that lead up to the targets beyond `lead` are not in it.
    """
    return [Work(stage.name, stage.steps, _flop_per_step(recipe, stage)) for stage in recipe.stages]


def _flop_per_step(recipe: Recipe, stage: Stage) -> float:
    network = network_of(recipe.network, recipe.seed)
    names = set(trained(network, stage))
    for name, values in network.named_parameters():
        values.requires_grad_(name in names)
    objective = Objective(network, stage)
    times = sources(torch.Generator().manual_seed(0), stage.sources)
    with FlopCounterMode(display=False) as counter:
        terms = objective(Noise(COUNTED_PX), times, stage.lead)
        weights = stage.weights or DEFAULT_WEIGHTS[stage.kind]
        torch.autograd.backward(losses.total(terms, weights))
    return float(counter.get_total_flops()) * stage.batch * (stage.crop_px / COUNTED_PX) ** 2


def work_text(works: list[Work]) -> str:
    """A table, and hours at several rates."""
    rows = [f"{'stage':16} {'steps':>8} {'TFLOP a step':>14} {'PFLOP in all':>14}"]
    rows += [f"{w.stage:16} {w.steps:8} {w.flop_per_step / 1e12:14.3g} {w.flop / 1e15:14.4g}" for w in works]
    whole = sum(work.flop for work in works)
    hours = ", ".join(f"{whole / 1e12 / rate / 3600:.3g} h at {rate} TFLOP/s" for rate in RATES)
    return "\n".join([*rows, f"in all {whole / 1e15:.4g} PFLOP: {hours}; data and other operations come on top"])
