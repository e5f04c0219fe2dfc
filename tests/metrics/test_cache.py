import os
from pathlib import Path

import numpy as np
import pytest

from vibench.errors import InputError
from vibench.files import cache_folder
from vibench.metrics.cache import kept

SHAPE = (6, 8, 2)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path))


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> np.ndarray:
        self.calls += 1
        return np.random.default_rng(self.calls).random(SHAPE, np.float32)


def files() -> list[Path]:
    return sorted(cache_folder("test").iterdir())


def test_an_array_is_computed_once() -> None:
    compute = Counted()
    first = kept("test", "a", SHAPE, compute)
    np.testing.assert_array_equal(kept("test", "a", SHAPE, compute), first)
    assert compute.calls == 1


def test_another_key_is_another_array() -> None:
    compute = Counted()
    for key in ("a", "b", "../c", "a b"):
        kept("test", key, SHAPE, compute)
    assert compute.calls == len(files()) == 4


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_torn_file_is_computed_anew_and_mended(damage: bytes | None) -> None:
    compute = Counted()
    kept("test", "a", SHAPE, compute)
    [path] = files()
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    mended = kept("test", "a", SHAPE, compute)
    assert compute.calls == 2
    np.testing.assert_array_equal(kept("test", "a", SHAPE, compute), mended)
    assert compute.calls == 2


@pytest.mark.parametrize("stranger", [np.zeros((3, 3, 2), np.float32), np.zeros(SHAPE), np.array([print], object)])
def test_an_array_of_another_kind_is_not_believed(stranger: np.ndarray) -> None:
    compute = Counted()
    kept("test", "a", SHAPE, compute)
    np.save(files()[0], stranger)
    found = kept("test", "a", SHAPE, compute)
    assert (found.shape, found.dtype) == (SHAPE, np.float32)


def test_what_was_used_longest_ago_is_removed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Counted()
    for key in ("a", "b"):
        kept("test", key, SHAPE, compute)
    old, older = files()
    os.utime(old, (1000, 1000))
    os.utime(older, (500, 500))
    monkeypatch.setenv("VIBENCH_CACHE_BYTES", str(2 * old.stat().st_size))
    kept("test", "c", SHAPE, compute)
    assert old.exists()
    assert not older.exists()
    assert len(files()) == 2


def test_reading_counts_as_use() -> None:
    kept("test", "a", SHAPE, Counted())
    [path] = files()
    os.utime(path, (500, 500))
    kept("test", "a", SHAPE, Counted())
    assert path.stat().st_mtime > 1000


def test_a_limit_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBENCH_CACHE_BYTES", "2 GB")
    with pytest.raises(InputError, match="VIBENCH_CACHE_BYTES is '2 GB'; it must be a number of bytes"):
        kept("test", "a", SHAPE, Counted())


def test_an_array_of_another_shape_than_promised_is_a_broken_contract() -> None:
    with pytest.raises(ValueError, match="was promised"):
        kept("test", "a", (1,), Counted())
