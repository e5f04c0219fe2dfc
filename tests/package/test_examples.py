"""The scripts that the documentation shows run as they stand, each in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PROMISED = {
    "measure_a_clip.py": (("pass uint8", "in the hole"), ()),
    "fill_a_clip.py": (("vinet[memory=false]", "dB in the hole"), ("filled.png",)),
    "run_a_protocol.py": (("carphone/", "last_seen is"), ("psnr.png",)),
    "own_method_and_metric.py": (("contrast", "MeanColour", "truth"), ()),
}


def test_every_example_is_tried() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(PROMISED)


@pytest.mark.parametrize("name", PROMISED)
def test_an_example_runs_and_shows_what_it_promises(name: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(EXAMPLES / name)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    words, files = PROMISED[name]
    assert all(word in ran.stdout for word in words), ran.stdout
    assert all((tmp_path / file).stat().st_size > 1000 for file in files)
