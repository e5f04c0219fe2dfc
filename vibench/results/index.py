"""The index of a run: its records in columns, kept in the user's cache, so that their files need not be read again.

The files of a run are the truth, and the index only remembers what was read from them. Beside each record stands the
stamp of its file; a file that has another one now is read again, a file that is gone is not in the run, and an index
that is damaged or was written by other code is not used at all. It lies in the cache and not in the run's folder:
reading a run writes nothing there, and with a run from elsewhere comes no index that says other things than its files.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibench import plugins
from vibench.errors import InputError, UserError, reading
from vibench.files import cache_folder
from vibench.metrics.cache import trim_to_limit
from vibench.results.arrays import mapped_arrays, write_arrays
from vibench.results.damage import Problem
from vibench.results.record import Record
from vibench.results.records import Block, Records, Rows, Texts

INDEXED_FROM = 1000
"""Records; fewer are read from their files in the time that it takes to look for an index."""

SETTLED_NS = 2 * 10**9
"""A file that was changed so shortly before it was read may be changed again and have the same times, which have
steps."""

Read = Callable[[Path], Record | Problem]
"""Reads one file: the record in it, or what is wrong with it."""

Stamp = tuple[int, int, int, int]
"""Size, time of the last change of content, of anything, and number of a file: one of them changes with the file."""

UNSETTLED: Stamp = (-1, -1, -1, -1)
"""Equals the stamp of no file."""


@dataclass
class _Indexed:
    """Records, and of each the name of its file below ``records/`` and the file's stamp."""

    records: Records
    names: list[str] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)

    def chosen(self, rows: Rows) -> _Indexed:
        places = rows.tolist()
        return _Indexed(self.records.chosen(rows), [self.names[k] for k in places], [self.stamps[k] for k in places])


def records_in(folder: Path, cases: Sequence[str], read: Read) -> tuple[Records, list[Problem]]:
    """Return the records in the run's ``folder`` in the order of ``cases``, and what is wrong with every other file.

    ``read`` reads one file. What the index knows is not read; the index is brought up to date where that is possible.
    """
    files = dict(sorted(_files(folder / "records")))
    place = _place(folder) if len(files) >= INDEXED_FROM else None
    known = None if place is None else _opened(place)
    rows = [] if known is None else _unchanged(known, files)
    if known is not None and len(rows) == len(known.names) == len(files):
        return known.records, []
    old = {known.names[row] for row in rows} if known is not None else set()
    fresh, problems = _read_all(folder, {name: stamp for name, stamp in files.items() if name not in old}, read)
    whole = fresh if known is None else _joined(known.chosen(np.array(rows, np.int64)), fresh)
    whole = whole.chosen(_order(whole.records, cases))
    if place is not None and (known is None or fresh.names or len(rows) < len(known.names)):
        _keep(place, whole)
    return whole.records, problems


def _files(folder: Path) -> Iterator[tuple[str, Stamp]]:
    """The files of records below ``folder`` as ``method/case.json``, with their stamps; not those being written."""
    for method in _entries(folder):
        for entry in _entries(method) if method.is_dir() else ():
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                yield f"{method.name}/{entry.name}", _stamp(entry)


def _entries(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # there is no record yet, or nobody may look
        return []


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    try:
        found = entry.stat()
    except OSError:
        return UNSETTLED
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _unchanged(known: _Indexed, files: dict[str, Stamp]) -> list[int]:
    pairs = enumerate(zip(known.names, known.stamps, strict=True))
    return [row for row, (name, stamp) in pairs if files.get(name) == stamp]


def _read_all(folder: Path, files: dict[str, Stamp], read: Read) -> tuple[_Indexed, list[Problem]]:
    fresh, problems = _Indexed(Records.of(())), []

    def sound() -> Iterator[Record]:
        for name, stamp in files.items():
            settled = time.time_ns() - max(stamp[1:3]) > SETTLED_NS
            found = read(folder / "records" / name)
            if isinstance(found, Problem):
                problems.append(found)
                continue
            fresh.names.append(name)
            fresh.stamps.append(stamp if settled else UNSETTLED)
            yield found

    fresh.records = Records.of(sound())
    return fresh, problems


def _joined(one: _Indexed, other: _Indexed) -> _Indexed:
    records = Records.concatenated([part.records for part in (one, other) if part.names] or [one.records])
    return _Indexed(records, one.names + other.names, one.stamps + other.stamps)


def _order(records: Records, cases: Sequence[str]) -> Rows:
    """The rows by the place of their case in the run, and then by method; what the run does not name comes last."""
    place = {case: index for index, case in enumerate(cases)}
    case, method = records.texts["case"], records.texts["method"]
    of_case = np.array([place.get(text, len(place)) for text in case.texts], np.int64)
    of_method = np.array([sorted(method.texts).index(text) for text in method.texts], np.int64)
    if not len(records):
        return np.empty(0, np.int64)
    return np.lexsort((of_method[method.codes], of_case[case.codes]))


def _place(folder: Path) -> Path | None:
    """The index's file in the cache; None where there is no cache."""
    key = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()
    try:
        return cache_folder("index") / f"{key}.index.npz"
    except (OSError, RuntimeError, ValueError):
        return None


def _code() -> str:
    """What decides the meaning of an index: the code that brings records into columns, and that of records."""
    return plugins.code_digest("vibench.results.records") + plugins.code_digest("vibench.results.damage")


def _keep(place: Path, index: _Indexed) -> None:
    """Write an index, whole or not at all; one that cannot be written is passed over."""
    records = index.records
    keys = list(records.blocks)
    about = {
        "code": _code(),
        "names": index.names,
        "texts": {name: column.texts for name, column in records.texts.items()},
        "keys": keys,
    }
    arrays: dict[str, NDArray[Any]] = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "stamps": np.array(index.stamps, np.int64).reshape(-1, 4),
        "rest": records.rest,
        "starts": records.starts,
        "ends": records.ends,
        **{f"codes.{name}": column.codes for name, column in records.texts.items()},
        **{f"numbers.{name}": column for name, column in records.numbers.items()},
    }
    for number, key in enumerate(keys):
        arrays |= {f"block{number}.{name}": column for name, column in vars(records.blocks[key]).items()}
    with suppress(OSError, MemoryError, UserError):
        write_arrays(place, arrays)
        trim_to_limit(place.parent)


def _opened(place: Path) -> _Indexed | None:
    """The index in a file; None where there is none, it is damaged, or other code wrote it."""
    if not place.is_file():
        return None
    try:
        with reading(place):
            arrays = mapped_arrays(place)
            about = json.loads(arrays["about"].tobytes())
            if about["code"] != _code():
                return None
            found = _Indexed(_records(arrays, about), about["names"], list(map(tuple, arrays["stamps"].tolist())))
    except InputError:
        return None
    with suppress(OSError):
        os.utime(place)  # the time of last use decides what is removed first
    return found if len(found.names) == len(found.stamps) == len(found.records) else None


def _records(arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> Records:
    def block(number: int) -> Block:
        prefix = f"block{number}."
        return Block(
            **{name.removeprefix(prefix): column for name, column in arrays.items() if name.startswith(prefix)}
        )

    prefix = "numbers."
    return Records(
        {name: Texts(arrays[f"codes.{name}"], tuple(texts)) for name, texts in about["texts"].items()},
        {name.removeprefix(prefix): column for name, column in arrays.items() if name.startswith(prefix)},
        {(metric, region): block(number) for number, (metric, region) in enumerate(about["keys"])},
        arrays["rest"],
        arrays["starts"],
        arrays["ends"],
    )
