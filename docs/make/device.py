"""Measures what this device does with vibench, all in one call: ``make gpu``.

In the order of their worth: the tests of ``tests/device``; frames a second and latency of every method at four sizes,
VINet in each precision, compiled and with CUDA graphs; metrics; false and missed alarms of ``vibench regress``; clips
at once. When the time is over, what is left says so. Writes ``reports/devices/DEVICE.json`` and ``docs/devices.md``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from pages import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "tests" / "support"))  # methods of known work, which are no part of the package

import devices

from vibench import plugins
from vibench.data.probe import Probe
from vibench.errors import UserError
from vibench.files import write_atomically
from vibench.machine.device import resolve, synchronise
from vibench.machine.facts import commit, machine_facts, package_versions, processor_name
from vibench.machine.host import Child, Here, hosted
from vibench.machine.stopwatch import load_average
from vibench.plugins import Option, Spec
from vibench.protocol import Scoring
from vibench.regress.finding import MEMORY, TIME
from vibench.regress.pair import RegressSettings, VersionPair
from vibench.regress.version import MethodVersion, Version
from vibench.runner.fill import Rules, fill_case
from vibench.speed.growth import Shape
from vibench.speed.throughput import throughput

SIZES = ((256, 256), (432, 240), (832, 480), (1280, 720))
NETWORKS = ("vinet[preset=published,weights=random,{}]", "vinet[{}]", "vinet[flow=learned,{}]")
"""The published architecture needs weights that cannot come with the package; random ones take as long."""
WAYS = ("", "precision=bfloat16", "compile=true", "cuda_graphs=true", "precision=bfloat16,cuda_graphs=true")
COMMON = "warm_up=0,halvings=0"
"""Frames as they are, without the pass in reverse that comes before the first one."""
NOT_TIMED = ("from_disk", "identity", "vinet")
"""Two that do nothing, and the one that is there in every way already."""
METRICS = ("psnr", "ssim-gaussian", "ssim-sttn", "lpips-alex", "lpips-vgg", "warping-error-dis", "warping-error-raft")
NO_TIME = "the time of this report was over"


class Injection(NamedTuple):
    """A fault of known size, and the measures in which it may and must be seen."""

    options: dict[str, Option]
    seen_in: tuple[str, ...] = ()
    must_be: str = ""


INJECTIONS = {
    "nothing (A/A)": Injection({}),
    "15 % slower": Injection({"slow_down": 1.15}, TIME, "slower"),
    "20 MB leaked a frame": Injection({"leak_bytes": 20_000_000}, (*MEMORY, *TIME), "hungrier"),
}


@dataclass(frozen=True)
class Plan:
    """What is measured, and how long in all; each part may also use what earlier ones have left over."""

    device: str
    minutes: float = 8.5
    sizes: tuple[tuple[int, int], ...] = SIZES
    frames: int = 24
    methods: tuple[str, ...] = ()
    metrics: tuple[str, ...] = METRICS
    comparisons: int = 2
    comparison_seconds: float = 40.0
    clips: tuple[int, ...] = (1, 2, 4)
    clips_seconds: float = 5.0

    @property
    def all_methods(self) -> tuple[str, ...]:
        """The methods in the order of their worth."""
        networks = [network.format(",".join(filter(None, (COMMON, way)))) for way in WAYS for network in NETWORKS]
        return self.methods or (*networks, *(name for name in plugins.names("methods") if name not in NOT_TIMED))


NOT_SURE = ("unclear", "incomparable")


TOY = {
    "sizes": ((48, 32), (64, 48)),
    "frames": 3,
    "methods": (*(network.format(COMMON) for network in NETWORKS[1:]), "vinet[cuda_graphs=true]", "telea"),
    "metrics": ("psnr", "lpips-alex"),
    "comparisons": 1,
    "comparison_seconds": 8.0,
    "clips": (1,),
    "clips_seconds": 0.2,
}
"""Everything once, in a minute of any CPU."""


class Clock:
    """The time of a report, of which each part ends by a share."""

    def __init__(self, minutes: float) -> None:
        self.start, self.whole = monotonic(), 60 * minutes

    def left(self, share: float) -> float:
        """Seconds until ``share`` of the whole is over."""
        return self.start + share * self.whole - monotonic()


def measured(plan: Plan) -> dict[str, Any]:
    """Everything, as JSON has it."""
    clock = Clock(plan.minutes)
    found: dict[str, Any] = {
        "device": device_name(plan.device),
        "kind": plan.device.partition(":")[0],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine_facts(),
        "packages": package_versions(),
        "load_average": load_average(),
    }
    parts: dict[str, tuple[float, Callable[[Plan, Callable[[], float]], Any]]] = {
        "tests": (0.3, tests),
        "speeds": (0.72, lambda *given: list(speeds(*given))),
        "metrics": (0.8, lambda *given: list(metrics(*given))),
        "alarms": (0.92, lambda *given: list(alarms(*given))),
        "throughput": (1.0, lambda *given: list(at_once(*given))),
    }
    for name, (share, part) in parts.items():
        print(f"{name}: {clock.left(share):.0f} s at most", flush=True)
        found[name] = part(plan, lambda share=share: clock.left(share))  # type: ignore[misc]
    return found | {"seconds": round(monotonic() - clock.start)}


def device_name(device: str) -> str:
    """What people call it."""
    if device == "cpu":
        return f"{processor_name()}, {os.cpu_count()} cores"
    import torch

    return torch.cuda.get_device_name(device)


def tests(plan: Plan, left: Callable[[], float]) -> dict[str, Any]:
    """How the tests of ``tests/device`` ended on this device."""
    report = CHECKOUT / ".pytest_cache" / f"device-{os.getpid()}.xml"
    report.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests/device", f"--junit-xml={report}"]
    try:
        subprocess.run(
            command, cwd=CHECKOUT, env=os.environ | {"VIBENCH_DEVICE": plan.device}, check=False, timeout=left(),
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        suite = ElementTree.parse(report).getroot()[0]
        report.unlink()
    except subprocess.TimeoutExpired:
        return {"failure": NO_TIME}
    bad = [case.get("name") for case in suite if case.find("failure") is not None or case.find("error") is not None]
    return {"run": int(suite.get("tests", 0)), "skipped": int(suite.get("skipped", 0)), "failed": bad}


def speeds(plan: Plan, left: Callable[[], float]) -> Iterator[dict[str, Any]]:
    """A row a method and size: frames a second and latency, frame by frame, and memory."""
    for method in plan.all_methods:
        rows = [{"method": method, "size": f"{width}x{height}"} for width, height in plan.sizes]
        if left() <= 0:
            yield from (row | {"failure": NO_TIME} for row in rows)
            continue
        try:
            with hosted(Spec.parse(method), plan.device) as host:
                for row, (width, height) in zip(rows, plan.sizes, strict=True):
                    yield row | speed(host, plan, width, height, left())
        except UserError as error:
            yield from (row | {"failure": str(error)} for row in rows)
        print(f"  {method}", flush=True)


def speed(host: Child | Here, plan: Plan, width: int, height: int, left: float) -> dict[str, Any]:
    """One row's figures, or why there are none."""
    if left <= 0:
        return {"failure": NO_TIME}
    case = Probe.make(width, height, plan.frames).cases[0]
    done = fill_case(host, case, Rules(Scoring(metrics=("psnr",)), plan.device, left))
    if done.frames is None or done.timing is None:
        return {"failure": done.failure.message if done.failure else "it gave nothing"}
    timing = done.timing
    p50, p90, p99 = np.percentile(timing.frame_seconds or (timing.seconds / timing.frames,), [50, 90, 99])
    return {
        "streams": bool(timing.frame_seconds),
        "frames_per_second": 1 / float(p50),
        "seconds_p50": float(p50),
        "seconds_p90": float(p90),
        "seconds_p99": float(p99),
        "first_frame_seconds": timing.first_frame_seconds,
        "warm_up_seconds": timing.warm_up_seconds,
        "peak_bytes": timing.peak_host_bytes if timing.peak_device_bytes is None else timing.peak_device_bytes,
        "disturbed": timing.disturbed,
    }


