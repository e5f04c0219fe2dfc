"""Weights out of a training that is still running, or that was stopped before its end."""

import dataclasses
import json
from pathlib import Path

import torch

from vinet.errors import VINetError
from vinet.training import checkpoint
from vinet.training.export import export
from vinet.training.recipe import parse
from vinet.training.trainer import network_of


def snapshot(folder: Path, output: Path) -> int:
    """Write the averaged weights of the last checkpoint in `folder`; returns how many steps they have had."""
    if output.suffix != ".safetensors":
        raise VINetError(f"the output must end in .safetensors, not {output.name!r}")
    state = checkpoint.load(folder / "checkpoint.pt")
    if state is None or not (folder / "recipe.json").is_file():
        raise VINetError(f"{folder} is not the folder of a training: it has no checkpoint yet")
    recipe = parse(json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
    network = network_of(dataclasses.replace(recipe.network, start=()), recipe.seed)  # those files may be gone
    network.load_state_dict(state["average"])
    export(network, output, recipe, state["done"], state["seconds"], torch.device("cpu"))
    return int(state["done"])
