"""Slurm through submitit: shards as jobs, begun again where they were preempted, merged to the bytes of one run.

There is no Slurm here. Its place is taken by submitit's own local executor, which starts a process a
job, answers the same signals, and begins a job again that was preempted.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from command_line import Outcome
from listening import Silent
from small_protocol import small_protocol
from tiny_clips import NAMES, without_timing, write_clips
from waiting import until
from written_module import written_module

import vibench as door
from vibench.errors import InputError, MissingResource, UserError
from vibench.results.store import Store
from vibench.runner.engine import Ray, Slurm, engine_named
from vibench.runner.on_slurm import ShardJob, _executor
from vibench.runner.shard import Shard

submitit = pytest.importorskip("submitit", reason="needs submitit: pip install 'vibench[slurm]'")
# What submitit starts and opens it leaves to be collected.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


GATED = """
import pathlib, time

HERE = pathlib.Path(__file__).parent

class Gated:
    def __call__(self, holed):
        (HERE / "begun").touch()
        while not (HERE / "go").exists():
            time.sleep(0.05)
        return holed.frames
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with three clips and a protocol over them, ``p.toml``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    write_clips(tmp_path / "clips")
    (tmp_path / "p.toml").write_text(small_protocol("tiny", tmp_path / "clips"))
    return tmp_path


def test_an_engine_is_read_with_its_options() -> None:
    assert engine_named("slurm[shards=4,gpus=1,where=local]") == Slurm(4, gpus=1, where="local")
    assert engine_named('ray[gpus="vinet=1,telea=0"]') == Ray(gpus="vinet=1,telea=0")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sge", "'sge' names no engine"),
        ("slurm", "needs the option shards"),
        ("slurm[shards=many]", "must be a whole number"),
        ("slurm[shards=2,where=moon]", "must be one of slurm, local, debug"),
        ("ray[nodes=3]", "ray has no option 'nodes'"),
    ],
)
def test_what_names_no_engine_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        engine_named(text)


def test_jobs_of_shards_merge_to_the_bytes_of_one_run(place: Path) -> None:
    whole = door.run("p.toml", "telea", output=place / "whole")
    listener = Silent()
    run = door.run("p.toml", "telea", output=place / "out", on="slurm[shards=3,where=local]", listener=listener)
    assert without_timing(run.store) == without_timing(whole.store)
    assert run.folder == place / "out" / whole.folder.name
    shards = [Shard(index, 3) for index in range(3)]
    for shard in shards:
        log = (place / "out" / "shards" / shard.name / "log.txt").read_text()
        own = [case for case in whole.cases if shard.holds(case)]
        assert [case in log for case in whole.cases] == [case in own for case in whole.cases]
    assert listener.said[-1].startswith("shards: 3 finished; 3 records")
    # The same command continues: there is nothing left to do, and no shard makes a record again.
    before = {path: path.stat().st_mtime_ns for path in (place / "out" / "shards").glob("*/*/records/*/*.json")}
    again = door.run("p.toml", "telea", output=place / "out", on="slurm[shards=3,where=local]")
    assert {path: path.stat().st_mtime_ns for path in before} == before and again.results.records == run.results.records


def test_a_preempted_job_is_begun_again_and_no_method_is_blamed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = written_module("gated", GATED, place, monkeypatch)
    arguments = {"protocol": "p.toml", "methods": f"{name}:Gated"}
    job = ShardJob(door.run, arguments, Shard(0, 1), place / "shard")
    sent = _executor(Slurm(1, where="local"), place / "logs").submit(job)
    until((place / "begun").exists)
    (task,) = psutil.Process(int(sent.job_id)).children()
    (place / "begun").unlink()
    task.send_signal(signal.SIGUSR2)
    until((place / "begun").exists)  # for the second time, though the first has not ended by itself
    assert not list(place.glob("shard/*/records/*/*"))
    (place / "go").touch()
    folder, fault = sent.results()[0]
    assert fault == ""
    records = Store.open(Path(folder)).records()
    assert len(records) == len(NAMES) and {record.status for record in records} == {"scored"}
    log = (place / "shard" / "log.txt").read_text()
    assert log.count("records to make") == 2


def test_a_shard_that_fails_says_why_and_where(place: Path) -> None:
    (place / "out" / "shards" / "1-of-2").mkdir(parents=True)
    good = door.run("p.toml", "telea", output=place / "out" / "shards" / "1-of-2", shard="1/2")
    page = good.folder / "run.json"
    page.write_text(page.read_text().replace('"schema": 1', '"later": 1, "schema": 99'))
    with pytest.raises(UserError, match=r"1 of 2 shards ended without a result, such as 1/2: .*schema 99") as told:
        door.run("p.toml", "telea", output=place / "out", on="slurm[shards=2,where=local]")
    assert "the same command continues" in str(told.value)
    assert len(list((place / "out").glob("tiny*/records/telea/*.json"))) == sum(map(Shard(0, 2).holds, good.cases))


def test_what_cannot_be_is_one_sentence(
    place: Path, vibench: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    asked = ["run", "-p", "p.toml", "-m", "telea"]
    assert "there is no Slurm on this machine" in vibench(*asked, "--on", "slurm[shards=2]")[2]
    assert "drop --shard" in vibench(*asked, "--on", "slurm[shards=2,where=local]", "--shard", "0/2")[2]
    assert "ask for 1 shard or more" in vibench(*asked, "--on", "slurm[shards=0]")[2]
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingResource, match=r"pip install 'vibench\[slurm\]'"):
        door.run("p.toml", "telea", on="slurm[shards=2]")
