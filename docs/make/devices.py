"""Makes docs/devices.md of all files in reports/devices, which ``make gpu`` writes, one for each device."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pages import CHECKOUT, DOCS, keep, run, wrapped

FOLDER = CHECKOUT / "reports" / "devices"
PAGE = DOCS / "devices.md"
MEBIBYTE = 2**20
INTRODUCTION = """\
# Devices

What `make gpu` measured, one section a device. It takes under nine minutes, needs no data and no network, and writes
`reports/devices/DEVICE.json`; `make docs` makes this page of all such files. On a machine without a GPU the same
command measures the CPU.

*Streaming* is one clip frame by frame, uint8 in to uint8 out, the device synchronised after every frame: frames a
second by the median frame, and in brackets the 99th percentile of a frame's milliseconds. The first frames of a
compiled network, which compile it, are not in it. A method that does not stream is timed on the whole clip. *Clips at
once* are processes of their own, measured apart. Published weights do not come with the package, so `vinet[preset=
published]` has random ones, which take as long. A star marks times that were taken while others had the machine.
"""
NONE = "\nNo device has been measured yet.\n"


def page(folder: Path) -> str:
    """The page of the files in ``folder``."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return wrapped(INTRODUCTION + ("".join(map(section, found)) if found else NONE))


def section(found: dict[str, Any]) -> str:
    """Everything about one device."""
    packages, machine = found["packages"], found["machine"]
    facts = (
        f"{found['date'][:10]}, commit `{(found['commit'] or 'unknown')[:9]}`, torch {packages['torch']}, "
        f"{machine['processor']} with {machine['cores']} cores, load average {found['load_average']:.1f} before, "
        f"{found['seconds']} s in all."
    )
    tables = [
        ("Streaming, frames a second (ms of the slowest frame in a hundred)", by_size(found["speeds"])),
        ("Most memory of a clip, MiB" + memory_of(found), by_size(found["speeds"], memory=True)),
        ("Clips at once, frames a second of all together", by_clips(found["throughput"])),
        ("Metrics, milliseconds a frame", of_metrics(found["metrics"])),
        ("Alarms of `vibench regress`", of_alarms(found["alarms"])),
    ]
    text = f"\n## {found['device']}\n\n{facts} {of_tests(found['tests'])}\n"
    return text + "".join(f"\n**{title}**\n\n{table}\n" for title, table in tables if table)


def memory_of(found: dict[str, Any]) -> str:
    """Whose memory it is."""
    return " of the device" if found["kind"] != "cpu" else ""


def of_tests(found: dict[str, Any]) -> str:
    """How the tests ended, in a sentence."""
    if "failure" in found:
        return f"The tests of `tests/device` did not end: {found['failure']}."
    failed = found["failed"]
    told = f"failed: {', '.join(failed)}" if failed else "none failed"
    return f"Of {found['run']} tests of `tests/device` {found['skipped']} were skipped; {told}."


def by_size(rows: Sequence[dict[str, Any]], *, memory: bool = False) -> str:
    """A row a method, a column a size."""
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    cells = {(row["method"], row["size"]): memory_cell(row) if memory else speed_cell(row) for row in rows}
    methods = dict.fromkeys(row["method"] for row in rows)
    return table(["method", *sizes], ([f"`{name}`", *(cells[name, size] for size in sizes)] for name in methods))


def speed_cell(row: dict[str, Any]) -> str:
    """Frames a second, or why there are none."""
    if "failure" in row:
        return short(row["failure"])
    slowest = f" ({1e3 * row['seconds_p99']:.3g})" if row["streams"] else ", whole clip"
    star = " *" if row["disturbed"] else ""
    return f"{row['frames_per_second']:.3g}{slowest}{star}"


def memory_cell(row: dict[str, Any]) -> str:
    """Mebibytes, or nothing where the row says why elsewhere."""
    return "–" if "failure" in row else f"{row['peak_bytes'] / MEBIBYTE:.0f}"


def by_clips(rows: Sequence[dict[str, Any]]) -> str:
    """A row a method, a column a number of clips."""
    clips = list(dict.fromkeys(row["clips"] for row in rows))
    cells = {
        (row["method"], row["clips"]): short(row["failure"]) if "failure" in row else f"{row['frames_per_second']:.3g}"
        for row in rows
    }
    sizes = {row["method"]: row["size"] for row in rows}
    header = ["method", "size", *(f"{count} at once" for count in clips)]
    return table(header, ([f"`{name}`", size, *(cells[name, n] for n in clips)] for name, size in sizes.items()))


def of_metrics(rows: Sequence[dict[str, Any]]) -> str:
    """A row a metric."""

    def cells(row: dict[str, Any]) -> Iterator[str]:
        yield from (f"`{row['metric']}`", row["size"])
        if "failure" in row:
            yield from (short(row["failure"]), "–", "–")
            return
        yield f"{1e3 * row['seconds_here']:.3g}"
        yield f"{1e3 * row['seconds_cpu']:.3g}" if "seconds_cpu" in row else "–"
        yield f"{row['largest_difference']:.1e}"

    return table(["metric", "size", "here", "on its CPU", "largest difference"], map(list, map(cells, rows)))


def of_alarms(rows: Sequence[dict[str, Any]]) -> str:
    """A row a kind of fault."""
    kinds = dict.fromkeys(row["injected"] for row in rows)
    lines = []
    for kind in kinds:
        done = [row for row in rows if row["injected"] == kind and "failure" not in row]
        counts = [str(sum(row[name] for row in done)) for name in ("false_alarm", "missed", "unclear")]
        seconds = f"{max(row['seconds'] for row in done):.0f}" if done else "–"
        lines.append([kind, str(len(done)), *counts, seconds])
    return table(["injected", "comparisons", "false alarms", "missed", "unclear", "longest, s"], lines)


def short(reason: str) -> str:
    """The reason of a failure in few words."""
    return "out of memory" if "out of memory" in reason.lower() else reason.replace("|", "/")[:60]


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """A table of Markdown; nothing where it has no row."""
    lines = [" | ".join(row) for row in rows]
    if not lines:
        return ""
    return "\n".join(f"| {line} |" for line in (" | ".join(header), " | ".join("---" for _ in header), *lines))


def make(check: bool) -> bool:
    """Make or compare the page; returns whether it was right already."""
    return keep(PAGE, page(FOLDER), check=check)


if __name__ == "__main__":
    run(make)
