import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome

from vibench.errors import InputError
from vibench.files import cache_folder
from vibench.metrics import cache
from vibench.metrics.cache import cache_state, clear_cache, kept

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


def once(key: str = "a") -> np.ndarray:
    """What one key holds; every call of this function asks for the same array."""
    return kept("test", key, SHAPE, lambda: np.full(SHAPE, 7.0))


def test_no_flipped_bit_gives_a_number() -> None:
    """A file that was altered anywhere is computed anew."""
    right = once()
    (path,) = files()
    sound = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(sound), 200):
        damaged = bytearray(sound)
        damaged[place] ^= 1 << (int(place) % 8)
        path.write_bytes(bytes(damaged))
        np.testing.assert_array_equal(once(), right)


def test_an_array_under_the_name_of_another_is_not_believed() -> None:
    kept("test", "other", SHAPE, lambda: np.zeros(SHAPE))
    (other,) = files()
    right = once()
    (mine,) = set(files()) - {other}
    mine.write_bytes(other.read_bytes())
    np.testing.assert_array_equal(once(), right)


def in_place_of(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a loop of links":
        path.symlink_to(path.name)
    elif kind == "an endless device":
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a loop of links", "an endless device"])
def test_what_is_no_file_is_computed(kind: str) -> None:
    right = once()
    in_place_of(files()[0], kind)
    np.testing.assert_array_equal(once(), right)


@pytest.mark.parametrize("place", ["/proc/nope", "/dev/null/cache", "a file", "~/cache"])
def test_a_cache_that_cannot_be_had_means_compute_and_is_told_once(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if place == "a file":
        (tmp_path / "file").write_text("")
        place = str(tmp_path / "file")
    monkeypatch.setenv("VIBENCH_CACHE", place)
    monkeypatch.setenv("HOME", "/proc/nope")
    cache._tell_once.cache_clear()
    for _ in range(3):
        assert once().mean() == 7
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert cache_state() == []


def test_the_home_of_nobody_is_a_name_as_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIBENCH_CACHE", "~nobody-is-called-that/cache")
    assert once().mean() == 7 and once().mean() == 7
    assert [state.files for state in cache_state()] == [1]
    assert (tmp_path / "~nobody-is-called-that" / "cache").is_dir()


def test_a_full_disk_means_compute_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    cache._tell_once.cache_clear()
    assert once().mean() == once().mean() == 7
    assert capsys.readouterr().err.count("No space left") == 1
    assert files() == []


def test_eviction_touches_neither_what_is_being_written_nor_what_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache_folder("test")
    once("old")
    (old,) = files()
    being_written = folder / f".{'0' * 40}.abcdef.partial.npy"
    mine = [being_written, folder / "notes.npy", folder / "flow.txt", folder / ("0" * 64), folder / "sub"]
    for path in mine[:-1]:
        path.write_bytes(bytes(10_000))
    mine[-1].mkdir()
    os.utime(old, (500, 500))
    monkeypatch.setenv("VIBENCH_CACHE_BYTES", "1")
    once("new")
    assert set(mine) <= set(files()) and old not in files()


def test_files_of_earlier_versions_have_no_checksum_and_are_removed_unread() -> None:
    outdated = cache_folder("test") / f"{sha256(b'a').hexdigest()}.npy"
    np.save(outdated, np.zeros(SHAPE, np.float32))
    assert once().mean() == 7
    assert not outdated.exists()


def test_what_a_killed_process_left_is_removed_after_a_day() -> None:
    left = cache_folder("test") / f".{'0' * 40}.abcdef.partial.npy"
    left.write_bytes(b"half")
    os.utime(left, (500, 500))
    once()
    assert not left.exists()


def test_the_state_counts_our_files_and_clearing_removes_only_them(tmp_path: Path) -> None:
    for key in ("a", "b"):
        once(key)
    kept("other", "a", SHAPE, Counted())
    (cache_folder("test") / "notes.txt").write_text("mine")
    state = cache_state()
    assert [(kind, count) for kind, count, _ in state] == [("other", 1), ("test", 2)]
    assert clear_cache() == ("all", 3, sum(size for _, _, size in state))
    assert cache_state() == [] and [path.name for path in files()] == ["notes.txt"]


def test_the_command_shows_and_clears(vibench: Callable[..., Outcome], tmp_path: Path) -> None:
    once()
    status, out, _ = vibench("cache", "show")
    assert status == 0 and f"place: {tmp_path}" in out and "test               1 files" in out
    status, out, _ = vibench("cache", "clear")
    assert status == 0 and out.startswith("removed 1 files")
    assert vibench("cache", "clear")[1].startswith("removed 0 files")


@pytest.mark.parametrize("text", ["2 GB", "-1", "1e9", "٣", "9" * 5000, ""])
def test_a_wrong_limit_is_a_sentence_before_anything_is_computed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBENCH_CACHE_BYTES", text)
    with pytest.raises(InputError, match="must be a number of bytes"):
        kept("test", "a", SHAPE, lambda: pytest.fail("it was computed"))
