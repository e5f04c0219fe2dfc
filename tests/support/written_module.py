"""A module of somebody else's, written where a test works, under a name that no other test has imported."""

from __future__ import annotations

from pathlib import Path

import pytest


def written_module(prefix: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write ``text`` into ``folder``, which modules are then found in for the length of the test; return its name."""
    name = f"{prefix}_{folder.name}".replace("-", "_")
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    return name
