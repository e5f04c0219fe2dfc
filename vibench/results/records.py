"""The records of a run in columns: what a table asks of all of them at once is there without making each one.

A hundred thousand records of 24 frames take 4 GB as objects and a tenth of it like this. ``Records`` is a sequence of
``Record`` all the same: a record is made when somebody asks for it, and equals the one that went in.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from vibench.machine.timing import Timing
from vibench.results.record import Record

Key = tuple[str, str]
"""Metric and region."""

CLOCK: Key = ("", "frame_seconds")
"""Under this key stand the seconds of each frame that was timed; no metric has an empty name."""

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]


class Texts(NamedTuple):
    """A column of texts, of which many are equal: ``texts`` has each of them once, ``codes`` (n,) says where."""

    codes: NDArray[np.int32]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[str]) -> Texts:
        """Make the column of ``values``."""
        places: dict[str, int] = {}
        codes = np.fromiter((places.setdefault(value, len(places)) for value in values), np.int32)
        return cls(codes, tuple(places))

    def at(self, row: int) -> str:
        """Return the text of a row."""
        return self.texts[int(self.codes[row])]

    def rows_of(self, text: str) -> Rows:
        """Return the rows that have this text, in their order."""
        return np.flatnonzero(self.codes == self.place(text))

    def place(self, text: str) -> int:
        """Return the code of a text, -1 where it stands nowhere."""
        return self.texts.index(text) if text in self.texts else -1

    def of_rows(self, rows: Rows) -> NDArray[np.object_]:
        """Return the text of each of these rows."""
        found: NDArray[np.object_] = (
            np.array(self.texts, object)[self.codes[rows]] if len(rows) else np.empty(0, object)
        )
        return found

    def places_in(self, names: Sequence[str], rows: Rows) -> Rows:
        """Return the place in ``names`` of the text of each of these rows, -1 where it is not one of them."""
        place = {name: index for index, name in enumerate(names)}
        return np.array([place.get(text, -1) for text in self.texts], np.int64)[self.codes[rows]]

    def mapped(self, change: Callable[[str], str]) -> Texts:
        """Return the column with each text changed; two that become equal are one from then on."""
        places: dict[str, int] = {}
        new = np.array([places.setdefault(change(text), len(places)) for text in self.texts], np.int32)
        return Texts(new[self.codes] if len(new) else self.codes, tuple(places))

    def counts(self) -> dict[str, int]:
        """Return how many rows have each text, in the order in which the texts first stood in any."""
        counts = np.bincount(self.codes, minlength=len(self.texts))
        return {text: int(count) for text, count in zip(self.texts, counts, strict=True) if count}


@dataclass(frozen=True)
class Block:
    """What all records hold under one key: series of values, of the rows that have any, in the order of rows.

    Row ``rows[k]`` has ``values[starts[k]:ends[k]]``, NaN where a record has None. ``means`` (k,) are over the values
    that exist, NaN where none does, and ``weights`` (k,) are how many these are.
    """

    rows: Rows
    starts: Rows
    ends: Rows
    values: Numbers
    means: Numbers
    weights: Rows

    def of_row(self, row: int) -> Numbers | None:
        """Return the values of a row, (frames,); None where it has none."""
        place = int(np.searchsorted(self.rows, row))
        if place == len(self.rows) or self.rows[place] != row:
            return None
        return self.values[self.starts[place] : self.ends[place]]

    @property
    def is_complete(self) -> NDArray[np.bool_]:
        """Whether each series has a value and lacks none, (k,)."""
        complete: NDArray[np.bool_] = (self.weights == self.ends - self.starts) & (self.weights > 0)
        return complete


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


_TEXTS: dict[str, Callable[[Record], str]] = {
    "method": lambda record: record.method,
    "case": lambda record: record.case,
    "clip": lambda record: record.clip,
    "status": lambda record: record.status,
    "failure": lambda record: f"{record.failure.kind}: {record.failure.message}" if record.failure else "",
    "input_sha256": lambda record: record.input_sha256,
    "truth_sha256": lambda record: record.truth_sha256,
    "holes_sha256": lambda record: record.holes_sha256,
    "given_sha256": lambda record: record.given_sha256,
    "output_sha256": lambda record: record.output_sha256,
    "attributes": lambda record: _as_json(record.attributes),
    "versions": lambda record: _as_json(record.versions),
    "measured_by": lambda record: _as_json(record.measured_by),
    "unavailable": lambda record: _as_json(record.unavailable),
    "notes": lambda record: json.dumps(record.notes),
    "device": lambda record: record.timing.device if record.timing else "",
    "machine": lambda record: record.timing.machine if record.timing else "",
    "scope": lambda record: record.timing.scope if record.timing else "",
    # The metrics of a record and their regions in its own order, which it has again when it is written again.
    "layout": lambda record: json.dumps([[metric, list(regions)] for metric, regions in record.metrics.items()]),
}
"""Columns of texts; of what is a table itself, JSON."""

_OF_TIMING = tuple(name for name, kind in Timing.model_fields.items() if kind.annotation in (int, float, float | None))
_NUMBERS: dict[str, Callable[[Record], float | None]] = {
    "frames": lambda record: record.frames,
    "hole_fraction": lambda record: record.hole_fraction,
    **{
        f"timing.{name}": lambda record, name=name: getattr(record.timing, name, None)  # type: ignore[misc]
        for name in (*_OF_TIMING, "peak_device_bytes")
    },
}
"""Columns of numbers, NaN for None."""


@dataclass(frozen=True, eq=False)
class Records(Sequence[Record]):
    """Records in columns; row k of each column is of record k.

    ``texts`` and ``numbers`` are columns by the names of a record's fields, ``timing.seconds`` for those of its timing;
    ``clip`` and ``failure`` are as tables show them. ``blocks`` are the series of values. ``rest`` is the JSON of every
    record without its series, one after the other: record k is ``rest[starts[k]:ends[k]]``.
    """

    texts: Mapping[str, Texts]
    numbers: Mapping[str, Numbers]
    blocks: Mapping[Key, Block]
    rest: NDArray[np.uint8]
    starts: Rows
    ends: Rows

    @classmethod
    def of(cls, records: Iterable[Record]) -> Records:
        """Bring records into columns, one after the other: they are not all held at once."""
        if isinstance(records, cls):
            return records
        growing = _Growing()
        for record in records:
            growing.add(record)
        return growing.records()

    @classmethod
    def concatenated(cls, parts: Sequence[Records]) -> Records:
        """Return the records of all ``parts``, one part after the other."""
        if len(parts) == 1:
            return parts[0]
        before = np.cumsum([0, *(len(part) for part in parts)])
        bytes_before = np.cumsum([0, *(len(part.rest) for part in parts)])
        keys = dict.fromkeys(key for part in parts for key in part.blocks)
        return cls(
            {name: _joined_texts([part.texts[name] for part in parts]) for name in _TEXTS},
            {name: np.concatenate([part.numbers[name] for part in parts]) for name in _NUMBERS},
            {key: _joined_blocks([part.blocks.get(key) for part in parts], before) for key in keys},
            np.concatenate([part.rest for part in parts]),
            np.concatenate([part.starts + offset for part, offset in zip(parts, bytes_before, strict=False)]),
            np.concatenate([part.ends + offset for part, offset in zip(parts, bytes_before, strict=False)]),
        )

    def chosen(self, rows: Rows) -> Records:
        """Return the records of some rows, in that order; no row may be named twice."""
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        return Records(
            {name: Texts(column.codes[rows], column.texts) for name, column in self.texts.items()},
            {name: column[rows] for name, column in self.numbers.items()},
            {key: _chosen_block(block, place) for key, block in self.blocks.items()},
            self.rest,
            self.starts[rows],
            self.ends[rows],
        )

    def of_methods(self, labels: Iterable[str]) -> Records:
        """Return the records of these methods, in their order."""
        return self._with("method", set(labels))

    def of_cases(self, names: Iterable[str]) -> Records:
        """Return the records of these cases, in their order."""
        return self._with("case", set(names))

    def _with(self, what: str, names: set[str]) -> Records:
        column = self.texts[what]
        wanted = np.array([text in names for text in column.texts], bool)[column.codes]
        return self if wanted.all() else self.chosen(np.flatnonzero(wanted))

    def pairs(self, one: str, other: str) -> list[tuple[str, str]]:
        """Return the pairs of texts that stand together in a row, each once, in the order of their first rows."""
        first, second = self.texts[one], self.texts[other]
        both = np.stack([first.codes, second.codes])
        found, rows = np.unique(both, axis=1, return_index=True)
        return [(first.texts[found[0, k]], second.texts[found[1, k]]) for k in np.argsort(rows)]

    def renamed(self, methods: Mapping[str, str], metrics: Mapping[str, str]) -> Records:
        """Return the same records, in which some methods and metrics have new names."""
        texts = {
            **self.texts,
            "method": self.texts["method"].mapped(lambda text: methods.get(text, text)),
            "layout": self.texts["layout"].mapped(lambda text: _renamed_layout(text, metrics)),
            "measured_by": self.texts["measured_by"].mapped(lambda text: _renamed_keys(text, metrics)),
        }
        blocks = {(metrics.get(metric, metric), region): block for (metric, region), block in self.blocks.items()}
        return replace(self, texts=texts, blocks=blocks)

    def doubles(self) -> list[list[int]]:
        """Return the rows of each method and case that several records are about."""
        rows: dict[tuple[int, int], list[int]] = {}
        if len(self._row_of) == len(self):
            return []
        pairs = zip(self.texts["method"].codes.tolist(), self.texts["case"].codes.tolist(), strict=True)
        for row, pair in enumerate(pairs):
            rows.setdefault(pair, []).append(row)
        return [found for found in rows.values() if len(found) > 1]

    def row(self, method: str, case: str) -> int | None:
        """Return the row of a method on a case; the last one where there are several, None where there is none."""
        return self._row_of.get((method, case))

    def find(self, method: str, case: str) -> Record | None:
        """Return the record of a method on a case, or None where there is none."""
        row = self.row(method, case)
        return None if row is None else self._made(row)

    @cached_property
    def _row_of(self) -> dict[tuple[str, str], int]:
        method, case = self.texts["method"], self.texts["case"]
        keys = zip(method.codes.tolist(), case.codes.tolist(), strict=True)
        return {(method.texts[one], case.texts[other]): row for row, (one, other) in enumerate(keys)}

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Records: ...
    def __getitem__(self, place: int | slice) -> Record | Records:
        if isinstance(place, slice):
            return self.chosen(np.arange(len(self))[place])
        return self._made(range(len(self))[place])

    def __iter__(self) -> Iterator[Record]:
        return (self._made(row) for row in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(Record.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def _made(self, row: int) -> Record:
        record = Record.model_validate_json(self.rest[self.starts[row] : self.ends[row]].tobytes())
        layout = json.loads(self.texts["layout"].at(row))
        changes: dict[str, Any] = {
            "method": self.texts["method"].at(row),
            "measured_by": json.loads(self.texts["measured_by"].at(row)),
            "metrics": {
                metric: {region: self._values((metric, region), row) for region in regions}
                for metric, regions in layout
            },
        }
        if record.timing is not None:
            changes["timing"] = record.timing.model_copy(update={"frame_seconds": self._values(CLOCK, row)})
        return record.model_copy(update=changes)

    def _values(self, key: Key, row: int) -> tuple[float | None, ...]:
        found = self.blocks[key].of_row(row) if key in self.blocks else None
        if found is None:
            return ()
        return tuple(None if math.isnan(value) else value for value in found.tolist())


@dataclass
class _Growing:
    """Columns to which records are added."""

    texts: dict[str, tuple[dict[str, int], array[int]]] = field(
        default_factory=lambda: {name: ({}, array("i")) for name in _TEXTS}
    )
    numbers: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in _NUMBERS})
    blocks: dict[Key, _GrowingBlock] = field(default_factory=dict)
    rest: bytearray = field(default_factory=bytearray)
    ends: array[int] = field(default_factory=lambda: array("q"))

    def add(self, record: Record) -> None:
        row = len(self.ends)
        for name, text in _TEXTS.items():
            places, codes = self.texts[name]
            codes.append(places.setdefault(text(record), len(places)))
        for name, number in _NUMBERS.items():
            value = number(record)
            self.numbers[name].append(np.nan if value is None else value)
        for metric, regions in record.metrics.items():
            for region, values in regions.items():
                self._block((metric, region)).add(row, values, record.value(metric, region))
        bare: dict[str, Any] = {"metrics": {}}
        if record.timing is not None:
            self._block(CLOCK).add(row, record.timing.frame_seconds, None)
            bare["timing"] = record.timing.model_copy(update={"frame_seconds": ()})
        self.rest += record.model_copy(update=bare).model_dump_json(by_alias=True).encode()
        self.ends.append(len(self.rest))

    def _block(self, key: Key) -> _GrowingBlock:
        return self.blocks.setdefault(key, _GrowingBlock())

    def records(self) -> Records:
        ends = np.array(self.ends, np.int64)
        return Records(
            {name: Texts(np.array(codes, np.int32), tuple(places)) for name, (places, codes) in self.texts.items()},
            {name: np.array(column, np.float64) for name, column in self.numbers.items()},
            {key: block.block() for key, block in self.blocks.items()},
            np.frombuffer(bytes(self.rest), np.uint8),
            _starts(ends),
            ends,
        )


@dataclass
class _GrowingBlock:
    rows: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    means: array[float] = field(default_factory=lambda: array("d"))
    weights: array[int] = field(default_factory=lambda: array("q"))

    def add(self, row: int, values: Sequence[float | None], mean: float | None) -> None:
        self.rows.append(row)
        self.values.extend([np.nan if value is None else value for value in values])
        self.ends.append(len(self.values))
        self.means.append(np.nan if mean is None else mean)
        self.weights.append(len(values) - values.count(None))

    def block(self) -> Block:
        ends = np.array(self.ends, np.int64)
        rows, weights = np.array(self.rows, np.int64), np.array(self.weights, np.int64)
        return Block(rows, _starts(ends), ends, np.array(self.values), np.array(self.means), weights)


def _renamed_keys(text: str, names: Mapping[str, str]) -> str:
    return _as_json({names.get(key, key): value for key, value in json.loads(text).items()})


def _renamed_layout(layout: str, metrics: Mapping[str, str]) -> str:
    return json.dumps([[metrics.get(metric, metric), regions] for metric, regions in json.loads(layout)])


def _starts(ends: Rows) -> Rows:
    return np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1]])


def _joined_texts(columns: Sequence[Texts]) -> Texts:
    places: dict[str, int] = {}
    codes = []
    for column in columns:
        new = np.array([places.setdefault(text, len(places)) for text in column.texts], np.int32)
        codes.append(new[column.codes] if len(new) else column.codes)
    return Texts(np.concatenate(codes), tuple(places))


def _joined_blocks(blocks: Sequence[Block | None], rows_before: Rows) -> Block:
    there = [(block, offset) for block, offset in zip(blocks, rows_before, strict=False) if block is not None]
    values_before = np.cumsum([0, *(len(block.values) for block, _ in there)])
    shifted = [(block, values) for (block, _), values in zip(there, values_before, strict=False)]
    return Block(
        np.concatenate([block.rows + offset for block, offset in there]),
        np.concatenate([block.starts + offset for block, offset in shifted]),
        np.concatenate([block.ends + offset for block, offset in shifted]),
        np.concatenate([block.values for block, _ in there]),
        np.concatenate([block.means for block, _ in there]),
        np.concatenate([block.weights for block, _ in there]),
    )


def _chosen_block(block: Block, place: Rows) -> Block:
    """The part of a block that belongs to rows with a new place, which is -1 for all others."""
    new = place[block.rows]
    order = np.argsort(new, kind="stable")
    order = order[new[order] >= 0]
    return replace(
        block,
        rows=new[order],
        starts=block.starts[order],
        ends=block.ends[order],
        means=block.means[order],
        weights=block.weights[order],
    )
