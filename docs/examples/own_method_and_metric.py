"""A method and a metric of your own, defined right here, measured beside those of vibench.

Run it anywhere: python docs/examples/own_method_and_metric.py
"""

import numpy as np

import vibench


class MeanColour:
    """Fill every hole with the mean colour of its frame's known pixels."""

    def __call__(self, holed: vibench.Holed) -> np.ndarray:
        """Return frames of the shape of ``holed.frames``, uint8 (T, H, W, 3); True in ``holed.masks`` is the hole."""
        filled = holed.frames.copy()
        for frame, mask in zip(filled, holed.masks, strict=True):
            frame[mask] = frame[~mask].mean(axis=0)
        return filled


class Contrast:
    """The standard deviation of the pixels in the hole: a blurred or flat fill has little of it."""

    info = vibench.MetricInfo(
        name="contrast",
        title="contrast in the hole",
        unit="grey levels",
        better="higher",
        has_floor=True,  # the truth itself does not score perfectly, so its value stands beside
        needs=frozenset(),
        source="standard deviation over pixels and channels of the hole",
    )

    def measure(self, frames: np.ndarray, case: vibench.Case) -> dict[str, vibench.Series]:
        """Return one value a frame for the region ``hole``."""
        values = [float(frame[hole].std()) for frame, hole in zip(frames, case.holes, strict=True)]
        return {"hole": vibench.Series.of(values)}


if __name__ == "__main__":
    run = vibench.run("bundled", [MeanColour, "telea"], metrics=["psnr", Contrast], cases="carphone", device="cpu")
    table = run.table()
    print(table[["method", "metric", "region", "mean"]].to_string(index=False))
    print("the run knows the code of both:", run.info.methods[0].factory, run.info.methods[0].source_sha256[:12])
