"""How a number, its interval, a speed and the notes below a table read: the same in every form that is written."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np

from vibench.errors import one_line
from vibench.machine.facts import differing_facts
from vibench.results.record import TRUTH
from vibench.results.results import Results
from vibench.results.statistics import FEWEST, SIGNIFICANT, TOO_FEW, Estimate
from vibench.results.table import Column, Row, Table, columns_of
from vibench.results.timings import Speed

FLOOR_NAME = "truth (floor)"
"""The name under which the row of the truth is shown."""

NOTHING = "–"
"""Stands where there is no number."""

APART = "These tables follow different protocols: a number of one must not be compared with a number of another."
"""Stands above the tables where there are several; each protocol has its own."""

SEVERAL = "several"
"""Stands for a speed where a method was timed on several machines, whose times have no mean."""
KNOWS_CHARACTERS = 32
"""So much is shown of what a method says that it knows."""

FAILURES_SHOWN = 20
"""A method that failed on more cases has a note for each reason, not for each case, and for so many reasons."""

SPEED_HEADS = ("frames/s", "p50 ms", "p90 ms", "p99 ms", "first ms", "memory MB")

SCOPE_MARKS = {"call": "", "process": "‡", "printed": "§"}
"""What follows frames a second, by ``Timing.scope``."""
SCOPE_NOTES = {
    "process": "times of a whole process: of a program with its start and its reading and writing of files, without a "
    "warm-up. They are not comparable with times of a call.",
    "printed": "times that the program printed itself, without its start.",
}


def row_name(row: Row) -> str:
    """Return the name under which a row is shown: the method's own, or ``FLOOR_NAME`` for the truth."""
    return FLOOR_NAME if row.is_floor else row.method


def column_head(column: Column, space: str = " ") -> str:
    """Return the head of a column, such as ``psnr hole, dB ↑``; ``space`` stands between metric and region."""
    unit = f", {column.metric.unit}" if column.metric.unit else ""
    return f"{column.metric.name}{space}{column.region}{unit} {column.arrow}"


def decimals(table: Table, column: Column) -> int:
    """Return how many digits after the point a column shows.

    Decibels have two. Other columns have as many as show three significant digits of the smallest mean, 4 to 7.
    """
    if column.metric.unit == "dB":
        return 2
    means = [abs(cell.estimate.mean) for row in table.rows if (cell := row.cells[column.key]).estimate]
    return places(min((mean for mean in means if mean > 0), default=1.0))


def places(value: float) -> int:
    """Return how many digits after the point show three significant ones of ``value`` > 0: at least 4, at most 7."""
    return min(7, max(4, 2 - math.floor(math.log10(value))))


def number(value: float, digits: int) -> str:
    """Write ``value`` with ``digits`` after the point, with a true minus sign (U+2212) and never as minus zero."""
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text.replace("-", "−")


def significant(value: float) -> str:
    """Write ``value`` with three significant digits and without an exponent; 0 for zero and below."""
    if value <= 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def interval(found: Estimate, digits: int) -> str:
    """Write what stands beside a mean: its 95 % interval ``[low, high]``, or why it has none.

    A dagger follows an interval that is rough because few clips stand behind it. A mean of still fewer has ``3 clips``
    or ``one clip`` instead. A number of a whole set of clips has ``±`` and its standard error over clips where the
    protocol has seeded repeats, and nothing where it has none.
    """
    if found.spread and found.spread.error is not None:
        return f"± {number(found.spread.error, digits)}"
    if found.low is None or found.high is None:
        return "" if found.interval_kind == "none" else found.interval_kind
    return f"[{number(found.low, digits)}, {number(found.high, digits)}]" + ("†" if found.too_few else "")


def speed_texts(row: Row) -> tuple[str, ...]:
    """Write the cells of a row under ``SPEED_HEADS``: frames a second, milliseconds a frame, memory in megabytes.

    A star follows percentiles of whole clips, which is all that a method has that does not fill frame by frame. Where
    the method was timed on several machines, each cell says so: a footnote has a line a machine. A mark
    follows frames a second of a program, by what of it was timed.
    """
    if row.speed is None:
        return (SEVERAL if row.speeds else NOTHING,) * len(SPEED_HEADS)
    return _speed_texts(row.speed)


def _speed_texts(speed: Speed) -> tuple[str, ...]:
    times = (speed.p50_seconds, speed.p90_seconds, speed.p99_seconds, speed.first_frame_seconds)
    memory = f"{speed.host_bytes / 1e6:.0f}"
    if speed.device_bytes is not None:
        memory += f" + {speed.device_bytes / 1e6:.0f} device"
    return (
        significant(speed.frames_per_second.mean) + "".join(SCOPE_MARKS[scope] for scope in speed.scopes),
        *(significant(1000 * seconds) + ("" if speed.per_frame else "*") for seconds in times[:3]),
        significant(1000 * times[3]),
        memory,
    )


