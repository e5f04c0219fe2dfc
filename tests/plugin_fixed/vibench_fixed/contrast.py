"""A metric: how far the contrast of a frame is from the truth's."""

from collections.abc import Mapping

import numpy as np

from vibench.clip import Case, Frames
from vibench.metric import Metric, MetricInfo, Series, truth_of


class Contrast:
    info = MetricInfo(name="fixed-contrast", title="Contrast error", unit="levels", better="lower")

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        difference = frames.std(axis=(1, 2, 3)) - truth_of(case).std(axis=(1, 2, 3))
        return {"frame": Series.of(list(np.abs(difference)))}


def contrast() -> Metric:
    """Absolute difference of the standard deviation of all values, in levels, per frame."""
    return Contrast()
