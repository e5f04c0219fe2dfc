"""Runs whose data and results lie on a server: equal to local ones, also after a kill in the midst of a put."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Outcome
from far_servers import BUCKET, S3, files_at, forget, http_server, names_at, s3_server, upload
from listening import Silent
from small_protocol import small_protocol
from tiny_clips import NAMES, order, tiny_protocol, without_timing, write_clips

import vibench
from vibench.protocol import Protocol
from vibench.results.store import Store
from vibench.runner.run import carry_out
from vibench.runner.shard import Shard

Call = Callable[..., Outcome]
METHODS = ("telea", "last_seen")
DATA, RUNS = f"s3://{BUCKET}/data", f"s3://{BUCKET}/runs"


@pytest.fixture
def protocol() -> Protocol:
    """Three clips in the folder ``clips`` of whatever is the data."""
    return tiny_protocol(Path("clips"))


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    return write_clips(tmp_path / "data" / "clips").parent


@pytest.fixture
def s3(clips: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3]:
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path / "cache"))
    with s3_server(monkeypatch) as server:
        upload(clips, DATA)
        yield server


@pytest.fixture
def command_line(vibench: Call) -> Call:
    return vibench


def make(protocol: Protocol, output: str | Path, data: str | Path, **more: object) -> Store:
    return carry_out(order(protocol, Path(output), *METHODS, data=Path(data), in_process=True, **more), Silent())


def records_at(url: str) -> dict[str, bytes]:
    return {name: content for name, content in names_at(url).items() if "/records/" in name}


def as_elsewhere(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """What follows happens on a machine that has nothing of the server yet."""
    monkeypatch.setenv("VIBENCH_CACHE", str(cache))
    forget()


def test_data_and_results_on_a_server_give_what_local_ones_give(
    s3: S3, protocol: Protocol, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make(protocol, tmp_path / "here", clips)
    far = make(protocol, RUNS, DATA)
    assert without_timing(far) == without_timing(here)
    assert far.info.data == DATA
    as_elsewhere(monkeypatch, tmp_path / "other")
    read = vibench.open_run(RUNS)
    assert read.place == f"{RUNS}/{here.folder.name}"
    assert without_timing(read.store) == without_timing(here)
    for method in METHODS:
        for case in here.info.cases:
            assert (read.frames(method, case) == here.frames(method, case)).all()
    # Every file of the one is a file of the other.
    names = {str(path.relative_to(here.folder.parent)) for path in here.folder.rglob("*") if path.is_file()}
    assert set(names_at(RUNS)) == {name for name in names if not name.rpartition("/")[2].startswith(".")}


def small_run(folder: Path, output: str | Path, data: str | Path) -> vibench.Run:
    """The run of ``run_command`` in this process."""
    protocol = folder / "tiny.toml"
    protocol.write_text(small_protocol("tiny"))
    return vibench.run(protocol, METHODS, output=output, data=data, device="cpu", in_process=True)


def run_command(folder: Path, output: str, data: str) -> list[str]:
    (folder / "tiny.toml").write_text(small_protocol("tiny"))
    asked = ("--methods", ",".join(METHODS), "--output", output, "--data", data, "--device", "cpu", "--in-process")
    return [sys.executable, "-m", "vibench", "run", "--protocol", str(folder / "tiny.toml"), *asked]


def killed_while(s3: S3, folder: Path, part: str) -> None:
    """The command ends by SIGKILL while it puts the second file with ``part`` in its name, which does not arrive."""
    with s3.hold("PUT", part, after=1) as held:
        process = subprocess.Popen(run_command(folder, RUNS, DATA), stdout=subprocess.DEVNULL)
        try:
            assert held.reached.wait(120)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("part", ["/records/telea/", "/frames/last_seen/"])
def test_a_run_that_is_killed_in_the_midst_of_a_put_and_continued_elsewhere_is_a_whole_one(
    s3: S3, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    killed_while(s3, tmp_path, part)
    left = names_at(RUNS)
    # What a record promises is there with it.
    for name in (name for name in left if "/records/" in name):
        assert name.replace("/records/", "/frames/").removesuffix(".json") + ".mkv" in left
    assert 0 < len([name for name in left if "/records/" in name]) < len(NAMES) * len(METHODS)
    as_elsewhere(monkeypatch, tmp_path / "other")
    far = small_run(tmp_path, RUNS, DATA)
    here = small_run(tmp_path, tmp_path / "here", clips)
    assert without_timing(far.store) == without_timing(here.store)
    assert {name.partition("/")[2] for name in names_at(RUNS) if "/records/" in name} == {*without_timing(here.store)}


def test_what_was_made_before_a_kill_is_put_and_not_made_again(s3: S3, tmp_path: Path) -> None:
    killed_while(s3, tmp_path, "/records/telea/")
    before = records_here(tmp_path)
    assert len({*before} - {name.partition("/")[2] for name in names_at(RUNS)}) == 1
    small_run(tmp_path, RUNS, DATA)
    there = {name.partition("/")[2]: content for name, content in names_at(RUNS).items()}
    # Times are in a record: one that was made again would have others.
    assert {name: there[name] for name in before} == before


def records_here(folder: Path) -> dict[str, bytes]:
    """Name within the run -> content of the records in the cache."""
    found = (folder / "cache" / "remote").glob("*/*/records/*/*.json")
    return {str(path.relative_to(path.parents[2])): path.read_bytes() for path in found}


def test_a_record_that_was_removed_on_the_server_is_made_again(s3: S3, protocol: Protocol) -> None:
    store = make(protocol, RUNS, DATA)
    name = next(name for name in names_at(RUNS) if "/records/telea/" in name)
    before = names_at(RUNS)[name]
    files_at(RUNS).rm_file(f"{RUNS}/{name}")
    make(protocol, RUNS, DATA)
    assert names_at(RUNS)[name] != before
    assert len(store.records()) == len(NAMES) * len(METHODS) + len(NAMES)


def test_a_finished_run_on_a_server_is_continued_without_a_put(s3: S3, protocol: Protocol) -> None:
    make(protocol, RUNS, DATA)
    before = len(s3.asked)
    make(protocol, RUNS, DATA)
    assert {method for method, _ in s3.asked[before:]} <= {"GET", "HEAD"}
    assert not [path for method, path in s3.asked[before:] if path.endswith((".mkv", ".json", ".png"))]


def test_workers_side_by_side_keep_what_they_make_on_the_server(
    s3: S3, protocol: Protocol, tmp_path: Path, clips: Path
) -> None:
    far = carry_out(order(protocol, Path(RUNS), *METHODS, data=Path(DATA), jobs=2), Silent())
    assert {name for name in names_at(RUNS) if "/records/" in name} == {
        f"{far.folder.name}/{name}" for name in without_timing(far)
    }


def test_shards_of_several_machines_meet_on_the_server(
    s3: S3, protocol: Protocol, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make(protocol, tmp_path / "here", clips)
    for index in range(2):
        as_elsewhere(monkeypatch, tmp_path / f"machine{index}")
        make(protocol, RUNS, DATA, shard=Shard(index, 2))
        make(protocol, f"{RUNS}{index}", DATA, shard=Shard(index, 2))
    as_elsewhere(monkeypatch, tmp_path / "reader")
    assert without_timing(vibench.open_run(RUNS).store) == without_timing(here)
    merged = vibench.merge([f"{RUNS}0", f"{RUNS}1"], f"s3://{BUCKET}/merged")
    assert not merged.missing
    as_elsewhere(monkeypatch, tmp_path / "second reader")
    whole = vibench.open_run(f"s3://{BUCKET}/merged")
    assert without_timing(whole.store) == without_timing(here)
    assert (whole.frames("telea", "ant/square") == vibench.open_run(here.folder).frames("telea", "ant/square")).all()


def test_only_the_clips_that_are_read_are_fetched(s3: S3, protocol: Protocol) -> None:
    make(protocol, RUNS, DATA, cases=("bee",))
    fetched = {path.split("/")[-2] for method, path in s3.asked if method == "GET" and path.endswith(".png")}
    assert fetched == {"bee"}


def test_every_command_takes_a_run_on_a_server(
    s3: S3, protocol: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Call
) -> None:
    run = make(protocol, RUNS, DATA)
    url = f"{RUNS}/{run.folder.name}"
    as_elsewhere(monkeypatch, tmp_path / "other")
    assert command_line("list", "runs", "--output", RUNS)[1].startswith(url)
    assert "telea" in command_line("table", RUNS, "--format", "markdown")[1]
    status, _, said = command_line("report", url, "--output", "report", "--jobs", "1")
    assert (status, said) == (0, "")
    assert len([*(tmp_path / "report" / "cases").glob("*.html")]) == len(NAMES)
    assert "psnr/hole" in command_line("compare", f"{url}::telea", f"{url}::last_seen")[1]
    status, out, _ = command_line("score", url, "--metrics", "ssim-sttn")
    assert (status, out.splitlines()[-1]) == (0, f"run: {url}")
    assert command_line("pack", url, "--output", "run.tar.zst")[0] == 0
    assert "telea" in command_line("table", "run.tar.zst", "--format", "markdown")[1]
    files_at(RUNS).put_file("run.tar.zst", f"{BUCKET}/packs/run.tar.zst")
    assert "telea" in command_line("table", f"s3://{BUCKET}/packs/run.tar.zst", "--format", "markdown")[1]
    status, out, _ = command_line("merge", url, "--output", f"s3://{BUCKET}/merged")
    assert (status, out) == (0, f"run: s3://{BUCKET}/merged/{run.folder.name} (9 records)\n")
    as_elsewhere(monkeypatch, tmp_path / "third")
    assert "ssim-sttn" in vibench.open_run(f"s3://{BUCKET}/merged").results.values["metric"].unique()
    assert not [*tmp_path.glob("s3:*")]


def test_over_http_data_and_runs_are_read(
    protocol: Protocol, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Call
) -> None:
    here = make(protocol, tmp_path / "runs", clips)
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path / "cache"))
    with http_server(tmp_path) as address:
        far = make(protocol, tmp_path / "second", f"{address}/data")
        assert without_timing(far) == without_timing(here)
        assert without_timing(vibench.open_run(f"{address}/runs").store) == without_timing(here)
        read = vibench.open_run(f"{address}/runs/{here.folder.name}")
        assert (read.frames("telea", "bee/square") == vibench.open_run(here.folder).frames("telea", "bee/square")).all()
        status, _, said = command_line("report", f"{address}/runs", "--output", "report", "--jobs", "1")
        assert (status, said) == (0, "")
        for words in (
            ("run", "--methods", "telea", "--output", f"{address}/runs"),
            ("merge", str(here.folder), "--output", f"{address}/merged"),
        ):
            status, _, said = command_line(*words)
            assert status == 2
            assert said.startswith(f"Error: {address}/") and "can only be read" in said


def test_a_url_of_the_disk_is_a_path(protocol: Protocol, clips: Path, tmp_path: Path) -> None:
    here = make(protocol, tmp_path / "here", clips)
    far = make(protocol, f"file://{tmp_path}/there", f"file://{clips}")
    assert far.folder == tmp_path / "there" / here.folder.name
    assert without_timing(far) == without_timing(here) == without_timing(Store.open(Path(f"file://{far.folder}")))


@pytest.mark.parametrize("kind", ["memory://", "local://"])
def test_other_file_systems_hold_data_and_runs(
    kind: str, protocol: Protocol, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a disk are not put whole, and so are put beside their names and renamed."""
    here = make(protocol, tmp_path / "here", clips)
    as_elsewhere(monkeypatch, tmp_path / "cache")
    place = f"{kind}{tmp_path}/far"
    upload(clips, f"{place}/data")
    far = make(protocol, f"{place}/runs", f"{place}/data")
    as_elsewhere(monkeypatch, tmp_path / "other")
    assert without_timing(vibench.open_run(f"{place}/runs").store) == without_timing(here) == without_timing(far)
    assert not [name for name in names_at(f"{place}/runs") if name.rpartition("/")[2].startswith(".")]


def test_slurm_asks_for_a_shared_disk(s3: S3, command_line: Call) -> None:
    status, _, said = command_line("run", "--methods", "telea", "--output", RUNS, "--on", "slurm[shards=2,where=debug]")
    assert status == 2
    assert RUNS in said and "--shard auto" in said
