"""Every weights file that comes with the package has a card beside it, and the card tells the truth."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

import baselines
import vinet
from vinet.weights import read

FILES = sorted(
    path
    for package in (vinet, baselines)
    for folder in package.__path__
    for path in Path(folder).rglob("*.safetensors")
)


def test_there_are_weights() -> None:
    assert len(FILES) >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_card_is_that_of_the_file(path: Path) -> None:
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", card, re.MULTILINE))
    held = read(path)
    assert rows["sha256"].strip("`") == hashlib.sha256(path.read_bytes()).hexdigest() == held.sha256
    assert rows["size"] == f"{path.stat().st_size} bytes"
    numbers = sum(values.numel() for values in held.tensors.values())
    assert rows["parameters"] == f"{numbers} in {len(held.tensors)} tensors"
    assert {f"torch.{rows['precision']}"} == {str(values.dtype) for values in held.tensors.values()}
    assert rows["steps"].removesuffix(" (header)").replace(" ", "") in held.notes["steps"]
