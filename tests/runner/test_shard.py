"""Shards: dealt by name, made apart in any order, and merged into the bytes of one machine."""

from __future__ import annotations

import gc
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening import Silent
from small_run import PSNR, WARPING
from tiny_clips import NAMES, order, tiny_protocol, without_timing, write_clips

from vibench.errors import InputError
from vibench.protocol import Protocol
from vibench.results.merge import merge
from vibench.results.record import TRUTH
from vibench.results.store import Store
from vibench.runner.run import carry_out, rescore
from vibench.runner.shard import Shard, shard_named

HERE = __name__
SHARDS = 4
METHODS = ("telea", "last_seen")


@pytest.fixture(scope="module", autouse=True)
def quick_collection() -> Iterator[None]:
    """Methods work in this process, which collects garbage before each is timed: not among all that pytest holds."""
    import torch

    assert torch.get_num_threads()
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    """Three clips, four repeats: twelve cases."""
    return tiny_protocol(write_clips(tmp_path_factory.mktemp("clips")), repeats=4)


def make(protocol: Protocol, output: Path, shard: Shard | None, *methods: str, **more: object) -> Store:
    asked = order(protocol, output, *(methods or METHODS), in_process=True, shard=shard, **more)
    return carry_out(asked, Silent())


@given(st.lists(st.text(max_size=20), unique=True, max_size=50), st.integers(1, 9))
def test_each_case_is_in_one_shard_and_others_do_not_move_it(cases: list[str], count: int) -> None:
    shards = [Shard(index, count) for index in range(count)]
    for case in cases:
        assert sum(shard.holds(case) for shard in shards) == 1


def test_cases_are_dealt_evenly() -> None:
    counts = Counter(
        index for k in range(4000) for index in range(SHARDS) if Shard(index, SHARDS).holds(f"clip{k}/square")
    )
    # Four standard deviations of a binomial draw of 4,000 at 1/4.
    assert all(abs(count - 1000) < 4 * np.sqrt(4000 * 0.25 * 0.75) for count in counts.values())


def slurm(task: int, count: int, first: int = 0, step: int = 1) -> dict[str, str]:
    values = {"ID": task, "COUNT": count, "MIN": first, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        ("0/4", {}, Shard(0, 4)),
        ("3/4", slurm(0, 9), Shard(3, 4)),
        ("auto", slurm(2, 4), Shard(2, 4)),
        ("auto", slurm(4, 4, first=1), Shard(3, 4)),
        ("auto", slurm(30, 5, first=10, step=10), Shard(2, 5)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "2"}, Shard(1, 2)),
    ],
)
def test_a_shard_is_named_or_read_from_the_job_array(text: str, environment: dict[str, str], shard: Shard) -> None:
    assert shard_named(text, environment) == shard


