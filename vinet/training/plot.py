"""The curves of a training as a picture."""

from pathlib import Path

import pandas as pd

from vinet.errors import VINetError

SMOOTHED_STEPS = 25


def plot(folder: Path, output: Path, column: str = "loss") -> None:
    """Draw `column` of a run's losses.csv, a running mean over 25 steps, and of its validation.csv."""
    from matplotlib.figure import Figure

    tables = []
    for name in ("losses.csv", "validation.csv"):
        if not (folder / name).is_file():
            raise VINetError(f"{folder} is not the folder of a training: it has no {name}")
        tables.append(pd.read_csv(folder / name))
    if column not in tables[0]:
        raise VINetError(f"losses.csv has no column {column!r}; it has {', '.join(tables[0].columns)}")
    steps, held_out = tables
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for stage, rows in steps.groupby("stage", sort=False):
        smooth = rows[column].rolling(SMOOTHED_STEPS, min_periods=1).mean()
        (line,) = axes.plot(rows["step"], smooth, label=f"{stage}, training, mean of {SMOOTHED_STEPS}")
        seen = held_out[held_out["stage"] == stage]
        axes.plot(seen["step"], seen[column], "o--", color=line.get_color(), label=f"{stage}, validation (average)")
    axes.set(xlabel="step", ylabel=column)
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")  # whatever the curves are, none is under it
    figure.savefig(output, dpi=110)
