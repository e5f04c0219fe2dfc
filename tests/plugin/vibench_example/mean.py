"""A method: every hole becomes one colour."""

import numpy as np

from vibench import Holed


class Mean:
    """Fill with the mean of what is visible, times ``gain``."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, holed: Holed) -> np.ndarray:
        filled = holed.frames.copy()
        filled[holed.masks] = np.clip(self.gain * holed.frames[~holed.masks].mean(axis=0), 0, 255)
        return filled
