"""The device of these tests: ``$VIBENCH_DEVICE``, or else CUDA where there is one, or else the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from vibench.machine.device import resolve


@pytest.fixture(scope="session")
def device() -> str:
    return resolve(os.environ.get("VIBENCH_DEVICE", "auto"))


@pytest.fixture
def full_precision() -> Iterator[None]:
    """On CUDA, float32 convolutions that are float32: by default cuDNN takes TF32, which has ten bits."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
