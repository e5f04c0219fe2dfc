import os
from pathlib import Path

import numpy as np
import pytest

from vibench.errors import InputError
from vibench.flow_cache import cached_flow
from vibench.resources import cache_folder

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path))


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        self.calls += 1
        return np.full((*first.shape[:2], 2), float(first.sum()) - float(second.sum()), np.float32)


def files() -> list[Path]:
    return sorted(cache_folder("flow").iterdir())


def test_the_same_frames_are_estimated_once() -> None:
    estimate = Counted()
    first = cached_flow(estimate, "a", FRAMES[0], FRAMES[1])
    np.testing.assert_array_equal(cached_flow(estimate, "a", FRAMES[0].copy(), FRAMES[1]), first)
    assert estimate.calls == 1


def test_other_frames_order_or_identity_are_estimated_anew() -> None:
    estimate = Counted()
    for identity, first, second in (("a", 0, 1), ("a", 1, 0), ("a", 0, 2), ("b", 0, 1)):
        cached_flow(estimate, identity, FRAMES[first], FRAMES[second])
    assert estimate.calls == len(files()) == 4


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_torn_file_is_estimated_anew_and_mended(damage: bytes | None) -> None:
    estimate = Counted()
    expected = cached_flow(estimate, "a", FRAMES[0], FRAMES[1])
    [path] = files()
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    np.testing.assert_array_equal(cached_flow(estimate, "a", FRAMES[0], FRAMES[1]), expected)
    cached_flow(estimate, "a", FRAMES[0], FRAMES[1])
    assert estimate.calls == 2


def test_an_array_of_another_shape_is_not_believed() -> None:
    estimate = Counted()
    cached_flow(estimate, "a", FRAMES[0], FRAMES[1])
    np.save(files()[0], np.zeros((3, 3, 2), np.float32))
    assert cached_flow(estimate, "a", FRAMES[0], FRAMES[1]).shape == (6, 8, 2)


def test_a_pickled_object_is_not_loaded() -> None:
    estimate = Counted()
    cached_flow(estimate, "a", FRAMES[0], FRAMES[1])
    np.save(files()[0], np.array([print], object))
    assert cached_flow(estimate, "a", FRAMES[0], FRAMES[1]).dtype == np.float32


def test_what_was_used_longest_ago_is_removed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    estimate = Counted()
    for index in (1, 2):
        cached_flow(estimate, "a", FRAMES[0], FRAMES[index])
    old, older = files()
    os.utime(old, (1000, 1000))
    os.utime(older, (500, 500))
    monkeypatch.setenv("VIBENCH_CACHE_BYTES", str(2 * old.stat().st_size))
    cached_flow(estimate, "a", FRAMES[0], FRAMES[3])
    assert old.exists()
    assert not older.exists()
    assert len(files()) == 2


def test_reading_counts_as_use() -> None:
    cached_flow(Counted(), "a", FRAMES[0], FRAMES[1])
    [path] = files()
    os.utime(path, (500, 500))
    cached_flow(Counted(), "a", FRAMES[0], FRAMES[1])
    assert path.stat().st_mtime > 1000


def test_a_limit_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBENCH_CACHE_BYTES", "2 GB")
    with pytest.raises(InputError, match="VIBENCH_CACHE_BYTES is '2 GB'; it must be a number of bytes"):
        cached_flow(Counted(), "a", FRAMES[0], FRAMES[1])
