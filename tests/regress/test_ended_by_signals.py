"""A comparison that is ended from outside leaves nothing behind: no worktree, no temporary folder, no process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from command_line import Outcome
from small_repository import repository
from waiting import until

Command = Callable[..., Outcome]
METHOD = """
from pathlib import Path
from time import sleep

def mine():
    def fill(holed):
        Path({mark!r}).touch()
        sleep(3600)
    return fill
"""


pytestmark = pytest.mark.usefixtures("signals_end_a_process")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits of a method that never ends; temporary folders lie in ``temporary`` beside them."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    method = METHOD.format(mark=str(tmp_path / "begun"))
    (tmp_path / "project").mkdir()
    repository(tmp_path / "project", {"mine.py": method}, {"mine.py": method + "# again\n"})
    return tmp_path / "project"


@contextmanager
def under_way(project: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """A comparison whose first fill has begun, and the processes that it has started."""
    words = [sys.executable, "-m", "vibench", "regress", "--methods", "mine:mine", "--budget", "1h"]
    with subprocess.Popen(words, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            until((project.parent / "begun").exists)
            yield running, psutil.Process(running.pid).children(recursive=True)
        finally:
            running.kill()


def worktrees(project: Path) -> int:
    words = ["git", "-C", str(project), "worktree", "list"]
    return len(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines())


def left_over(project: Path) -> list[Path]:
    return list((project.parent / "temporary").glob("vibench-*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_comparison_that_is_told_to_end_leaves_nothing(project: Path, number: signal.Signals) -> None:
    with under_way(project) as (running, children):
        assert (worktrees(project), bool(left_over(project)), bool(children)) == (2, True, True)
        running.send_signal(number)
        assert running.wait() == 128 + number
    assert (worktrees(project), left_over(project)) == (1, [])
    until(lambda: not any(ended_not(child) for child in children))


def test_the_next_comparison_removes_what_a_killed_one_left(
    project: Path, vibench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with under_way(project) as (running, children):
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert (worktrees(project), bool(left_over(project))) == (2, True)
    until(lambda: not any(ended_not(child) for child in children))
    monkeypatch.chdir(project)
    assert vibench("regress", "--methods", "mine:mine", "--budget", "1s")[0] == 3
    assert (worktrees(project), left_over(project)) == (1, [])


def test_a_comparison_leaves_alone_what_another_one_uses(
    project: Path, vibench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with under_way(project):
        before = sorted(left_over(project))
        monkeypatch.chdir(project)
        assert vibench("regress", "--methods", "mine:mine", "--budget", "1s")[0] == 3
        assert (worktrees(project), sorted(left_over(project))) == (2, before)


def ended_not(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
