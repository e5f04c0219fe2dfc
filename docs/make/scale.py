"""Makes the tables of docs/scale.md from docs/make/scale.json, where measured and simulated figures are kept.

``python docs/make/scale.py`` writes the tables, with ``--check`` it compares them. These fill the file, a part each:

    python docs/make/scale.py --records FILE.json     what the benchmark of many records wrote (``--benchmark-json``)
    python docs/make/scale.py --measure               what keeping a record costs, and the run that the model is held to
    python docs/make/scale.py --simulate              a million cases on 256 GPUs, from what was measured; two minutes
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pages import CHECKOUT, DOCS, keep, run, with_block, wrapped
from scale_model import HOUR, OWN, Cluster, Outcome, Stage, simulate

from vibench.runner.shard import Shard

sys.path.insert(0, str(CHECKOUT / "tests" / "support"))  # clips and protocols that tests are made of

PAGE, FIGURES = DOCS / "scale.md", Path(__file__).with_name("scale.json")

# What is simulated. These are assumptions; what is not here was measured and stands in scale.json.
CASES, GPUS = 1_000_000, 256
MEAN_SECONDS, SPREAD = 20.0, 0.6
STRAGGLERS, TIMES_LONGER = 0.01, 10.0
PREEMPTIONS_AN_HOUR, REQUEUE_SECONDS, START_SECONDS = 0.05, 300.0, 60.0
SLOW_BYTES_A_SECOND, SLOW_FILES_A_SECOND = 500e6, 300.0
READ_BYTES = 5e6
"""Of a clip: some 70 JPEG frames of 854x480."""

# The run that the model is held to: methods that sleep, as if a GPU worked.
CHECKED_CASES, WORKERS, NODES = 40, 4, 2
SLEEPER = """
import hashlib, time

class Sleeper:
    def __call__(self, holed):
        share = int(hashlib.sha256(holed.frames.tobytes()).hexdigest()[:8], 16) / 2**32
        time.sleep(12.0 if share > 0.95 else 1.0 + 4.0 * share)
        return holed.frames
