"""Frames cross through files that have their bytes before anybody writes on them, and that nobody leaves behind."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vibench.errors import UserError
from vibench.machine.exchange import PREFIX, Exchange
from vibench.machine.processes import owned_folder


@pytest.fixture
def no_memory_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system whose folder in memory is full, and an empty folder of temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr("vibench.machine.exchange.shutil.disk_usage", lambda _: usage)
    return tmp_path


def test_what_is_given_can_be_read_from_the_file_and_memory_is_taken_once() -> None:
    exchange = Exchange()
    small, large = np.arange(6, dtype=np.uint8), np.arange(600, dtype=np.uint16)
    first = exchange.give("frames", large)
    assert np.array_equal(np.fromfile(first, np.uint16), large)
    assert exchange.give("frames", small) == first and np.array_equal(np.fromfile(first, np.uint8)[:6], small)
    assert first.stat().st_size == large.nbytes
    path, flat = exchange.room("frames", 5000)
    flat[4999] = 7
    assert np.fromfile(path, np.uint8)[4999] == 7
    exchange.close()
    assert not path.parent.exists()


def test_the_files_lie_on_the_disk_where_memory_has_no_room(no_memory_folder: Path) -> None:
    exchange = Exchange()
    path, _ = exchange.room("frames", 1000)
    assert path.is_relative_to(no_memory_folder) and path.stat().st_blocks * 512 >= 1000
    exchange.close()
    assert list(no_memory_folder.iterdir()) == []


def test_a_full_disk_is_one_sentence_before_anything_is_written(
    no_memory_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.posix_fallocate", full)
    exchange = Exchange()
    with pytest.raises(UserError, match="no space left on the disk"):
        exchange.room("frames", 1000)
    exchange.close()
    assert list(no_memory_folder.iterdir()) == []


def test_the_folder_of_a_killed_process_is_swept_away(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for owner in (ended.pid, os.getpid()):
        (tmp_path / f"vibench-frames-{owner}-abc").mkdir()
    made = owned_folder(tmp_path, PREFIX)
    assert {path.name for path in tmp_path.iterdir()} == {f"vibench-frames-{os.getpid()}-abc", made.name}
