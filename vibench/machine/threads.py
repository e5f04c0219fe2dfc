"""How many threads the libraries of a method use; needs nothing but Python, so that a foreign version can be pinned too."""

from __future__ import annotations

import sys


def pin_threads(threads: int) -> None:
    """Give every library that the method has loaded the same number of threads."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)