"""


def figures() -> dict[str, Any]:
    """What is known: the parts that the commands have filled."""
    return dict(json.loads(FIGURES.read_text())) if FIGURES.exists() else {}


def fill(part: str, found: Any) -> None:
    """Write a part of the figures."""
    known = {**figures(), part: found}
    FIGURES.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    print(json.dumps(found, indent=1))


# ---- measured ----


def records(file: Path) -> list[dict[str, Any]]:
    """The steps of the benchmark of many records, by size, with those of earlier files."""
    found = {entry["records"]: entry for entry in figures().get("records", [])}
    for benchmark in json.loads(file.read_text())["benchmarks"]:
        entry = dict(benchmark["extra_info"])
        entry["load"] = round(os.getloadavg()[2], 1)
        found[entry["records"]] = entry
    return [found[size] for size in sorted(found)]


def measure() -> dict[str, Any]:
    """What keeping a record costs here, and a run in shards and on Ray beside what the model says of it."""
    import psutil

    return {
        "machine": {"cores": psutil.cpu_count(), "load": round(os.getloadavg()[2], 1)},
        "keeping": keeping(),
        "shards": checked("shards"),
        "ray": checked("ray"),
    }


def keeping(frames: int = 70, height: int = 240, width: int = 432) -> dict[str, float]:
    """Processor seconds and bytes of keeping what came of one case: the case itself, and a method on it."""
    from small_run import PSNR, real_clip, record, run_info, timing

    from vibench.clip import Case, digest
    from vibench.results.store import Store

    truth = real_clip(frames, height, width, 1)
    holes = np.zeros(truth.shape[:3], bool)
    holes[:, height // 4 : height // 2, width // 4 : width // 2] = True
    output = truth.copy()
    output[holes] //= 2
    cases = [f"clip{k}/square" for k in range(3)]
    info = run_info(["one"], cases, metrics=(PSNR,))
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder), info)
        scores = {"psnr": {"frame": [30.0] * frames, "hole": [20.0] * frames}}
        before = time.process_time()
        for name in cases:
            case = Case(name=name, frames=truth, holes=holes, truth=truth)
            made = record(info, "one", name, scores, timing=timing(2.0, frames), output_sha256=digest(output))
            store.keep(made, output, case=case)
        seconds = (time.process_time() - before) / len(cases)
        before = time.process_time()
        for name in cases:
            store.keep(made.model_copy(update={"case": name}))
        alone = (time.process_time() - before) / len(cases)
        files = [path for path in store.folder.rglob("*") if path.is_file() and path.name != "run.json"]
        record_bytes = sum(path.stat().st_size for path in files if path.suffix == ".json") / len(cases)
        return {
            "frames": frames, "processor_seconds": round(seconds, 3), "record_seconds": round(alone, 4),
            "files": len(files) / len(cases), "bytes": round(sum(path.stat().st_size for path in files) / len(cases)),
            "record_bytes": round(record_bytes),
        }  # fmt: skip


def checked(how: str) -> dict[str, Any]:
    """A run of sleeping methods with four workers, and what the model says of it.

    How long a method took on each case is what its record says. What starting and a case cost besides is taken from the
    first records alone, by when they were written; the model then says when the last one is.
    """
    from small_protocol import small_protocol
    from tiny_clips import write_clips

    import vibench

    names = [f"clip{k:02d}" for k in range(CHECKED_CASES)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_clips(place / "clips", tuple(names))
        (place / "p.toml").write_text(small_protocol("tiny", place / "clips"))
        (place / "sleeper.py").write_text(SLEEPER)
        began = time.time()
        carry_out(how, place)
        (page,) = (place / "out").glob("*/run.json")
        records = vibench.open_run(page.parent).results.records
        own = {one.case: one.timing.seconds + one.timing.warm_up_seconds for one in records if one.timing}
        ends = sorted(
            (path.stat().st_mtime - began, json.loads(path.read_text())["case"])
            for path in page.parent.glob("records/*/*.json")
        )
    seen = ends[: CHECKED_CASES * 2 // 5]
    between = WORKERS * (seen[-1][0] - seen[WORKERS - 1][0]) - sum(own[case] for _, case in seen[WORKERS:])
    each = max(0.0, between / (len(seen) - WORKERS))
    start = float(np.mean([end - own[case] - each for end, case in seen[:WORKERS]]))
    cases = [f"{name}/square" for name in names]
    said = simulate(
        Cluster(WORKERS, start=(Stage(OWN, start),)), [own[case] for case in cases], (Stage(OWN, each),),
        dealt(cases) if how == "shards" else None,
    )  # fmt: skip
    return {
        "cases": len(own), "method_seconds": round(sum(own.values()), 1), "start_seconds": round(start, 1),
        "case_seconds": round(each, 2), "seen": len(seen), "measured_seconds": round(ends[-1][0], 1),
        "simulated_seconds": round(said.makespan, 1), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def carry_out(how: str, place: Path) -> None:
    """Make the run in ``place`` by four commands with a shard each, or by one with Ray's two nodes of two slots."""
    words = [
        sys.executable,
        "-m",
        "vibench",
        "run",
        "--protocol",
        str(place / "p.toml"),
        "--methods",
        "sleeper:Sleeper",
    ]
    words += ["--no-keep-frames", "--device", "cpu", "--output", str(place / "out")]
    told = {"PYTHONPATH": str(place), "VIBENCH_CACHE": str(place / "cache")}
    if how == "shards":
        commands = [[*words, "--shard", f"{k}/{WORKERS}"] for k in range(WORKERS)]
        running = [subprocess.Popen(command, env={**os.environ, **told}) for command in commands]
        if sum(process.wait() for process in running):
            sys.exit("a shard failed")
        return
    from ray.cluster_utils import Cluster as Nodes

    os.environ |= told
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": WORKERS // NODES})
    for _ in range(NODES - 1):
        nodes.add_node(num_cpus=WORKERS // NODES)
    nodes.wait_for_nodes()
    try:
        subprocess.run([*words, "--on", f"ray[address={nodes.address}]"], check=True)
    finally:
        nodes.shutdown()


def dealt(cases: Sequence[str]) -> Callable[[int], int]:
    """The shard of each case, by its number, as ``--shard`` deals them."""
    shards = [Shard(index, WORKERS) for index in range(WORKERS)]
    return lambda case: next(shard.index for shard in shards if shard.holds(cases[case]))


# ---- simulated ----


class Scenario(NamedTuple):
    """A row: what it is called, whether cases are dealt as shards, and what is shared."""

    name: str
    shards: bool = True
    slow_disk: bool = False
    frames: bool = True
    preempted: bool = True
    stragglers: bool = True


SCENARIOS = (
    Scenario("shards; equal cases, no preemption, a fast disk", preempted=False, stragglers=False),
    Scenario("shards; stragglers", preempted=False),
    Scenario("shards; stragglers, preemption"),
    Scenario("shards; stragglers, preemption, slow disk", slow_disk=True),
    Scenario("shards; the same with `--no-keep-frames`", slow_disk=True, frames=False),
    Scenario("Ray; stragglers, preemption, a fast disk", shards=False),
    Scenario("Ray; the same with `--no-keep-frames`", shards=False, frames=False),
)


def simulated() -> list[dict[str, Any]]:
    """The scenarios, each with its outcome."""
    known = figures()
    return [told(scenario, outcome_of(scenario, known["measured"]["keeping"])) for scenario in SCENARIOS]


def outcome_of(scenario: Scenario, kept: dict[str, float], cases: int = CASES, workers: int = GPUS) -> Outcome:
    """Simulate one scenario, with what keeping a record costs."""
    chance = np.random.default_rng(1)
    seconds = np.full(cases, MEAN_SECONDS)
    if scenario.stragglers:
        seconds = chance.lognormal(-(SPREAD**2) / 2, SPREAD, cases)
        seconds[chance.random(cases) < STRAGGLERS] *= TIMES_LONGER
        seconds *= MEAN_SECONDS / seconds.mean()
    files, written = (kept["files"], kept["bytes"]) if scenario.frames else (1.0, kept["record_bytes"])
    at_disk = (READ_BYTES + written) / SLOW_BYTES_A_SECOND + files / SLOW_FILES_A_SECOND
    writing = kept["processor_seconds" if scenario.frames else "record_seconds"]
    shared = {"disk": 1, "driver": 1}
    stages = [Stage("driver", writing) if not scenario.shards else Stage(OWN, writing)]
    stages += [Stage("disk", at_disk)] if scenario.slow_disk else []
    cluster = Cluster(
        workers, shared, (Stage(OWN, START_SECONDS),),
        PREEMPTIONS_AN_HOUR if scenario.preempted else 0.0, REQUEUE_SECONDS,
    )  # fmt: skip
    return simulate(cluster, seconds, stages, by_hash(cases, workers) if scenario.shards else None)


def by_hash(cases: int, workers: int) -> Callable[[int], int]:
    """The shard of each of many cases, by the hash that ``Shard`` has."""
    digests = (hashlib.sha256(f"clip{case}/hole".encode()).digest() for case in range(cases))
    shards = [int.from_bytes(digest[:8], "big") % workers for digest in digests]
    return shards.__getitem__


def told(scenario: Scenario, outcome: Outcome) -> dict[str, Any]:
    """A scenario's row."""
    whole = outcome.useful + outcome.lost + outcome.started + outcome.waited + outcome.idle
    shares = {name: round(getattr(outcome, name) / whole, 4) for name in ("lost", "started", "waited", "idle")}
    made = {
        "name": scenario.name, "hours": round(outcome.makespan / HOUR, 1), "useful": round(outcome.useful / whole, 3),
        "preemptions": outcome.preemptions, **shares,
    }  # fmt: skip
    print(made)
    return made


# ---- the page ----


def record_table(entries: Sequence[dict[str, Any]]) -> str:
    """Rows of the benchmark of many records."""
    lines = ["| records | first opening | opening, indexed | table | report | most memory | index |", "|" + "---|" * 7]
    for entry in entries:
        steps = {step["step"]: step for step in entry["steps"]}
        seconds = [
            f"{brief(steps[name]['processor_seconds'])} s ({brief(steps[name]['seconds'])})"
            for name in ("open, no index", "open, indexed", "table", "report")
        ]
        memory = max(step["peak_megabytes"] for step in entry["steps"])
        cells = [f"{entry['records']:,}", *seconds, f"{memory} MB", f"{entry['index_bytes'] / 1e6:.1f} MB"]
        lines.append(f"| {' | '.join(cells)} |")
    loads = [entry["load"] for entry in entries]
    told = " to ".join(dict.fromkeys(map(str, (min(loads), max(loads)))))
    return "\n".join(lines) + f"\n\nThe machine had a load of {told}."


def brief(seconds: float) -> str:
    """Seconds with two digits."""
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def check_table(measured: dict[str, Any]) -> str:
    """The run that was made, beside what the model says of it."""
    lines = [
        "| run | start | overhead a case | method, all cases | measured | simulated | load |", "|" + "---|" * 7
    ]  # fmt: skip
    for how, name in (("shards", f"{WORKERS} shards"), ("ray", f"Ray, {NODES} nodes of {WORKERS // NODES}")):
        row = measured[how]
        cells = [
            f"{name}, {row['cases']} cases", f"{row['start_seconds']} s", f"{row['case_seconds']} s",
            f"{row['method_seconds']} s", f"{row['measured_seconds']} s", f"{row['simulated_seconds']} s",
            f"{row['load']}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    apart = {measured[how]["simulated_seconds"] / measured[how]["measured_seconds"] - 1 for how in ("shards", "ray")}
    return "\n".join(lines) + f"\n\nThe model is off by {', '.join(f'{one:+.0%}' for one in sorted(apart))}."


def simulated_table(rows: Sequence[dict[str, Any]]) -> str:
    """The scenarios."""
    lines = [
        "| scenario | makespan | useful | lost to preemption | start | waits | idle at the end | preemptions |",
        "|" + "---|" * 8,
    ]
    for row in rows:
        shares = [f"{row[name]:.1%}" for name in ("useful", "lost", "started", "waited", "idle")]
        lines.append(f"| {row['name']} | {row['hours']} h | {' | '.join(shares)} | {row['preemptions']:,} |")
    return "\n".join(lines)


def assumptions() -> str:
    """The constants above, in words."""
    return unbroken(f"""\
- {CASES:,} cases, one method, {GPUS} GPUs. A case takes {MEAN_SECONDS:g} s of a GPU on average, log-normal with a
  deviation of {SPREAD} in the logarithm; {STRAGGLERS:.0%} are stragglers and take {TIMES_LONGER:g} times as long.
- {PREEMPTIONS_AN_HOUR:.0%} of the GPUs are preempted an hour, and come back after {REQUEUE_SECONDS:g} s. To start takes
  {START_SECONDS:g} s: imports, weights, compiling.
- The slow disk, shared by all: {SLOW_BYTES_A_SECOND / 1e6:g} MB and {SLOW_FILES_A_SECOND:g} new files a second. A clip
  of {READ_BYTES / 1e6:g} MB is read for each case.""")


def totals(kept: dict[str, float]) -> str:
    """How many files and bytes a million cases are, and where one writer and a slow disk end."""
    of_one = HOUR / MEAN_SECONDS
    writer = 3600 / kept["processor_seconds"]
    disk = 3600 / ((READ_BYTES + kept["bytes"]) / SLOW_BYTES_A_SECOND + kept["files"] / SLOW_FILES_A_SECOND)
    return unbroken(f"""\
- Keeping a case of {kept["frames"]:.0f} frames of 432x240 with one method takes {kept["processor_seconds"]} s of a
  processor, {kept["files"]:.0f} files and {kept["bytes"] / 1e6:.1f} MB, of which the record is
  {kept["record_bytes"] / 1e3:.1f} KB. A million are {kept["files"] * CASES / 1e6:.0f} million files and
  {kept["bytes"] * CASES / 1e12:.1f} TB, and {READ_BYTES * CASES / 1e12:.0f} TB are read; without frames they are a
  million files and {kept["record_bytes"] * CASES / 1e9:.0f} GB.
- {GPUS} GPUs make {of_one * GPUS:,.0f} cases an hour. One writer, which Ray's driver is, keeps {writer:,.0f} with
  frames, which is the work of {writer / of_one:.0f} GPUs; the slow disk takes {disk:,.0f}, that of
  {disk / of_one:.0f}.""")


def unbroken(text: str) -> str:
    """The text with each entry of its list on one line; ``wrapped`` breaks it again."""
    return text.replace("\n  ", " ")


def make(check: bool) -> bool:
    """Write or compare the tables; returns whether they were right."""
    known, page = figures(), PAGE.read_text(encoding="utf-8")
    page = with_block(page, "records", record_table(known["records"]))
    page = with_block(page, "assumptions", assumptions())
    page = with_block(page, "checked run", check_table(known["measured"]))
    page = with_block(page, "simulated runs", simulated_table(known["simulated"]))
    page = with_block(page, "totals", totals(known["measured"]["keeping"]))
    return keep(PAGE, wrapped(page), check=check)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--records", file]:
            fill("records", records(Path(file)))
        case ["--measure"]:
            fill("measured", measure())
        case ["--simulate"]:
            fill("simulated", simulated())
        case _:
            run(make)
