"""The index remembers what files said, and is never believed over them."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from many_records import many_record, write_many

from vibench.files import cache_folder
from vibench.metrics.cache import cache_state, clear_cache
from vibench.results import index
from vibench.results.damage import Problem
from vibench.results.record import Record
from vibench.results.records import Records
from vibench.results.store import Store

COUNT = 60


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A run that is large enough for an index, with a cache of its own."""
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(index, "INDEXED_FROM", COUNT // 2)
    return write_many(tmp_path / "runs", COUNT)


@pytest.fixture(autouse=True)
def soon_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were just written count as settled: no test writes one twice within a step of the clock."""
    monkeypatch.setattr(index, "SETTLED_NS", 1)


class Reading:
    """Counts the files that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[Path] = []
        read = Store._read

        def counted(store: Store, path: Path) -> Record | Problem:
            self.paths.append(path)
            return read(store, path)

        monkeypatch.setattr(Store, "_read", counted)

    def count(self) -> int:
        paths, self.paths = self.paths, []
        return len(paths)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    return Reading(monkeypatch)


def plainly(store: Store) -> list[Record]:
    """The records as their files say them, without any index."""
    cases = {case: place for place, case in enumerate(store.info.cases)}
    records = [Record.model_validate_json(path.read_bytes()) for path in store.folder.glob("records/*/*.json")]
    return sorted(records, key=lambda record: (cases[record.case], record.method))


def the_index() -> Path:
    (found,) = cache_folder("index").glob("*.index.npz")
    return found


def test_files_are_read_once(store: Store, reading: Reading) -> None:
    assert list(store.records()) == plainly(store) and reading.count() == COUNT
    assert list(store.records()) == plainly(store) and reading.count() == 0
    assert list(Store.open(store.folder).records()) == plainly(store) and reading.count() == 0


def test_only_what_changed_is_read_again(store: Store, reading: Reading) -> None:
    before = store.records()
    reading.count()
    changed = before[7].model_copy(update={"hole_fraction": 0.7})
    store.keep(changed)
    gone = store.folder / "records" / before[20].method / f"{before[20].case.replace('/', '_')}"
    (lost,) = gone.parent.glob(f"{gone.name}-*.json")
    lost.unlink()
    records = store.records()
    assert list(records) == plainly(store) and records.find(changed.method, changed.case) == changed
    assert records.find(before[20].method, before[20].case) is None
    assert reading.count() == 1


def test_a_file_of_the_same_size_and_time_is_read_again(store: Store, reading: Reading) -> None:
    """Whoever sets the time back cannot set back when that was done."""
    store.records()
    reading.count()
    path = next(store.folder.glob("records/method3/*.json"))
    found = path.stat()
    path.write_text(path.read_text().replace('"height": 24', '"height": 42'))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_size == found.st_size
    assert list(store.records()) == plainly(store) and reading.count() == 1


def test_a_file_that_was_only_just_written_is_not_trusted(
    store: Store, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks have steps: a second change within one leaves the same size and times."""
    monkeypatch.setattr(index, "SETTLED_NS", 3600 * 10**9)
    store.records()
    reading.count()
    assert list(store.records()) == plainly(store) and reading.count() == COUNT


@pytest.mark.parametrize("how", ["a byte", "cut", "empty", "another file", "other code", "a folder"])
def test_a_damaged_index_is_rebuilt_and_never_believed(
    store: Store, reading: Reading, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(store.records())
    path = the_index()
    content = bytearray(path.read_bytes())
    draw = random.Random(8)
    for _ in range(8 if how == "a byte" else 1):
        broken = bytearray(content)
        if how == "a byte":
            broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
        elif how == "cut":
            broken = broken[: len(broken) // 2]
        elif how == "empty":
            broken = bytearray()
        elif how == "another file":
            broken = bytearray(b"PK\x03\x04 no archive")
        path.write_bytes(broken)
        if how == "other code":
            monkeypatch.setattr(index, "_code", lambda: "another state of it")
        if how == "a folder":
            path.unlink()
            path.mkdir()
        reading.count()
        assert list(store.records()) == expected
        # A bit in the names that the format gives its parts, which no checksum covers, may do no harm at all.
        assert reading.count() == COUNT or how == "a byte"
        if how != "a folder":
            assert list(store.records()) == expected and reading.count() == 0


def test_an_index_of_another_run_in_the_same_place_is_not_used(store: Store, reading: Reading, tmp_path: Path) -> None:
    store.records()
    shutil.rmtree(store.folder)
    again = write_many(tmp_path / "runs", COUNT + 10)
    reading.count()
    assert list(again.records()) == plainly(again) and reading.count() == COUNT + 10


def test_damaged_records_are_told_each_time(store: Store) -> None:
    path = next(store.folder.glob("records/method3/*.json"))
    path.write_bytes(path.read_bytes()[:100])
    for _ in range(2):
        records, problems = store.scan()
        assert len(records) == COUNT - 1 and [path.name in problem.sentence for problem in problems] == [True]


def test_what_is_being_written_is_no_record(store: Store) -> None:
    (store.folder / "records" / "method0" / ".x.partial.json").write_text("{")
    assert store.scan()[1] == []


def test_killed_while_it_is_built_the_index_is_built_again(store: Store, reading: Reading) -> None:
    expected = list(Records.of(plainly(store)))
    for wait in (0.0, 0.01, 0.02, 0.03):
        child = os.fork()
        if child == 0:
            store.records()
            os._exit(0)
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert list(store.records()) == expected
    reading.count()
    assert list(store.records()) == expected and reading.count() == 0


def test_without_a_cache_files_are_read(store: Store, reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBENCH_CACHE", "/dev/null/none")
    assert list(store.records()) == plainly(store)
    reading.count()
    assert list(store.records()) == plainly(store) and reading.count() == COUNT


def test_the_index_belongs_to_the_cache_that_is_shown_and_cleared(store: Store) -> None:
    store.records()
    assert [(state.kind, state.files) for state in cache_state()] == [("index", 1)]
    assert clear_cache().files == 1 and not list(cache_folder("index").iterdir())


def test_nothing_is_written_into_the_run(store: Store) -> None:
    before = sorted(store.folder.rglob("*"))
    store.records()
    assert sorted(store.folder.rglob("*")) == before


def test_a_small_run_has_no_index(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "INDEXED_FROM", COUNT + 1)
    store.records()
    assert not cache_folder("index").exists() or not list(cache_folder("index").iterdir())


def test_a_record_that_is_kept_while_others_are_indexed_is_in_its_place(store: Store) -> None:
    import numpy as np

    store.records()
    new = many_record(np.random.default_rng(1), "method0", store.info.cases[2]).model_copy(update={"frames": 3})
    store.keep(new)
    assert list(store.records()) == plainly(store)
