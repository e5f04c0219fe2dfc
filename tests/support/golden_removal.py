"""The clip, the tiny backbones and the numbers of ``tests/golden/removal``, which the authors' own code gave."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch

FOLDER = Path(__file__).parents[1] / "golden" / "removal"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())


@cache
def rules() -> Any:
    """The module with the rules by which weights, features and flow are drawn."""
    spec = importlib.util.spec_from_file_location("fill_removal", FOLDER / "fill_removal.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def array(file: str, name: str) -> Any:
    with np.load(FOLDER / file) as arrays:
        return arrays[name]


def clip(name: str) -> Any:
    """``truth``, ``input``, ``output``, ``masks`` or ``soft_masks``."""
    return array("inputs.npz", name)


_SAM = EXPECTED["remove"]["image_level"]["config"]
CONFIGS: dict[str, dict[str, Any]] = {
    "dinov2": EXPECTED["rc"]["image_level"]["config"],
    "clip_vision": EXPECTED["tc"]["clip_config"],
    "sam_encoder": {
        "hidden_size": _SAM["embed_dim"],
        "num_hidden_layers": _SAM["depth"],
        "num_attention_heads": _SAM["num_heads"],
        "window_size": _SAM["window_size"],
        "global_attn_indexes": _SAM["global_attn_indexes"],
        "image_size": _SAM["img_size"],
        "patch_size": _SAM["patch_size"],
        "mlp_ratio": float(_SAM["mlp_ratio"]),
        "layer_norm_eps": _SAM["norm_eps"],
        "output_channels": _SAM["out_chans"],
    },
}
"""The tiny models as transformers configures them."""


def write_weights(model: str, folder: Path) -> Path:
    """Write a tiny model as the hub has it, with its config.json, and return the path of the weights."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: torch.from_numpy(values) for name, values in rules().weights(model).items()}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIGS[model]))
    return folder / "model.safetensors"


@cache
def tiny(model: str) -> str:
    """The path of a tiny model's weights, written once a process."""
    return str(write_weights(model, Path(mkdtemp()) / model))


def largest(ours: Any, expected: Any) -> float:
    """The largest difference of two series; infinity where only one has a value."""
    one, other = (
        np.array([np.nan if v is None else float(v) for v in np.ravel(np.array(values, object))])
        for values in (ours, expected)
    )
    if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
        return float("inf")
    apart = np.abs(one - other)[~np.isnan(one) & (one != other)]
    return float(apart.max()) if apart.size else 0.0
