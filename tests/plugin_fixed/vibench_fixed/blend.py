"""A method: what another method fills, pulled towards grey."""

import numpy as np

from vibench.clip import Frames, Holed
from vibench.errors import InputError
from vibench.method import Frame, Mask, Method
from vibench.plugins import Spec, make
from vibench.protocol import quantise


class Blend:
    """Fill with another method, and pull what it filled towards grey by ``1 - gain``."""

    def __init__(self, gain: float = 1.0, by: str = "telea") -> None:
        if not 0 <= gain <= 1:
            raise InputError(f"gain {gain:g} is not between 0 and 1")
        self.gain = gain
        self.method: Method = make("methods", Spec.parse(by))

    def __call__(self, holed: Holed) -> Frames:
        filled = np.asarray(self.method(holed), np.float32)
        return np.stack([self.pulled(frame, hole) for frame, hole in zip(filled, holed.masks, strict=True)])

    def pulled(self, frame: np.ndarray, hole: Mask) -> Frame:
        return quantise(np.where(hole[..., None], 128 + self.gain * (frame - 128), frame), "round")
