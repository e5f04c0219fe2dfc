"""A checkpoint is the old one or the new one, and the curve follows it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from vinet.errors import VINetError
from vinet.training import checkpoint
from vinet.training.curve import Curve


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save({"done": 3, "network": {"a": torch.arange(3.0)}}, path)
    state = checkpoint.load(path)
    assert state is not None and state["done"] == 3 and torch.equal(state["network"]["a"], torch.arange(3.0))
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_death_while_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save({"done": 1}, path)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", dies)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"done": 2}, path)
    monkeypatch.undo()
    state = checkpoint.load(path)
    assert state is not None and state["done"] == 1


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("owned",)


def test_a_checkpoint_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"version": 1, "state": Hostile()}, tmp_path / "checkpoint.pt")
    with pytest.raises(VINetError, match="is not a checkpoint"):
        checkpoint.load(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "owned").exists()


def test_foreign_and_absent_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("hello")
    torch.save({"version": 0}, tmp_path / "old.pt")
    assert checkpoint.load(tmp_path / "none.pt") is None
    for name in ("text.pt", "old.pt"):
        with pytest.raises(VINetError):
            checkpoint.load(tmp_path / name)


def test_a_curve_is_cut_back_to_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    curve = Curve(path, ("loss",), 0)
    for step in range(1, 6):
        curve.add(step, {"loss": step / 3})
    curve.close()
    path.write_text(path.read_text() + "6,0.3")  # torn
    Curve(path, ("loss",), 3).close()
    assert path.read_text().splitlines() == ["step,loss", f"1,{1 / 3!r}", f"2,{2 / 3!r}", "3,1.0"]
