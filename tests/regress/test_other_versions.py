"""Old code and new code measure each other, as a checkout and as a wheel; a version needs nothing but ``Holed``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Outcome
from small_repository import repository

from vibench.regress.version import other_version

Command = Callable[..., Outcome]
CHECKOUT = Path(__file__).parents[2]
BEFORE_THE_REBUILD = "13fb946"
"""The last commit in which every module of ``vibench`` lay in one folder."""
WORDS = ("--methods", "telea", "--size", "32x32", "--frames", "4", "--threshold", "50")
WITHIN = ("--budget", "30s", "--format", "json")

HOLED = '''
"""A benchmark of which nothing is known but what a method gets."""
from dataclasses import dataclass

import numpy as np


@dataclass
class Holed:
    name: str
    frames: np.ndarray
    masks: np.ndarray
'''
METHOD = """
def mine(device, grey={grey}):
    assert device == "cpu"
    def fill(holed):
        frames = holed.frames.astype("float32")
        frames[holed.masks] = grey
        return frames
    return fill
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the last commit before the rebuild, outside git."""
    folder = tmp_path_factory.mktemp("before")
    words = ["git", "-C", str(CHECKOUT), "archive", "--output", str(folder / "files.tar"), BEFORE_THE_REBUILD]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip(f"this checkout's history does not reach back to {BEFORE_THE_REBUILD}")
    with tarfile.open(folder / "files.tar") as files:
        files.extractall(folder / "code", filter="data")
    return folder / "code"


def wheel_of(code: Path, folder: Path) -> Path:
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(code)]
    subprocess.run(words, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def assert_every_measure_was_taken(status: int, out: str, error: str) -> None:
    """Time may be judged in any way, since the machine may be busy; the frames of both versions must be the same."""
    assert status in (0, 1, 3), error
    found: dict[str, Any] = {each["measure"]: each for each in json.loads(out)["comparisons"][0]["findings"]}
    assert (found["quality"]["verdict"], found["quality"]["note"]) == ("same", "identical")
    assert "incomparable" not in {each["verdict"] for each in found.values()}


@pytest.mark.usefixtures("archive")
def test_this_version_measures_the_one_before_the_rebuild(vibench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    assert_every_measure_was_taken(*vibench("regress", *WORDS, *WITHIN, "--against", BEFORE_THE_REBUILD))


@pytest.mark.slow
def test_this_version_measures_a_wheel_of_the_one_before_the_rebuild(
    vibench: Command, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = wheel_of(archive, tmp_path)
    with other_version(str(wheel)) as version:
        assert version.root is not None and (version.root / "vibench" / "plugins.py").is_file()
    monkeypatch.chdir(CHECKOUT)
    assert_every_measure_was_taken(*vibench("regress", *WORDS, *WITHIN, "--against", str(wheel)))


@pytest.mark.slow
def test_the_version_before_the_rebuild_measures_a_wheel_of_this_one(archive: Path, tmp_path: Path) -> None:
    wheel = wheel_of(CHECKOUT, tmp_path)
    words = [sys.executable, "-m", "vibench", "regress", *WORDS, *WITHIN, "--against", str(wheel)]
    environment = {**os.environ, "PYTHONPATH": str(archive), "GIT_CEILING_DIRECTORIES": str(archive.parent)}
    ended = subprocess.run(words, cwd=archive, env=environment, capture_output=True, text=True, check=False)
    assert_every_measure_was_taken(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize(("before", "after", "word"), [(90, 90, "same"), (90.5, 91, "same"), (90, 255, "worse")])
def test_a_version_whose_vibench_has_nothing_but_holed_is_measured(
    vibench: Command, tmp_path: Path, before: float, after: float, word: str
) -> None:
    """Floats are rounded half away from zero here, so that 90.5 and 91 are the same frames."""
    repository(
        tmp_path, *({"vibench/__init__.py": HOLED, "mine.py": METHOD.format(grey=grey)} for grey in (before, after))
    )
    words = ("--methods", "mine:mine", "--size", "48x32", "--frames", 4, "--budget", "60s", "--threshold", 20)
    _, out, error = vibench("regress", *words, "--format", "json")
    quality = json.loads(out)["comparisons"][0]["findings"][0]
    assert quality["verdict"] == word, error
