"""Formats of programs that watch numbers from commit to commit: Bencher, pytest-benchmark, and JUnit for CI systems.

Sources: https://bencher.dev/docs/reference/bencher-metric-format, the JSON that pytest-benchmark's --benchmark-json
writes, and Jenkins' junit-10.xsd.
"""

from __future__ import annotations

import json
import platform
from typing import Any
from xml.etree import ElementTree

import numpy as np

from vibench.errors import shown_name
from vibench.report.publish.source import Source
from vibench.results.record import Record
from vibench.results.records import Numbers
from vibench.results.statistics import Estimate
from vibench.results.timings import Speed, seconds_by_case

PYTEST_BENCHMARK = "5.0.0"
"""The version of pytest-benchmark whose JSON this is."""


def bencher(source: Source) -> dict[str, str]:
    """Write one file: a benchmark a method, a measure a metric and region, with its interval as lower and upper value.

    ``throughput`` is frames a second and ``latency`` the median seconds a frame, of a method timed on one machine.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in source.rows:
        measures = {column.key: _value(estimate) for column, estimate in source.numbers(row)}
        if row.speed is not None:
            measures["throughput"] = _value(row.speed.frames_per_second)
            measures["latency"] = {"value": row.speed.p50_seconds}
        if measures:
            found[f"{source.info.protocol_label} {row.method}"] = measures
    return {"bencher.json": json.dumps(found, indent=1) + "\n"}


def _value(found: Estimate) -> dict[str, float]:
    bounds = {"lower_value": found.low, "upper_value": found.high}
    return {"value": found.mean, **{name: bound for name, bound in bounds.items() if bound is not None}}


def pytest_benchmark(source: Source) -> dict[str, str]:
    """Write one file: a benchmark a method, whose rounds are the cases, in seconds a frame.

    Only methods that were timed on one machine are in it.
    """
    info = source.info
    benchmarks = []
    for row in source.rows:
        seconds = seconds_by_case(source.table.results.records.of_methods([row.method]))
        if row.speed is not None and len(seconds):
            benchmarks.append(_benchmark(source, row.method, row.speed, seconds))
    whole = {
        "machine_info": {
            "node": str(info.machine.get("machine", "")),
            "processor": str(info.machine.get("processor", "")),
            "machine": platform.machine(),
            "python_version": info.versions.get("python", ""),
            "vibench": dict(info.machine),
        },
        "commit_info": {
            "id": info.commit, "dirty": (info.commit or "").endswith("+changes"), "branch": None, "time": None,
            "author_time": None, "project": "vibench",
        },
        "benchmarks": benchmarks,
        "datetime": info.started,
        "version": PYTEST_BENCHMARK,
    }  # fmt: skip
    return {"pytest-benchmark.json": json.dumps(whole, indent=1) + "\n"}


def _benchmark(source: Source, method: str, speed: Speed, seconds: Numbers) -> dict[str, Any]:
    return {
        "group": source.info.protocol_label,
        "name": method,
        "fullname": f"{source.info.protocol_label}::{method}",
        "params": None,
        "param": None,
        "extra_info": {"unit": "seconds a frame, one round a case", "machine": speed.machine,
                       "devices": list(speed.devices), "timed": list(speed.scopes)},
        "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": 1, "max_time": 0.0, "min_time": 0.0,
                    "warmup": True},
        "stats": _stats(seconds),
    }  # fmt: skip


def _stats(seconds: Numbers) -> dict[str, Any]:
    """The statistics that pytest-benchmark keeps of its rounds."""
    low, median, high = (float(value) for value in np.percentile(seconds, [25, 50, 75]))
    mean, spread, reach = float(seconds.mean()), high - low, 1.5 * (high - low)
    deviation = float(seconds.std(ddof=1)) if len(seconds) > 1 else 0.0
    inside = seconds[(seconds >= low - reach) & (seconds <= high + reach)]
    far = int((np.abs(seconds - mean) > deviation).sum())
    return {
        "min": float(seconds.min()), "max": float(seconds.max()), "mean": mean, "stddev": deviation,
        "rounds": len(seconds), "median": median, "iqr": spread, "q1": low, "q3": high,
        "iqr_outliers": len(seconds) - len(inside), "stddev_outliers": far,
        "outliers": f"{far};{len(seconds) - len(inside)}",
        "ld15iqr": float(inside.min()), "hd15iqr": float(inside.max()), "ops": 1 / mean,
        "total": float(seconds.sum()), "data": seconds.tolist(), "iterations": 1,
    }  # fmt: skip


def junit(source: Source) -> dict[str, str]:
    """Write one file: a suite a method, a test a case; a case that failed is a failure, one not run is skipped."""
    results = source.table.results
    suites = ElementTree.Element("testsuites", name=f"vibench {source.info.protocol_label}")
    for row in source.rows:
        records = [results.record(row.method, case) for case in results.cases]
        suite = ElementTree.SubElement(
            suites, "testsuite", name=row.method, tests=str(len(records)), failures=str(len(row.failed)), errors="0",
            skipped=str(sum(record is None for record in records)), timestamp=source.info.started,
            time=f"{sum(map(_seconds, records)):.3f}",
        )  # fmt: skip
        for case, record in zip(results.cases, records, strict=True):
            _test(suite, row.method, case, record)
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)
    return {"junit.xml": f"{text}\n"}


def _test(suite: ElementTree.Element, method: str, case: str, record: Record | None) -> None:
    test = ElementTree.SubElement(suite, "testcase", classname=method, name=case, time=f"{_seconds(record):.3f}")
    if record is None:
        ElementTree.SubElement(test, "skipped", message="not run")
    elif record.failure is not None:
        # A character that steers a terminal is none that XML may hold.
        said = shown_name(record.failure.message)
        ElementTree.SubElement(test, "failure", type=record.failure.kind, message=said)


def _seconds(record: Record | None) -> float:
    return record.timing.seconds if record is not None and record.timing is not None else 0.0
