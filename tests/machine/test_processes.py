"""Worker processes leave Ctrl-C to their parent, use the threads they were given, and do not outlive their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest
from waiting import until
from worker_tasks import work_for_ever

from vibench.machine.processes import _watch, exit_on_termination, worker_pool

PARENT = """
import os, sys, time
from pathlib import Path
from vibench.machine.processes import worker_pool
from worker_tasks import work_for_ever

if __name__ == "__main__":
    with worker_pool(2, 1) as pool:
        for index in range(2):
            pool.submit(work_for_ever, Path(sys.argv[1]) / str(index))
"""


def threads_and_environment() -> tuple[int, str | None]:
    import torch

    return torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")


def answer_to_interrupt() -> bool:
    os.kill(os.getpid(), signal.SIGINT)
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


_told: list[str] = []


def set_up(*words: str) -> None:
    _told.extend(words)


def told() -> list[str]:
    return _told


@pytest.mark.parametrize("threads", [1, 2])
def test_a_worker_has_its_threads_even_in_libraries_that_it_loads_later(threads: int) -> None:
    with worker_pool(1, threads) as pool:
        assert pool.submit(threads_and_environment).result() == (threads, str(threads))


def test_a_worker_leaves_an_interrupt_to_its_parent() -> None:
    with worker_pool(1, 1) as pool:
        assert pool.submit(answer_to_interrupt).result() is True


def test_a_worker_is_set_up_before_its_first_work() -> None:
    with worker_pool(1, 1, set_up, "a", "b") as pool:
        assert pool.submit(told).result() == ["a", "b"]


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt])
def test_no_worker_is_left_when_the_block_has_raised(tmp_path: Path, kind: type[BaseException]) -> None:
    with pytest.raises(kind), worker_pool(2, 1) as pool:
        pending = [pool.submit(work_for_ever, tmp_path / str(index)) for index in range(5)]
        until(lambda: all((tmp_path / str(index)).exists() for index in range(2)))
        raise kind
    assert {type(future.exception()) for future in pending} == {BrokenProcessPool}
    assert not any(psutil.pid_exists(int((tmp_path / str(index)).read_text())) for index in range(2))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    path = os.pathsep.join([str(Path(__file__).parents[1] / "support"), *sys.path])
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], env={**os.environ, "PYTHONPATH": path}
    ) as parent:
        try:
            until(lambda: all((tmp_path / str(index)).exists() for index in range(2)))
            workers = [psutil.Process(int((tmp_path / str(index)).read_text())) for index in range(2)]
            parent.send_signal(number)
            parent.wait()
        finally:
            parent.kill()
    until(lambda: not any(_runs(worker) for worker in workers))


def test_where_the_system_cannot_a_thread_sees_that_the_parent_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    parents = iter([7, 7, 1])
    monkeypatch.setattr("os.getppid", lambda: next(parents))
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("os._exit", ended.append)
    _watch(7)
    assert ended == [1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("signals_end_a_process")
def test_a_signal_becomes_an_exit_once_and_handlers_are_put_back(number: signal.Signals) -> None:
    tidied = []
    with pytest.raises(SystemExit) as ended, exit_on_termination():
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        finally:
            os.kill(os.getpid(), number)  # as `timeout -k` and impatient people do
            tidied.append(True)
    assert (ended.value.code, tidied) == (128 + number, [True])
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with exit_on_termination():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