def metrics(plan: Plan, left: Callable[[], float]) -> Iterator[dict[str, Any]]:
    """A row a metric: seconds a frame here and on the CPU, and how far apart the values are."""
    width, height = plan.sizes[min(1, len(plan.sizes) - 1)]
    case = Probe.make(width, height, plan.frames).cases[0]
    grey = np.where(case.holes[..., None], 128, case.frames).astype(np.uint8)
    for name in plan.metrics:
        row: dict[str, Any] = {"metric": name, "size": f"{width}x{height}"}
        if left() <= 0:
            yield row | {"failure": NO_TIME}
            continue
        try:
            values = {}
            for device in dict.fromkeys((plan.device, "cpu")):
                metric = plugins.make("metrics", Spec.parse(name), device=device)
                metric.measure(grey[:2], Probe.make(width, height, 2).cases[0])  # a warm-up of another clip
                synchronise(device)
                start = monotonic()
                values[device] = metric.measure(grey, case)
                row[f"seconds_{'here' if device == plan.device else 'cpu'}"] = (monotonic() - start) / plan.frames
            here, cpu = values[plan.device], values["cpu"]
            pairs = [
                (one, other)
                for region, series in cpu.items()
                for one, other in zip(here[region].values, series.values, strict=True)
                if one is not None and other is not None
            ]
            row["largest_difference"] = max(abs(one - other) for one, other in pairs)
        except (UserError, ValueError, RuntimeError) as error:
            row["failure"] = f"{error}".splitlines()[0][:200]
        yield row


