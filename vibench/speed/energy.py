"""Energy that the hardware itself counts: a processor's package (RAPL) or an NVIDIA card (NVML)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Joules = Callable[[], float]
"""Reads how many joules a counter has counted so far."""

POWERCAP = Path("/sys/class/powercap")


class NoCounter(Exception):
    """The machine does not say how much energy it uses; the text says why."""


def joules_used(device: str, action: Callable[[], object], powercap: Path = POWERCAP) -> float:
    """How many joules the device used during ``action``, its idle power included, by its own counter.

    A RAPL counter starts again at 0 when it has reached its range. NoCounter where there is no counter to be read.
    """
    if device.startswith("cuda"):
        counter = _card_counter(device)
        before = counter()
        action()
        return counter() - before
    packages = sorted(powercap.glob("intel-rapl:?"))
    if not packages:
        raise NoCounter("the system shows no RAPL counter (/sys/class/powercap)")
    starts = [_read(package / "energy_uj") for package in packages]
    action()
    used = 0
    for package, start in zip(packages, starts, strict=True):
        grown = _read(package / "energy_uj") - start
        used += grown if grown >= 0 else grown + _read(package / "max_energy_range_uj")
    return used / 1e6


def _read(file: Path) -> int:
    try:
        return int(file.read_text())
    except PermissionError as error:
        raise NoCounter(f"only root may read {file}") from error
    except (OSError, ValueError) as error:
        raise NoCounter(f"{file} cannot be read: {error}") from error


def _card_counter(device: str) -> Joules:
    try:
        import pynvml  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise NoCounter("pynvml is not installed: pip install nvidia-ml-py") from error
    import torch

    try:
        pynvml.nvmlInit()
        card = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(card)
    except pynvml.NVMLError as error:
        raise NoCounter(f"the card does not count energy: {error}") from error
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(card)) / 1e3
