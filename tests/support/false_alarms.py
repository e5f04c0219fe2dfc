"""How often `vibench regress` gives a false alarm, and how often it misses: comparisons of methods of known truth.

Usage: ``python tests/support/false_alarms.py --budget 1m --times 40 --output alarms.jsonl``; then the option ``--table
alarms.jsonl`` prints the Markdown table of docs/ci.md. All comparisons run beside a load that comes and goes on one
core. Ctrl-C keeps what was measured, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from disturbance import disturbance

from vibench.cli.options import seconds_of
from vibench.data.probe import Probe
from vibench.machine.stopwatch import load_average
from vibench.plugins import Option, Spec
from vibench.regress.pair import RegressSettings, VersionPair
from vibench.regress.version import MethodVersion, Version

METHOD = "regress_methods:Busy"
INJECTIONS: dict[str, dict[str, Option]] = {
    "nothing (A/A)": {},
    "15 % slower": {"slow_down": 1.15},
    "5 % slower": {"slow_down": 1.05},
    "20 MB leaked a frame": {"leak_bytes": 20_000_000},
    "a broken pixel column": {"broken_column": True},
}
LOOKED_AT = {"20 MB leaked a frame": "peak memory", "a broken pixel column": "quality"}
TIME = "seconds per frame"


def compare(injection: str, budget_seconds: float, seed: int) -> dict[str, Any]:
    """One comparison beside a disturbance, as a line of the file."""
    code = Version("this code", Path.cwd(), owns_methods=False)
    old, new = MethodVersion(code, Spec(METHOD)), MethodVersion(code, Spec(METHOD, INJECTIONS[injection]))
    with disturbance(seed):
        comparison = VersionPair(old, new, Probe.make(64, 64, 8), RegressSettings(budget_seconds, seed=seed)).compare()
    ratios = {finding.measure: finding.ratio.ratio for finding in comparison.findings if finding.ratio}
    return {
        "injection": injection, "budget_seconds": budget_seconds, "seed": seed, "seconds": comparison.seconds,
        "verdicts": {finding.measure: finding.word for finding in comparison.findings}, "ratios": ratios,
        "blocks": comparison.blocks, "processes": comparison.pairs, "disturbed": comparison.disturbed,
        "load_average": load_average(),
    }  # fmt: skip


def table(path: Path) -> str:
    """Counts of each verdict by injection and budget, of the measure that the injection is about."""
    groups: dict[tuple[float, str], list[dict]] = defaultdict(list)
    for record in records(path):
        groups[record["budget_seconds"], record["injection"]].append(record)
    rows = [
        "| budget | injected | measure | comparisons | verdicts | false alarms in any measure | median s | longest s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (budget, injection), group in groups.items():
        measure = LOOKED_AT.get(injection, TIME)
        words = [record["verdicts"].get(measure, "none") for record in group]
        counted = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))
        alarms = sum(is_false(injection, record["verdicts"]) for record in group)
        seconds = sorted(record["seconds"] for record in group)
        rows.append(
            f"| {budget / 60:g} min | {injection} | {measure} | {len(group)} | {counted} | {alarms} "
            f"| {seconds[len(seconds) // 2]:.0f} | {seconds[-1]:.0f} |"
        )
    return "\n".join(rows)


def records(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of comparisons, none where there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def is_false(injection: str, verdicts: dict[str, str]) -> bool:
    """Whether a measure that was left alone is called worse or better. Writing 20 MB a frame does take time."""
    slowed = injection in ("15 % slower", "20 MB leaked a frame")
    touched = {LOOKED_AT.get(injection)} | ({TIME, "first-frame latency"} if slowed else set())
    return any(
        word not in ("same", "unclear", "incomparable") for measure, word in verdicts.items() if measure not in touched
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="1m")
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--only", default="", help="injections whose name holds one of these texts, with commas")
    parser.add_argument("--output", type=Path, default=Path("alarms.jsonl"))
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    if arguments.table:
        print(table(arguments.table))
        return
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    budget = seconds_of(arguments.budget)
    done = {(line["injection"], line["budget_seconds"], line["seed"]) for line in records(arguments.output)}
    # All kinds in turn, so that an interrupted study is a smaller one, not a biased one.
    for seed in range(arguments.times):
        for injection in INJECTIONS:
            wanted = any(text in injection for text in arguments.only.split(","))
            if wanted and (injection, budget, seed) not in done:
                line = compare(injection, budget, seed)
                with arguments.output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(injection, line["verdicts"], f"{line['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
