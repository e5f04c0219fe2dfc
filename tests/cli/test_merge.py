"""The command ``vibench merge``, and ``--shard`` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from command_line import Outcome
from small_run import write_run


def test_a_merge_prints_the_run_and_exits_by_whether_it_is_whole(
    vibench: Callable[..., Outcome], tmp_path: Path
) -> None:
    store = write_run(tmp_path / "shard", ["a", "b"], ["x/square", "y/square"], frames=2)
    status, out, err = vibench("merge", "shard", "-o", "whole")
    assert (status, err) == (0, "") and "(6 records)" in out
    gone = store.folder / "records" / "a" / "y_square-"
    (lost,) = gone.parent.glob("y*.json")
    lost.unlink()
    status, out, err = vibench("merge", "shard", "-o", "part")
    assert status == 4 and "1 record is missing: a on y/square" in err and "(5 records)" in out
    # What the target holds already counts: the whole run lacks nothing.
    assert vibench("merge", "shard", "-o", "whole")[0] == 0


def test_what_cannot_be_merged_is_one_sentence(vibench: Callable[..., Outcome], tmp_path: Path) -> None:
    write_run(tmp_path / "one", ["a"], ["x/square"], frames=2)
    write_run(tmp_path / "two", ["a"], ["x/square"], frames=2, digest="d2" * 32, protocol_digest="p2" * 32)
    status, _, err = vibench("merge", "one", "two", "-o", "whole")
    assert status == 2 and "not shards of one run: their protocols differ" in err
    assert not (tmp_path / "whole").exists()


def test_a_shard_makes_its_part_and_says_how_to_write_one(vibench: Callable[..., Outcome], tmp_path: Path) -> None:
    assert "'2/2' is no shard" in vibench("run", "-m", "telea", "--shard", "2/2")[2]
    made = []
    for shard in ("0/2", "1/2"):
        status, _, err = vibench("run", "-m", "telea", "--metrics", "psnr", "--no-keep-frames", "--shard", shard)
        assert status == 0, err
        made.append(int(err.split(" of ")[0].split()[-1]))
    page = json.loads(next(tmp_path.glob("results/*/run.json")).read_text())
    assert sum(made) == len(page["cases"]) and set(page["clip_bytes"]) == {name.split("/")[0] for name in page["cases"]}
