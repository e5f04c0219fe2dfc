"""Kill ``vibench run`` at random moments, again and again, and hold what is left against an undisturbed run.

Usage: ``python tests/torture/kills.py --times 100 --jobs 1,2``. After every SIGKILL of the whole process group, or of
the command alone, each record on the disk must be whole, no process may be left, and at last the same command must end
with the records of an undisturbed run, times aside. Prints a line for each number of jobs; exits 1 where anything was
wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

PROTOCOL = """
name = "torture"
version = 1
title = "Torture"
description = "Small cases, many of them."
seed = 5
[data]
dataset = "bundled"
frames = 5
[resize]
width_px = 64
height_px = 48
filter = "area"
[[holes]]
name = "still"
generator = "stationary-square"
[[holes]]
name = "moving"
generator = "moving-square"
[scoring]
metrics = ["psnr", "seam"]
"""
METHODS = "telea,last_seen"
LONGEST_SECONDS = 8.0


def command(folder: Path, jobs: int) -> list[str]:
    words = ["run", "-p", str(folder / "torture.toml"), "-m", METHODS, "-o", str(folder / "out"), "--jobs", str(jobs)]
    return [sys.executable, "-m", "vibench", *words]


def records(folder: Path) -> dict[str, Any]:
    """Relative path -> record without its time; ValueError where a file is torn."""
    found = {}
    for path in sorted(folder.glob("out/*/records/*/*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("timing")
        found[str(path.relative_to(folder))] = content
    return found


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return list(psutil.Process(process.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def killed_once(folder: Path, jobs: int, chance: random.Random) -> list[str]:
    """Start the command, kill it somewhere on its way, and say what is wrong with what is left."""
    process = subprocess.Popen(
        command(folder, jobs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(chance.uniform(0.0, LONGEST_SECONDS))
    children = family(process)
    if chance.random() < 0.5:
        process.kill()  # the command alone: the others must end by themselves
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wrong = []
    _, alive = psutil.wait_procs(children, timeout=20)
    for child in alive:
        wrong.append(f"process {child.pid} was left")
        child.kill()
    try:
        records(folder)
    except ValueError as error:
        wrong.append(f"a torn record: {error}")
    return wrong


def tortured(times: int, jobs: int, seed: int) -> list[str]:
    """Everything that was wrong in ``times`` kills and after them."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="vibench-torture-") as name:
        calm, stormy = Path(name, "calm"), Path(name, "stormy")
        for folder in (calm, stormy):
            folder.mkdir()
            (folder / "torture.toml").write_text(PROTOCOL)
        subprocess.run(command(calm, 1), check=True, capture_output=True)
        wrong = []
        for turn in range(times):
            if turn % 5 == 4:  # begin anew, so that kills come early and late
                for path in stormy.glob("out/*/records/*/*.json"):
                    if chance.random() < 0.5:
                        path.unlink(missing_ok=True)
            wrong += killed_once(stormy, jobs, chance)
        last = subprocess.run(command(stormy, jobs), capture_output=True, text=True, check=False)
        if last.returncode:
            wrong.append(f"the last command ended with status {last.returncode}: {last.stderr[-300:]}")
        if records(stormy) != records(calm):
            wrong.append("the records are not those of an undisturbed run")
        wrong += [f"{path.name} was left" for path in stormy.rglob("*.partial*")]
        return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--jobs", default="1,2")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    bad = False
    for jobs in map(int, chosen.jobs.split(",")):
        wrong = tortured(chosen.times, jobs, chosen.seed)
        bad |= bool(wrong)
        print(f"{chosen.times} kills with {jobs} jobs: {len(wrong)} wrong", *wrong[:10], sep="\n  ", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
