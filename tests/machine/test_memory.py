"""Peak memory against allocations of known size."""

from __future__ import annotations

import numpy as np
import pytest

from vibench.machine.memory import peak_memory


# Not smaller: the kernel may round an allocation up by a huge page of 2 MiB.
@pytest.mark.parametrize("mebibytes", [64, 256])
def test_peak_agrees_with_an_allocation_of_known_size_within_5_percent(mebibytes: int) -> None:
    with peak_memory() as peak:
        held = np.ones(mebibytes << 20, np.uint8)
        del held
    assert peak.host_bytes == pytest.approx(mebibytes << 20, rel=0.05)


def test_memory_freed_before_the_next_allocation_counts_once() -> None:
    with peak_memory() as peak:
        for _ in range(4):
            held = np.ones(64 << 20, np.uint8)
            del held
    assert peak.host_bytes == pytest.approx(64 << 20, rel=0.05)


def test_memory_held_before_does_not_count() -> None:
    before = np.ones(64 << 20, np.uint8)
    with peak_memory() as peak:
        pass
    assert peak.host_bytes < len(before) / 16
