"""What opening, tabling and reporting a run of many records takes, and the index that it needs.

``RECORDS=1000,10000,100000`` are the sizes that docs/scale.md states; writing the files of the last takes minutes.
``RECORDS_STORE=FOLDER`` keeps the runs for the next time. Each step is one line of JSON from a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from many_records import write_many

SIZES = [int(size) for size in os.environ.get("RECORDS", "1000").split(",")]

STEPS = """
import json, resource, sys, time
import vibench, vibench.report.page.folder, vibench.results.table, pandas, scipy.stats

def told(step, work):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    began, before = time.perf_counter(), usage.ru_utime + usage.ru_stime
    made = work()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime - before
    seconds = {"seconds": round(time.perf_counter() - began, 2), "processor_seconds": round(used, 2)}
    print(json.dumps({"step": step, **seconds, "peak_megabytes": round(usage.ru_maxrss / 1024)}))
    return made

def opened():
    run = vibench.open_run(sys.argv[1])
    assert len(run.results.records) == int(sys.argv[2])
    return run

run = told(sys.argv[3], opened)
if sys.argv[3] == "open, indexed":
    told("table", run.table)
    told("report", lambda: vibench.write_report([run.folder], sys.argv[4]))
"""


@pytest.mark.parametrize("count", SIZES)
def test_many_records(
    benchmark: Any, count: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = os.environ.get("RECORDS_STORE")
    place = (Path(kept) if kept else tmp_path_factory.mktemp("runs")) / str(count)
    if not (place / "whole").exists():
        write_many(place, count)
        (place / "whole").touch()
    (folder,) = (path.parent for path in place.glob("*/run.json"))
    monkeypatch.setenv("VIBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    report = tmp_path_factory.mktemp("report")

    def steps(first: str) -> list[dict[str, Any]]:
        words = [sys.executable, "-c", STEPS, str(folder), str(count), first, str(report)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    benchmark.extra_info["records"] = count
    benchmark.extra_info["steps"] = steps("open, no index")
    benchmark.extra_info["steps"] += benchmark.pedantic(steps, args=("open, indexed",), rounds=1)
    benchmark.extra_info["index_bytes"] = sum(
        path.stat().st_size for path in Path(os.environ["VIBENCH_CACHE"]).rglob("*.npz")
    )
    print(json.dumps(benchmark.extra_info, indent=1))
