"""Reads pickled trees of numpy arrays, as Flax checkpoints are, and can build nothing else from them."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibench.errors import InputError

Arrays = dict[str, NDArray[Any]]
"""Arrays by the path of their keys: ``params/AlexNet_0/Conv_0/kernel``."""

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
            raise InputError(f"the pickle wants {module}.{name}; only numpy arrays are read from it")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_pickled_arrays(content: bytes) -> Arrays:
    """Flatten nested dictionaries of arrays; InputError where ``content`` holds anything else."""
    try:
        tree = _ArrayUnpickler(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"this is no pickle of numpy arrays: {error}") from error
    return _flat(tree, "")


def _flat(tree: Any, path: str) -> Arrays:
    if isinstance(tree, np.ndarray) and tree.dtype.kind in "fiu":
        return {path: tree}
    if not isinstance(tree, dict):
        raise InputError(f"the pickle holds a {type(tree).__name__} at {path or 'its top'}; only numpy arrays are read")
    flat: Arrays = {}
    for key, branch in tree.items():
        flat |= _flat(branch, f"{path}/{key}" if path else str(key))
    return flat
