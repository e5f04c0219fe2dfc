"""Weights as they are handed out: the average, half precision, with what made them in the header."""

import os
from pathlib import Path

import torch
from torch import nn

from vinet import weights
from vinet.training.recipe import Recipe


def export(network: nn.Module, path: Path, recipe: Recipe, steps: int, seconds: float, device: torch.device) -> None:
    """Write `network` in half precision to `path`, complete or not at all; it is half precision afterwards."""
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    notes = {
        "recipe": recipe.name,
        "recipe_sha256": recipe.digest(len(recipe.stages)),
        "steps": str(steps),
        "stages": ", ".join(f"{stage.name} {stage.steps}" for stage in recipe.stages),
        "training_seconds": str(round(seconds)),
        "device": kind,
        "torch": str(torch.__version__),
    }
    temporary = path.with_suffix(".tmp")
    weights.save(network.half(), temporary, notes)
    os.replace(temporary, path)
