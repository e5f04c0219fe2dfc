"""One file that holds all of a training, replaced in one move: after kill -9 it is the old one or the new one."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from vinet.errors import VINetError

VERSION = 2


def save(state: dict[str, Any], path: Path) -> None:
    """Write, flush to the disk, rename; a `.tmp` file beside it is the rest of a killed attempt."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as stream:
        torch.save({"version": VERSION, **state}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)  # the rename itself is on the disk only when the folder is
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path: Path) -> dict[str, Any] | None:
    """What `save` wrote, on the CPU; None where there is nothing. Runs no code from the file; VINetError if it is foreign."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, LookupError, ValueError, pickle.UnpicklingError) as error:
        raise VINetError(f"{path} is not a checkpoint of vinet train, or was damaged") from error
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise VINetError(f"{path} is not a checkpoint of this version of vinet train")
    return state
