"""A file is replaced whole or not at all, and errors keep their kind where another program hears of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vinet.errors import MissingWeights, VINetError, translated
from vinet.files import REST, replacing
from vinet.kernels import usable


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old" and [*tmp_path.glob(REST)] == [temporary]
        raise ZeroDivisionError
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_a_new_file_can_be_read_by_whom_the_folder_allows(tmp_path: Path) -> None:
    with replacing(tmp_path / "new" / "values.csv") as temporary:
        temporary.write_text("new")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "new" / "values.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_device_or_a_pipe_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(VINetError, match="is a folder, a pipe or a device"), replacing(path):
            raise AssertionError("it was opened")
    assert (tmp_path / "pipe").is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_errors_keep_their_sentence_and_their_kind() -> None:
    for own, other in ((VINetError, KeyError), (MissingWeights, LookupError)):
        with pytest.raises(other, match="no such thing") as caught, translated(KeyError, LookupError):
            raise own("no such thing")
        assert type(caught.value) is other


def test_compiled_loops_are_for_float32_without_gradients() -> None:
    assert not usable(torch.zeros(1))
    with torch.no_grad():
        assert usable(torch.zeros(1)) and not usable(torch.zeros(1), torch.zeros(1, dtype=torch.float64))
        assert not usable(torch.zeros(1, device="meta"))


def test_numba_is_imported_once_a_loop_is_needed() -> None:
    probe = """
import sys, torch
from vinet.kernels import warp
from vinet.method import VINetMethod
VINetMethod()
assert "numba" not in sys.modules
with torch.no_grad():
    warp(torch.zeros(1, 64, 8, 8), torch.zeros(1, 2, 8, 8))
assert "numba" in sys.modules
"""
    subprocess.run([sys.executable, "-c", probe], check=True)
