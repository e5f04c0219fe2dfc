"""The device that a method works on: its name, and waiting until it has finished."""

from __future__ import annotations

import re

from vibench.errors import InputError


def check_name(name: str) -> None:
    """Raise InputError for what is no name of a device on any machine; torch is not asked."""
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", name):
        raise InputError(f"{name!r} is not a device; use auto, cpu, cuda or cuda:N")


def resolve(name: str) -> str:
    """The device of that name: ``auto`` becomes ``cuda`` where there is one, else ``cpu``.

    InputError where this machine has no such device.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"{name!r} is not a device; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise InputError(f"this machine has no device {name!r}; use --device cpu")
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    return name


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given; on the host there is nothing to wait for."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
