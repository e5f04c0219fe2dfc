"""The processes of a distributed training, as torchrun starts them; one alone where it did not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from vinet.errors import VINetError


@dataclass(frozen=True)
class Processes:
    """Which process this is, out of how many, and the device that it computes on."""

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Join torchrun's group (gloo on the CPU, NCCL on CUDA) for as long as the block runs."""
    if device not in ("cpu", "cuda"):
        raise VINetError(f"device is cpu or cuda, not {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise VINetError("device is cuda, and torch sees no CUDA device here: use --device cpu")
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, torch.device(device))
        return
    local = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device("cpu")
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), count, local)
    finally:
        distributed.destroy_process_group()