def knows_text(row: Row) -> str:
    """Write which frames a filled one of a method may depend on, on one line; a dash where the method does not say."""
    return one_line(row.knows, KNOWS_CHARACTERS) if row.knows else NOTHING


def cases_text(row: Row, table: Table) -> str:
    """Write how many of the run's cases a row has, such as ``18/20, 2 failed``."""
    parts = [f"{row.done}/{len(table.results.cases)}"]
    if row.failed:
        parts.append(f"{len(row.failed)} failed")
    if row.missing and not row.is_floor:
        parts.append(f"{len(row.missing)} not run")
    return ", ".join(parts)


def footnotes(table: Table) -> list[str]:
    """Return every sentence that a reader of the numbers must have, in the order in which all writers show them."""
    return [*caption(table), *remarks(table)]


def caption(table: Table, intervals: bool = True, speeds: bool = True) -> list[str]:
    """Return what a table's caption must say: protocol, cases, averages, marks; then what each method lacks.

    Without ``intervals`` or ``speeds``, the sentences that explain them are left out.
    """
    results = table.results
    estimates = [cell.estimate for row in table.rows for cell in row.cells.values() if cell.estimate]
    bracketed = {found.interval_kind for found in estimates if found.low is not None and intervals}
    kind = "normal" if "normal" in bracketed else "bootstrap"
    notes = [
        f"Protocol {results.label}, {counted_cases(results)}. {average(results)} "
        + "Only those cases count that every method has a value for (methods without any value aside)."
        + (f" Brackets hold the 95 % {kind} interval over clips." if bracketed else ""),
        handling(results),
        *_about_marks(table),
    ]
    notes += [f"{row.method}: {row.warning}" for row in table.rows if row.warning]
    notes += [
        f"{key}: {len(cases)} of {len(results.cases)} cases left out ({_some(cases)})."
        for key, cases in table.left_out().items()
    ]
    notes += [note for row in table.rows for note in _failures(row)]
    if "student" in bracketed:
        notes.append(
            f"† fewer than {TOO_FEW} clips: the interval (Student's t) is rough, and no difference can be significant."
        )
    without = sorted({found.interval_kind for found in estimates if found.low is None and intervals} - {"none"})
    notes += [
        f"{few} in the place of an interval: of fewer than {FEWEST} clips it would be too wide to say anything."
        for few in without
    ]
    notes += [f"{key}: {note}." for key, said in table.notes.items() for note in said]
    return notes + (_about_speeds(table) if speeds else [])


def remarks(table: Table) -> list[str]:
    """Return the sentences that a caption may leave out: about programs, metrics that lack values, and versions."""
    return [*_about_programs(table.results), *_unmeasured(table.results), *table.results.notes]


def _about_speeds(table: Table) -> list[str]:
    notes = [note for row in table.rows if len(row.speeds) > 1 for note in _machine_notes(row)]
    if any(not speed.per_frame for row in table.rows for speed in row.speeds):
        notes.append("* percentiles of clips' means: this method fills whole clips, so single frames cannot be timed.")
    scopes = {scope for row in table.rows for speed in row.speeds for scope in speed.scopes}
    notes += [f"{SCOPE_MARKS[scope]} {sentence}" for scope, sentence in SCOPE_NOTES.items() if scope in scopes]
    if differing := differing_facts(run.machine for run in table.results.runs):
        notes.append(f"Times are from different machines ({', '.join(differing)}) and must not be compared.")
    return notes


def _failures(row: Row) -> Iterator[str]:
    """A sentence for each case that a method failed on, or for each reason where these are many."""
    if len(row.failed) <= FAILURES_SHOWN:
        yield from (f"{row.method} failed on {case}: {message}" for case, message in row.failed.items())
        return
    by_message: dict[str, list[str]] = {}
    for case, message in row.failed.items():
        by_message.setdefault(message, []).append(case)
    most = sorted(by_message.items(), key=lambda entry: -len(entry[1]))
    for message, cases in most[:FAILURES_SHOWN]:
        yield f"{row.method} failed on {counted(len(cases), 'case')} ({_some(tuple(cases))}): {message}"
    if rest := sum(len(cases) for _, cases in most[FAILURES_SHOWN:]):
        yield f"{row.method} failed on {counted(rest, 'case')} for other reasons, which their records say."


def _machine_notes(row: Row) -> Iterator[str]:
    """A sentence a machine: how fast a method was on it, which must not be compared with the others."""
    for speed in row.speeds:
        texts = ", ".join(f"{head} {text}" for head, text in zip(SPEED_HEADS, _speed_texts(speed), strict=True))
        cases = counted(speed.frames_per_second.cases, "case")
        machine = one_line(speed.machine) or "a machine without a name"
        yield f"{row.method} on {machine}, {cases}: {texts}."