def alarms(plan: Plan, left: Callable[[], float]) -> Iterator[dict[str, Any]]:
    """A row a comparison of a method with itself, some with a known fault."""
    os.environ["PYTHONPATH"] = str(CHECKOUT / "tests" / "support")
    code, name = Version("this code", CHECKOUT, owns_methods=False), "device_methods:Multiplying"
    number, count = 0, plan.comparisons * len(INJECTIONS)
    for seed in range(plan.comparisons):
        for title, injection in INJECTIONS.items():
            row: dict[str, Any] = {"injected": title, "seed": seed}
            budget = min(plan.comparison_seconds, left() / (count - number))
            number += 1
            if budget < 5:
                yield row | {"failure": NO_TIME}
                continue
            old, new = (MethodVersion(code, Spec(name, given)) for given in ({}, injection.options))
            settings = RegressSettings(budget, device=plan.device, seed=seed)
            comparison = VersionPair(old, new, Probe.make(64, 64, 8), settings).compare()
            verdicts = {finding.measure: finding.word for finding in comparison.findings}
            sure = {measure: word for measure, word in verdicts.items() if word not in ("same", *NOT_SURE)}
            yield row | {
                "seconds": comparison.seconds,
                "verdicts": verdicts,
                "false_alarm": any(measure not in injection.seen_in for measure in sure),
                "missed": bool(injection.must_be) and injection.must_be not in sure.values(),
                "unclear": any(word in NOT_SURE for word in verdicts.values()),
            }


def at_once(plan: Plan, left: Callable[[], float]) -> Iterator[dict[str, Any]]:
    """A row a network and number of clips: frames a second of all of them together, a process each."""
    width, height = plan.sizes[min(1, len(plan.sizes) - 1)]
    for method in plan.all_methods[: len(NETWORKS)]:
        for clips in plan.clips:
            row = {"method": method, "size": f"{width}x{height}", "clips": clips}
            if left() <= plan.clips_seconds:
                yield row | {"failure": NO_TIME}
                continue
            try:
                shape = Shape(width, height, plan.frames)
                together = throughput(Spec.parse(method), shape, plan.device, clips, 1, plan.clips_seconds)
                yield row | {"frames_per_second": together.frames_per_second}
            except UserError as error:
                yield row | {"failure": str(error)}


def main() -> None:
    """Measure, and write the file and the page; exit status 1 where a test failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--minutes", type=float, default=8.5, help="time in all")
    parser.add_argument("--folder", type=Path, default=devices.FOLDER, help="where DEVICE.json is written")
    parser.add_argument("--toy", action="store_true", help="very small, to see that everything works")
    given = parser.parse_args()
    plan = Plan(resolve(given.device), given.minutes)
    found = measured(replace(plan, **TOY) if given.toy else plan)
    path = given.folder / f"{re.sub('[^a-z0-9]+', '-', found['device'].lower()).strip('-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())
    print(f"{path}: {found['seconds']} s")
    if given.folder == devices.FOLDER:
        devices.make(False)
    else:
        print(devices.page(given.folder))
    sys.exit(1 if found["tests"].get("failed") else 0)


if __name__ == "__main__":
    main()
