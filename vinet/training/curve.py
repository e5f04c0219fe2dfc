"""A CSV file with one row a step, which a resumed training cuts back to where it goes on."""

import csv
import os
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path


class Curve:
    """Rows keyed by the first column, `step`, whole and ascending."""

    def __init__(self, path: Path, columns: Sequence[str], last_step: int) -> None:
        """Open `path`, keeping the rows up to and including `last_step`; a torn last line goes with the rest."""
        self._columns = ("step", *columns)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
        kept = [line for line in lines[1:] if line.endswith("\n") and int(line.partition(",")[0]) <= last_step]
        temporary = path.with_suffix(".csv.tmp")
        temporary.write_text(_line(self._columns) + "".join(kept), encoding="utf-8")
        os.replace(temporary, path)
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
