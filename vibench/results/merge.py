"""Shards put together again: the records of one run, from the folders of several commands that made a part each."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vibench.errors import InputError, one_line
from vibench.files import disk_errors, link_or_copy
from vibench.files.mirror import fetch, send
from vibench.results.record import TRUTH, RunInfo
from vibench.results.records import Records
from vibench.results.run import Run
from vibench.results.store import Store, run_folders

SHOWN = 5
"""A sentence names so many records, and counts the others."""


@dataclass(frozen=True)
class Merged:
    """A run put together from shards.

    ``doubles`` are the (method, case) of records that several shards had, all equal. ``missing`` are those that the run
    promised and no shard has. ``problems`` has a sentence for each file that could not be used.
    """

    run: Run
    records: int
    doubles: tuple[tuple[str, str], ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()

    def sentences(self) -> Iterator[str]:
        """Yield what a person should know of it, a sentence each."""
        yield from self.problems
        if self.doubles:
            yield f"{_counted(self.doubles)} in more than one shard, with equal values: {_named(self.doubles)}"
        if self.missing:
            yield f"{_counted(self.missing)} missing: {_named(self.missing)}; run their shards again, then merge again"


class _Shard(NamedTuple):
    """A run and its sound records."""

    store: Store
    records: Records

    @property
    def name(self) -> str:
        return repr(str(self.store.folder))


def merge(
    runs: Sequence[str | Path], output: str | Path = "merged", say: Callable[[str], None] = lambda _: None
) -> Merged:
    """Put the shards of one run together under ``output``, as the one run that they are parts of.

    ``runs`` are folders of runs, or folders that hold runs. Files are linked where the disk allows it and copied where
    not, the record of a case after its frames, so that a merge which was killed is continued by the same call. What
    ``output`` holds of the run already counts as a shard. ``say`` is told where another process is in the folder.

    Raises InputError, before anything is written, where the shards differ in protocol, cases, methods, device, version,
    data, or in the code of a metric, and where two of them have different records of the same method and case; a
    difference in time alone is none.
    """
    stores = _once([Store.open(folder) for folder in run_folders([Path(run) for run in runs])])
    if not stores:
        raise InputError("name at least one run; `vibench list runs` prints them")
    page = _page([store.info for store in stores])
    folder = Store.place(Path(output), page)
    if os.path.lexists(folder / "run.json"):
        stores = _once([*stores, Store.open(folder)])
    _check_alike(stores)
    shards, problems = _read(stores)
    found, doubles = _gathered(shards)
    _check_metrics(shards)
    _check_contents(shards)
    with disk_errors(folder):
        merged = Store.create(Path(output), page)
        with merged.lock(say):
            for key, shard in found.items():
                _take_over(shard.store, *key, merged)
            merged = merged.with_metrics(page.metrics)
    missing = tuple(key for key in _promised(page, shards) if key not in found)
    return Merged(Run(merged), len(found), tuple(doubles), missing, tuple(problems))


def other_data(one: RunInfo, other: RunInfo) -> str | None:
    """Say in which clip the data of two pages differs; None where it does not, or one does not say what it read."""
    for clip, size in one.clip_bytes.items():
        there = other.clip_bytes.get(clip, size)
        if size != there:
            return f"the files of clip {one_line(clip)!r} have {size} bytes in one and {there} in the other"
    return None


def _once(stores: Sequence[Store]) -> list[Store]:
    return list({store.folder.resolve(): store for store in stores}.values())


def _page(pages: Sequence[RunInfo]) -> RunInfo:
    """The page of the whole run: that of the shard which began first, its command without the shard."""
    first = min(pages, key=lambda info: (info.started, info.command))
    known = {facts.name: facts for info in pages for facts in info.metrics}
    command = re.sub(r"\s--shard[ =]\S+", "", first.command)
    return first.model_copy(update={"command": command, "metrics": tuple(known.values())})


def _check_alike(stores: Sequence[Store]) -> None:
    """Raise InputError where two runs are not parts of one, and say what tells them apart."""
    first = stores[0]
    for store in stores[1:]:
        names = f"{str(first.folder)!r} and {str(store.folder)!r}"
        if store.info.digest != first.info.digest:
            raise InputError(f"{names} are not shards of one run: {_difference(first.info, store.info)}")
        if difference := other_data(first.info, store.info):
            raise InputError(f"{names} are not shards of one run: {difference}")


def _difference(one: RunInfo, other: RunInfo) -> str:
    """What makes the digests of two runs differ, in the order of how much it means."""
    if one.protocol_digest != other.protocol_digest:
        return (
            f"their protocols differ ({one.protocol_label} and {other.protocol_label}, digests "
            f"{one.protocol_digest[:8]} and {other.protocol_digest[:8]})"
        )
    methods = [{facts.label: facts for facts in info.methods} for info in (one, other)]
    for label in dict.fromkeys([*methods[0], *methods[1]]):
        if any(label not in known for known in methods):
            return f"only one of them has the method {label}"
        if methods[0][label].source_sha256 != methods[1][label].source_sha256:
            return f"the code of the method {label} differs"
        if methods[0][label] != methods[1][label]:
            return f"the method {label} says other things of itself, such as other weights"
    if one.cases != other.cases:
        strange = sorted({*one.cases} ^ {*other.cases})
        return f"only one of them has the case {strange[0]}" if strange else "their cases have another order"
    for what in ("device", "versions"):
        if getattr(one, what) != getattr(other, what):
            return f"their {what} differ ({getattr(one, what)} and {getattr(other, what)})"
    return f"their digests differ ({one.digest[:8]} and {other.digest[:8]})"


_Key = tuple[str, str]
"""Method and case."""


def _read(stores: Sequence[Store]) -> tuple[list[_Shard], list[str]]:
    """The records of each run, and what is wrong with other files."""
    shards, problems = [], []
    for store in stores:
        records, damaged = store.scan()
        shards.append(_Shard(store, records))
        problems += [f"{problem.sentence} (in {str(store.folder)!r}); left out" for problem in damaged]
    return shards, problems


def _gathered(shards: Sequence[_Shard]) -> tuple[dict[_Key, _Shard], list[_Key]]:
    """A shard that has the record of each method and case, and those that several shards have."""
    found: dict[_Key, _Shard] = {}
    doubles: dict[_Key, None] = {}
    for shard in shards:
        every = np.arange(len(shard.records))
        names = (shard.records.texts[what].of_rows(every).tolist() for what in ("method", "case"))
        for key in zip(*names, strict=True):
            earlier = found.setdefault(key, shard)
            if earlier is not shard:
                _check_equal(key, earlier, shard)
                doubles[key] = None
    return found, list(doubles)


def _check_equal(key: _Key, one: _Shard, other: _Shard) -> None:
    """Raise InputError that shows both, where two records of one method and case differ in more than time."""
    records = (shard.records.find(*key) for shard in (one, other))
    values = [record.model_dump(exclude={"timing", "made_by"}) for record in records if record is not None]
    for name, value in values[0].items():
        if value != values[1][name]:
            inner, first, second = _inmost(name, value, values[1][name])
            raise InputError(
                f"two shards have different records of {one_line(key[0])} on {one_line(key[1])}: {inner} is {first} in "
                f"{one.name} and {second} in {other.name}; remove the wrong one"
            )


def _inmost(name: str, one: Any, other: Any) -> tuple[str, str, str]:
    """The name and both values of the first thing in which two values differ, however deep it lies."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            if one.get(key) != other.get(key):
                return _inmost(f"{name}.{key}", one.get(key), other.get(key))
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        place = next(place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
        return _inmost(f"{name}[{place}]", one[place], other[place])
    return one_line(name), one_line(repr(one), 80), one_line(repr(other), 80)


def _check_metrics(shards: Sequence[_Shard]) -> None:
    """Raise InputError where values of one metric were measured by several states of its code."""
    known: dict[str, tuple[str, _Shard]] = {}
    for shard in shards:
        for text in shard.records.texts["measured_by"].counts():
            for metric, identity in json.loads(text).items():
                earlier, other = known.setdefault(metric, (identity, shard))
                if earlier != identity:
                    name = one_line(metric)
                    raise InputError(
                        f"values of {name} in {other.name} and {shard.name} were measured by different code "
                        f"({earlier[:8]} and {identity[:8]}); `vibench score RUN --metrics {name}` measures them anew"
                    )


def _check_contents(shards: Sequence[_Shard]) -> None:
    """Raise InputError where a case, or the input of a clip, is not the same in all records."""
    known: dict[tuple[str, str, str], tuple[str, _Shard]] = {}
    for shard in shards:
        for about, field in _CONTENTS:
            for name, sha256 in shard.records.pairs(about, f"{field}_sha256"):
                earlier, other = known.setdefault((about, field, name), (sha256, shard)) if sha256 else ("", shard)
                if earlier != sha256:
                    raise InputError(
                        f"{other.name} and {shard.name} were made of different data: the {field} of {about} "
                        f"{one_line(name)} differs ({earlier[:8]} and {sha256[:8]})"
                    )


_CONTENTS = (("case", "input"), ("case", "truth"), ("case", "holes"), ("case", "given"), ("clip", "input"))


def _promised(page: RunInfo, shards: Sequence[_Shard]) -> Iterator[_Key]:
    """Every method and case of the run; the truth has a row where it has one anywhere, of cases that can be made."""
    labels = [facts.label for facts in page.methods]
    for case in page.cases:
        yield from ((label, case) for label in labels)
    if any(TRUTH in shard.records.texts["method"].counts() for shard in shards):
        pairs = [pair for shard in shards for pair in shard.records.pairs("case", "truth_sha256")]
        with_truth = {case for case, sha256 in pairs if sha256}
        yield from ((TRUTH, case) for case in page.cases if case in with_truth)


def _take_over(store: Store, method: str, case: str, merged: Store) -> None:
    """Put all files of a record into the merged run, those of its case first and the record itself last."""
    if store.folder.resolve() == merged.folder.resolve():
        return
    sources = store.files_of(method, case)
    targets = [merged.folder / path.relative_to(store.folder) for path in sources]
    fetch(sources)
    for source, target in zip(sources, targets, strict=True):
        _link(source, target)
    send(targets)


def _link(source: Path, target: Path) -> None:
    """Let ``target`` be the file ``source``, unless it is that already."""
    if target.exists() and (target.samefile(source) or target.read_bytes() == source.read_bytes()):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    link_or_copy(source, target)


def _counted(keys: Sequence[_Key]) -> str:
    return "1 record is" if len(keys) == 1 else f"{len(keys)} records are"


def _named(keys: Sequence[_Key]) -> str:
    names = ", ".join(f"{one_line(method)} on {one_line(case)}" for method, case in keys[:SHOWN])
    return f"{names} and {len(keys) - SHOWN} more" if len(keys) > SHOWN else names
