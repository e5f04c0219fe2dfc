"""Waits for what will happen, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_SECONDS = 300.0
"""Only a test that would never end is ended by this."""


def until(happened: Callable[[], object], longest_seconds: float = LONGEST_SECONDS) -> None:
    """Return as soon as ``happened()`` is true; AssertionError where it never is."""
    end = time.monotonic() + longest_seconds
    while not happened():
        assert time.monotonic() < end, f"waited {longest_seconds:g} seconds in vain"
        time.sleep(0.01)
