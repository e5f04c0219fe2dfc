"""Random numbers that depend on nothing but the position in the training."""

import hashlib

import torch
from torch import Tensor


def generator(*position: object) -> torch.Generator:
    """A CPU generator seeded by a position such as (seed, stage, step, rank), which is all that resuming needs."""
    digest = hashlib.sha256(repr(position).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def uniform(chance: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Float32 values of `shape`, evenly from low to high."""
    return low + (high - low) * torch.rand(*shape, generator=chance)


def normal(chance: torch.Generator, *shape: int) -> Tensor:
    """Float32 standard normal values of `shape`."""
    return torch.randn(*shape, generator=chance)


def whole(chance: torch.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=chance))
