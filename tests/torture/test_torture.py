"""A short form of `make torture`: some damaged files of every format, and some damaged runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("torture.py")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")


def torture(*words: str) -> str:
    command = [sys.executable, str(SCRIPT), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_damaged_files_of_every_format_are_read_or_refused_in_one_line() -> None:
    told = torture("--files", "60", "--stores", "0")
    assert told.endswith("0 faults\n") and int(re.findall(r"^(\d+) files", told, re.MULTILINE)[0]) >= 60


def test_every_command_ends_in_a_sentence_over_a_damaged_run() -> None:
    assert "2 damaged runs, 10 commands: 0 ended badly" in torture("--files", "0", "--stores", "2")


@pytest.mark.slow
def test_30_damaged_runs_and_1000_files_give_no_fault() -> None:
    assert "30 damaged runs, 150 commands: 0 ended badly" in torture("--files", "1000", "--stores", "30")
