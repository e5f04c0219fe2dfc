"""Runs over the commits of a small repository, written through the real store: what the tests of history read."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from small_repository import repository
from small_run import record, run_info, timing

from vibench.results.record import RunInfo
from vibench.results.store import Store

CASES = [f"clip{number}/square" for number in range(4)]
MACHINE = {
    "processor": "made up", "cores": 2, "memory_bytes": 8 << 30, "accelerators": [], "torch_threads": 1,
    "python": "3.11.1", "system": "Linux 6",
}  # fmt: skip


def commits(folder: Path, count: int) -> list[str]:
    """The full names of ``count`` commits of a new repository in ``folder``, the first one first."""
    folder.mkdir(parents=True, exist_ok=True)
    repository(folder, *({"number.txt": str(number)} for number in range(count)))
    words = ["git", "-C", str(folder), "log", "--reverse", "--format=%H"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


def write_measured(
    output: Path, number: int, commit: str | None, *, rate: float = 20.0, psnr: float = 30.0, method: str = "telea",
    machine: Mapping[str, object] = MACHINE, cases: Sequence[str] = CASES, started: str = "", **changes: object,
) -> Store:  # fmt: skip
    """Run ``number`` of a method: ``rate`` frames a second on every case, ``psnr`` dB on the first and more on others.

    ``changes`` are of the run's page.
    """
    info: RunInfo = run_info([method], cases, machine=machine).model_copy(
        update={"commit": commit, "started": started or f"2026-01-01T00:{number:02d}:00+00:00", **changes}
    )
    store = Store.create(output, info, f"run{number}")
    for place, case in enumerate(cases):
        values = {"psnr": {"hole": [psnr + place] * 6}}
        told = {"input_sha256": f"{place:064x}", "truth_sha256": f"{place:064x}"}
        store.keep(record(info, method, case, values, timing=timing(6 / rate, 6), **told))
    return store
