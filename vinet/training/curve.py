"""The curves of a training: a CSV file that a resumed training cuts back to where it goes on, and its picture."""

import csv
import os
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import pandas as pd

from vinet.errors import VINetError
from vinet.files import replacing

SMOOTHED_STEPS = 25


class Curve:
    """Rows keyed by the first column, `step`, whole and ascending."""

    def __init__(self, path: Path, columns: Sequence[str], last_step: int) -> None:
        """Open `path`, keeping the rows up to and including `last_step`; a torn last line goes with the rest."""
        self._columns = ("step", *columns)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
        kept = [line for line in lines[1:] if line.endswith("\n") and int(line.partition(",")[0]) <= last_step]
        with replacing(path) as temporary:
            temporary.write_text(_line(self._columns) + "".join(kept), encoding="utf-8")
        self._stream = path.open("a", encoding="utf-8")

    def add(self, step: int, values: Mapping[str, object]) -> None:
        """Append one row; columns that `values` lacks stay empty."""
        self._stream.write(_line([step, *(_shown(values.get(name, "")) for name in self._columns[1:])]))
        self._stream.flush()

    def sync(self) -> None:
        """Bring all rows to the disk: before a checkpoint that counts on them."""
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _shown(value: object) -> object:
    return repr(value) if isinstance(value, float) else value


def _line(cells: Sequence[object]) -> str:
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def plot(folder: Path, output: Path, column: str = "loss") -> None:
    """Draw `column` of a run's losses.csv, a running mean over 25 steps, and of its validation.csv into `output`.

    Raises VINetError where `folder` holds no training or its losses have no such column.
    """
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
