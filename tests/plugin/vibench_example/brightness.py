"""A metric: how far the mean brightness is from the truth's."""

from collections.abc import Mapping

import numpy as np

from vibench import Case, MetricInfo, Series


class Brightness:
    """Absolute difference of mean brightness, in levels, per frame."""

    info = MetricInfo(name="example-brightness", title="Brightness error", unit="levels", better="lower")

    def measure(self, frames: np.ndarray, case: Case) -> Mapping[str, Series]:
        difference = frames.mean(axis=(1, 2, 3)) - case.truth.mean(axis=(1, 2, 3))
        return {"frame": Series.of(list(np.abs(difference)))}
