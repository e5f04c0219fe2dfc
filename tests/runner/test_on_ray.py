"""Ray: two nodes on this machine, one of them killed at work, a driver killed at work, and the records of one run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from listening import Silent
from small_protocol import small_protocol
from tiny_clips import without_timing, write_clips
from waiting import until

import vibench as door
from vibench.errors import InputError, UserError

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'vibench[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CLIPS = tuple(f"clip{k:02d}" for k in range(int(os.environ.get("RAY_CASES", "12"))))
TIMES = int(os.environ.get("RAY_TIMES", "1"))
"""How often a node is killed; RAY_CASES=40 RAY_TIMES=5 is what the figures in docs/cluster.md are from."""

WEARY = """
import time

class Weary:
    def __call__(self, holed):
        time.sleep(0.3)
        return holed.frames

class Deadly:
    def __call__(self, holed):
        return holed.frames
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with clips, the protocol ``p.toml`` and the module ``weary``."""
    monkeypatch.chdir(tmp_path)
    write_clips(tmp_path / "clips", CLIPS)
    (tmp_path / "p.toml").write_text(small_protocol("tiny", tmp_path / "clips"))
    (tmp_path / "weary.py").write_text(WEARY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def cluster(place: Path) -> Iterator[Any]:
    """A cluster of a head and one more node, each with one CPU for tasks."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def run(place: Path, output: str, cluster: Any, listener: Any = None, methods: str = "weary:Weary", **more: Any) -> Any:
    on = f"ray[address={cluster.address}]" if cluster else ""
    return door.run("p.toml", methods, output=place / output, on=on, listener=listener or Silent(), **more)


class Killer(Silent):
    """Ends a node when so many records are there."""

    def __init__(self, cluster: Any, after: int) -> None:
        super().__init__()
        self.cluster, self.after = cluster, after

    def finished(self, record: Any) -> None:
        super().finished(record)
        if len(self.records) == self.after:
            self.cluster.remove_node(self.cluster.list_all_nodes()[-1], allow_graceful=False)
            self.cluster.add_node(num_cpus=1)


def test_a_node_killed_at_work_loses_nothing(place: Path, cluster: Any) -> None:
    whole = run(place, "whole", None)
    for draw in range(TIMES):
        listener = Killer(cluster, random.Random(draw).randrange(1, len(CLIPS) - 2))
        began = time.monotonic()
        made = run(place, f"out{draw}", cluster, listener)
        print(f"killed after {listener.after} of {len(CLIPS)}: {time.monotonic() - began:.0f} s")
        assert without_timing(made.store) == without_timing(whole.store)
        keys = [(record.method, record.case) for record in listener.records]
        assert len(keys) == len(set(keys)) == len(whole.results.records)
        assert {record.timing.jobs for record in made.results.records if record.timing} == {1}


def test_the_same_command_continues_after_the_driver_is_killed(place: Path, cluster: Any) -> None:
    command = [
        sys.executable, "-m", "vibench", "run", "-p", "p.toml", "-m", "weary:Weary", "-o", "out",
        "--on", f"ray[address={cluster.address}]",
    ]  # fmt: skip
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until(lambda: len(list(place.glob("out/*/records/*/*.json"))) >= 3)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    made = len(list(place.glob("out/*/records/*/*.json")))
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    left = int(again.stderr.split(" of ")[0].split()[-1])
    assert left == len(CLIPS) - made
    assert without_timing(door.open_run(place / "out").store) == without_timing(run(place, "whole", None).store)


def test_ctrl_c_keeps_what_is_done_and_cancels_the_rest(place: Path, cluster: Any) -> None:
    class Interrupting(Silent):
        def finished(self, record: Any) -> None:
            super().finished(record)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(place, "out", cluster, Interrupting())
    assert len(door.open_run(place / "out").results.records) == 1
    listener = Silent()
    run(place, "out", cluster, listener)
    assert listener.remaining == len(CLIPS) - 1


def test_several_methods_with_shares_and_kept_frames_are_scored(place: Path, cluster: Any) -> None:
    on = f'ray[address={cluster.address},cpus="0.5,telea=1"]'
    asked = {"output": place / "out", "limit": 2, "on": on}
    door.run("p.toml", "telea,weary:Weary", predict_only=True, **asked)
    made = door.run("p.toml", "telea,weary:Weary", **asked)
    assert {record.status for record in made.results.records} == {"scored"} and len(made.results.records) == 4
    assert {record.timing.jobs for record in made.results.records if record.timing} == {2}


def test_what_the_cluster_lacks_is_said_at_once(place: Path, cluster: Any) -> None:
    with pytest.raises(InputError, match="asks for 1 CPUs and 2 GPUs, which none of the 2 nodes"):
        door.run("p.toml", "telea", output=place / "out", on=f"ray[address={cluster.address},gpus=2]")
    with pytest.raises(InputError, match='gpus="vinet=1"'):
        door.run("p.toml", "telea", output=place / "out", on=f'ray[address={cluster.address},gpus="vinet=1"]')


def test_a_metric_that_kills_its_worker_is_told_and_the_rest_is_kept(place: Path, cluster: Any) -> None:
    (place / "deadly.py").write_text(
        "import os, signal\nfrom vibench.metrics.psnr import PSNR\n\nclass Deadly(PSNR):\n"
        "    def measure(self, frames, case):\n        if case.name.startswith('clip01'):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().measure(frames, case)\n"
    )
    on = f"ray[address={cluster.address},attempts=2]"
    with pytest.raises(UserError, match=r"1 records could not be made, .* such as weary:Weary on clip01/square"):
        door.run("p.toml", "weary:Weary", metrics="deadly:Deadly", output=place / "out", limit=4, on=on)
    assert len(door.open_run(place / "out").results.records) == 3
