"""Work for the processes of a pool that are started by a script, not by a test."""

from __future__ import annotations

import os
import time
from pathlib import Path


def work_for_ever(mark: Path) -> None:
    """Write this process's number into the file ``mark``, which then appears whole, and never end."""
    partial = mark.with_suffix(".partial")
    partial.write_text(str(os.getpid()))
    partial.rename(mark)
    time.sleep(3600)
