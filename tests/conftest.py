"""Shared fixtures: the optional real data beside the checkout, and a private cache for every test session."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Outcome

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def golden() -> Path:
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data that may not be bundled; tests that need it skip where it is absent."""
    folder = CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data set folder ../shared/data is not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's own cache."""
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Threads that torch has during the test, and must still have at its end."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    try:
        yield request.param
        assert torch.get_num_threads() == request.param
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def signals_end_a_process() -> Iterator[None]:
    """Signals reach a test and what it starts, also where ``nohup`` has the whole suite ignore them."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def vibench(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Outcome]]:
    """Runs the real entry point in this process, in an empty folder: (exit status, stdout, stderr)."""
    from vibench.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["vibench", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        out, err = capfd.readouterr()
        return status, out, err

    before = [*sys.path]
    yield call
    sys.path[:] = before  # the entry point adds the working folder, which may hold packages of its own