@pytest.mark.parametrize(
    ("text", "environment", "sentence"),
    [
        ("4/4", {}, "'4/4' is no shard"),
        ("1", {}, "'1' is no shard"),
        ("-1/4", {}, "'-1/4' is no shard"),
        ("0/0", {}, "'0/0' is no shard"),
        ("auto", {}, "are not set"),
        ("auto", slurm(7, 3, first=0), "SLURM_ARRAY_TASK_ID=7"),
        ("auto", slurm(15, 5, first=10, step=10), "SLURM_ARRAY_TASK_STEP=10"),
        ("auto", slurm(2, 1, first=2), "SLURM_ARRAY_TASK_COUNT=1"),
        ("auto", {**slurm(1, 2), "SLURM_ARRAY_TASK_ID": "one"}, "SLURM_ARRAY_TASK_ID=one"),
    ],
)
def test_what_names_no_shard_is_refused(text: str, environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        shard_named(text, environment)


def killed_shard(protocol: Protocol, output: Path, shard: Shard) -> None:
    """A forked child begins the shard and is killed with SIGKILL when its first record is there."""
    child = os.fork()
    if child == 0:
        make(protocol, output, shard)
        os._exit(0)
    while not list(output.glob("*/records/*/*.json")) and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize("shared", [False, True], ids=["folders-of-their-own", "one-folder"])
def test_shards_in_any_order_one_killed_and_resumed_merge_to_the_bytes_of_one_run(
    protocol: Protocol, tmp_path: Path, shared: bool
) -> None:
    whole = make(protocol, tmp_path / "whole", None)
    shards = [Shard(index, SHARDS) for index in range(SHARDS)]
    random.Random(29).shuffle(shards)
    killed_shard(protocol, tmp_path / ("shared" if shared else f"shard{shards[2].name}"), shards[2])
    folders = [
        make(protocol, tmp_path / ("shared" if shared else f"shard{shard.name}"), shard).folder for shard in shards
    ]
    merged = merge(folders, tmp_path / "merged")
    assert merged.missing == () and merged.doubles == () and merged.records == 12 * 3
    store = merged.run.store
    assert without_timing(store) == without_timing(whole)
    assert store.folder.name == whole.folder.name and store.info.digest == whole.info.digest
    assert "--shard" not in store.info.command
    for record in store.records():
        if record.method != TRUTH:
            np.testing.assert_array_equal(
                store.frames(record.method, record.case), whole.frames(record.method, record.case)
            )
    # The merged run is a run like any other: the command without a shard finds nothing to do.
    listener = Silent()
    carry_out(order(protocol, tmp_path / "merged", *METHODS, in_process=True), listener)
    assert listener.remaining == 0


def test_a_merge_names_what_is_missing_and_goes_on_when_it_is_there(protocol: Protocol, tmp_path: Path) -> None:
    one = make(protocol, tmp_path / "one", Shard(1, 2), "telea")
    half = merge([one.folder], tmp_path / "merged")
    zero = Shard(0, 2)
    lacking = {case for case in one.info.cases if zero.holds(case)}
    assert lacking and {case for method, case in half.missing if method == "telea"} == lacking
    assert any(f"telea on {min(lacking)}" in sentence for sentence in half.sentences())
    other = make(protocol, tmp_path / "other", zero, "telea")
    assert merge([other.folder], tmp_path / "merged").missing == ()


def test_equal_doubles_are_told_and_unequal_ones_are_an_error_that_shows_both(
    protocol: Protocol, tmp_path: Path
) -> None:
    one = make(protocol, tmp_path / "one", Shard(0, 2), "telea")
    two = make(protocol, tmp_path / "two", None, "telea")
    merged = merge([one.folder, two.folder], tmp_path / "merged")
    assert len(merged.doubles) == len(one.records()) and merged.missing == ()
    record = next(record for record in one.records() if record.method == "telea")
    values = record.metrics["psnr"]["frame"]
    other = {**record.metrics, "psnr": {**record.metrics["psnr"], "frame": (99.5, *values[1:])}}
    one.keep(record.model_copy(update={"metrics": other}))
    with pytest.raises(
        InputError, match=rf"{record.case}: metrics.psnr.frame\[0\] is 99.5 in '.*one.* and {values[0]}"
    ):
        merge([one.folder, two.folder], tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_shard_of_other_data_is_refused(protocol: Protocol, tmp_path: Path) -> None:
    """The data moves, so that both protocols name one place; the clips have equal names and sizes."""
    place = Path(protocol.data.dataset.partition(":")[2])
    one = make(protocol, tmp_path / "one", Shard(0, 2), "telea")
    try:
        place.rename(tmp_path / "kept")
        write_clips(place, seed=50)
        two = make(protocol, tmp_path / "two", Shard(1, 2), "telea")
        assert one.info.digest == two.info.digest
        with pytest.raises(InputError, match=r"not shards of one run: the files of clip 'ant' have \d+ bytes"):
            merge([one.folder, two.folder], tmp_path / "merged")
        with pytest.raises(InputError, match="reads other data than the run"):
            make(protocol, tmp_path / "one", Shard(1, 2), "telea")
    finally:
        shutil.rmtree(place)
        (tmp_path / "kept").rename(place)


def test_other_data_of_equal_size_is_refused_by_what_was_read(protocol: Protocol, tmp_path: Path) -> None:
    one = make(protocol, tmp_path / "one", Shard(0, 2), "telea")
    two = make(protocol, tmp_path / "two", Shard(1, 2), "telea")
    for record in two.records():
        two.keep(record.model_copy(update={"input_sha256": "0" * 64, "truth_sha256": "0" * 64}))
    with pytest.raises(InputError, match="made of different data: the input of (case|clip)"):
        merge([one.folder, two.folder], tmp_path / "merged")


def test_other_methods_metrics_and_protocols_are_refused(protocol: Protocol, tmp_path: Path) -> None:
    one = make(protocol, tmp_path / "one", Shard(0, 2), "telea")
    method = make(protocol, tmp_path / "method", Shard(1, 2), "telea[radius_px=5]")
    with pytest.raises(InputError, match="only one of them has the method telea"):
        merge([one.folder, method.folder], tmp_path / "merged")
    changed = protocol.model_copy(update={"seed": 4})
    other = make(changed, tmp_path / "protocol", Shard(1, 2), "telea")
    with pytest.raises(InputError, match="their protocols differ"):
        merge([one.folder, other.folder], tmp_path / "merged")
    metric = make(protocol, tmp_path / "metric", Shard(1, 2), "telea")
    for record in metric.records():
        metric.keep(record.model_copy(update={"measured_by": {**record.measured_by, "psnr": "f" * 64}}))
    with pytest.raises(InputError, match="values of psnr in .* were measured by different code"):
        merge([one.folder, metric.folder], tmp_path / "merged")


def test_a_damaged_record_counts_as_missing(protocol: Protocol, tmp_path: Path) -> None:
    store = make(protocol, tmp_path / "one", None, "telea")
    torn = next(store.folder.glob("records/telea/*.json"))
    torn.write_bytes(torn.read_bytes()[:80])
    merged = merge([store.folder], tmp_path / "merged")
    assert len(merged.missing) == 1 and "torn" in merged.problems[0]
    assert not (merged.run.folder / "records" / "telea" / torn.name).exists()


def test_a_merge_killed_at_random_moments_ends_the_same(protocol: Protocol, tmp_path: Path) -> None:
    folders = [make(protocol, tmp_path / str(index), Shard(index, 2), "telea").folder for index in range(2)]
    draw = random.Random(4)
    for _ in range(6):
        child = os.fork()
        if child == 0:
            merge(folders, tmp_path / "merged")
            os._exit(0)
        time.sleep(draw.uniform(0.0, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    merged = merge(folders, tmp_path / "merged")
    whole = make(protocol, tmp_path / "whole", None, "telea")
    assert merged.missing == () and without_timing(merged.run.store) == without_timing(whole)
    assert not list(merged.run.folder.rglob("*.partial*"))


def test_shards_are_scored_apart_and_merge_to_what_one_run_scores(protocol: Protocol, tmp_path: Path) -> None:
    whole = make(protocol, tmp_path / "whole", None, "telea", predict_only=True)
    rescore(whole.folder, (), None, "cpu", Silent())
    shared = make(protocol, tmp_path / "shared", None, "telea", predict_only=True)
    for index in (1, 0):
        listener = Silent()
        rescore(shared.folder, (), None, "cpu", listener, shard=Shard(index, 2))
        assert {Shard(index, 2).holds(record.case) for record in listener.records} == {True}
    assert without_timing(Store.open(shared.folder)) == without_timing(Store.open(whole.folder))


def test_shards_work_in_one_folder_at_once_and_the_whole_run_waits(tmp_path: Path, protocol: Protocol) -> None:
    store = make(protocol, tmp_path, Shard(0, 3), "telea")
    half = store.folder / "frames" / ".other.partial.mkv"
    half.touch()

    def waits(part: str) -> bool:
        """A second process asks for the lock; it says that it waits, or gets it and ends."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            with Store.open(store.folder).lock(lambda _: (os.write(writing, b"w"), os._exit(0)), part):  # type: ignore[func-returns-value,arg-type,return-value]
                os.write(writing, b"h")
            os._exit(0)
        said = os.read(reading, 1)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
        return said == b"w"

    with store.lock(pytest.fail, "0-of-3"):
        assert half.exists()  # another shard may be writing it
        assert not waits("1-of-3")
        assert waits("0-of-3")
        assert not waits("2-of-3")  # who waits for one part keeps nobody from another
        assert waits("")
    with store.lock(pytest.fail):
        assert not half.exists()
        assert waits("1-of-3")
    assert not waits("")


def test_metrics_of_all_shards_are_on_the_merged_page(protocol: Protocol, tmp_path: Path) -> None:
    stores = [make(protocol, tmp_path / str(index), Shard(index, 2), "telea") for index in range(2)]
    rescore(stores[1].folder, ("seam",), None, "cpu", Silent())
    page = merge([store.folder for store in stores], tmp_path / "merged").run.info
    assert {facts.name for facts in page.metrics} == {PSNR.name, WARPING.name, "seam"}


def test_each_clip_is_sized_once_and_only_for_shards(protocol: Protocol, tmp_path: Path) -> None:
    clips = Path(protocol.data.dataset.partition(":")[2])
    sizes = {name: sum(path.stat().st_size for path in (clips / name).iterdir()) for name in NAMES}
    assert make(protocol, tmp_path / "one", Shard(0, 4), "telea").info.clip_bytes == sizes
    assert make(protocol, tmp_path / "all", None, "telea").info.clip_bytes == {}