def _about_programs(results: Results) -> list[str]:
    """What programs did to cases beside filling them: one sentence a method, with the first case it is true of."""
    said: dict[str, list[tuple[str, str]]] = {}
    method, case, notes = (results.records.texts[name] for name in ("method", "case", "notes"))
    for row in np.flatnonzero(notes.codes != notes.place("[]")).tolist():
        for note in json.loads(notes.at(row)):
            said.setdefault(method.at(row), []).append((case.at(row), note))
    return [
        f"{method}, on {found[0][0]}"
        + (f" and {counted(len({case for case, _ in found}) - 1, 'further case')}" if len(found) > 1 else "")
        + f": {found[0][1]}."
        for method, found in said.items()
    ]


def counted_cases(results: Results) -> str:
    """Write ``20 cases``, or ``20 clips, 100 cases`` where clips have several."""
    cases = counted(len(results.cases), "case")
    clips = len(set(results.clips.values()))
    return cases if clips == len(results.cases) else f"{counted(clips, 'clip')}, {cases}"


def average(results: Results) -> str:
    """Say what a number of a table is the mean of, in a sentence or two."""
    if len(set(results.clips.values())) == len(results.cases):
        if results.averages_frames:
            return "A number is the mean over all frames of all clips, so long clips weigh more."
        return "A number is the mean over the frames of a clip, then over clips."
    mean = "all frames of all cases" if results.averages_frames else "the frames of a case, then over cases"
    return f"A number is the mean over {mean}. Cases of one clip are not independent: they are one value in all tests."


def handling(results: Results) -> str:
    """Say what methods were shown, and whether their output was put back into the input before it was measured."""
    seen = "everything, also what lies inside the holes" if results.sees_everything else "frames with empty holes"
    if results.composited:
        return f"Methods saw {seen}; outside the holes the input was put back (composited)."
    regions = {region for metric in results.metrics for region in results.regions(metric)}
    said = f"Methods saw {seen}; their output was measured as it came (not composited)"
    if "effect" in regions:
        return f"{said}; outside the holes, the region effect is what the object changes, and kept is the rest."
    kept = any(region.startswith("kept") for region in regions)
    return said + (", and the region kept is what lies outside the holes." if kept else ".")


def _about_marks(table: Table) -> list[str]:
    """Say what it takes to be marked and how often something is tested; nothing where there is nothing to compare."""
    if not table.comparisons:
        return []
    methods = sum(not row.is_floor and any(cell.estimate for cell in row.cells.values()) for row in table.rows)
    # Of all columns, also where a table shows some of them: these tests were made.
    columns = sum(column.per_clip for column in columns_of(table.results))
    corrected = "is after Holm's correction for" if table.holm else "is not corrected for"
    hint = "" if table.holm else "; --holm corrects it"
    needed = (
        "Best is bold and second underlined only where the paired difference to every method behind has a 95 % "
        f"interval over clips that excludes zero, and p < {SIGNIFICANT} (Wilcoxon's signed-rank test over clips)."
    )
    told = (
        f"Every two of {methods} methods are compared in {counted(columns, 'column')}: p {corrected} "
        f"{counted(table.comparisons, 'comparison')}{hint}."
    )
    return [needed, told]


def _unmeasured(results: Results) -> Iterator[str]:
    """Say for each metric why it has no value at all, or none of certain methods."""
    pairs = results.records.pairs("method", "layout")
    measured = {(method, name) for method, layout in pairs for name, _ in json.loads(layout)}
    lacking: dict[tuple[str, str], list[str]] = {}
    for method, unavailable in results.records.pairs("method", "unavailable"):
        for name, reason in json.loads(unavailable).items():
            methods = lacking.setdefault((name, reason), [])
            if method != TRUTH and method not in methods and (method, name) not in measured:
                methods.append(method)
    names = {name for _, name in measured}
    shown = {metric.name for metric in results.metrics}
    chosen = not shown.issuperset(metric.name for run in results.runs for metric in run.metrics)
    for (name, reason), methods in lacking.items():
        # A metric that nothing could measure has no facts; who has chosen columns did not ask for it.
        if methods and (name in shown or not chosen):
            yield f"{name}{f' of {_some(tuple(methods))}' if name in names else ''} was not measured: {reason}."


def counted(count: int, noun: str) -> str:
    """Write ``1 case`` or ``3 cases``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _some(names: tuple[str, ...], at_most: int = 5) -> str:
    return ", ".join(names[:at_most]) + (f" and {len(names) - at_most} more" if len(names) > at_most else "")
