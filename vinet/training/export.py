"""Weights as they are handed out: the average, in half precision, with what made them in the header."""

import json
from pathlib import Path

import torch
from torch import nn

from vinet import weights
from vinet.errors import VINetError
from vinet.files import replacing
from vinet.training import checkpoint
from vinet.training.recipe import Recipe, parse
from vinet.training.start import network_of


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
    with replacing(path) as temporary:
        weights.save(network.half(), temporary, notes)


def snapshot(folder: Path, output: Path) -> int:
    """Write the averaged weights of the last checkpoint in `folder`; returns how many steps they have had.

    The training may still run, or have been stopped before its end. Raises VINetError where there is no training.
    """
    if output.suffix != ".safetensors":
        raise VINetError(f"the output must end in .safetensors, not {output.name!r}")
    state = checkpoint.load(folder / "checkpoint.pt")
    if state is None or not (folder / "recipe.json").is_file():
        raise VINetError(f"{folder} is not the folder of a training: it has no checkpoint yet")
    recipe = parse(json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
    network = network_of(recipe.network.model_copy(update={"start": ()}), recipe.seed)  # those files may be gone
    network.load_state_dict(state["average"])
    export(network, output, recipe, state["done"], state["seconds"], torch.device("cpu"))
    return int(state["done"])
