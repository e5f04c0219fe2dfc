"""Which cases of a report have pages and pictures: all of a few, of many those that a reader will look at."""

from __future__ import annotations

from collections.abc import Sequence

from vibench.errors import InputError
from vibench.results.record import TRUTH
from vibench.results.results import Results
from vibench.results.table import Table

ALL_SHOWN = 100
"""So many cases of a protocol are all shown."""

EACH = 3
"""So many of the best, of the worst and of those in the middle are shown of each column."""

EVERY_CASE = "all"


def shown_cases(table: Table, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the cases that have a page, in the run's order.

    These are all where there are at most ``ALL_SHOWN``. Of more they are, for each column, the ``EACH`` with the best,
    the worst and the middle mean over the methods and the worst of each method, and those whose name holds one of the
    texts in ``asked``; the text ``all`` asks for every case.
    """
    cases = table.results.cases
    if len(cases) <= ALL_SHOWN or EVERY_CASE in asked:
        return cases
    chosen = {case for case in cases if any(text in case for text in asked)}
    for column in table.clip_columns:
        values = column.sign * table.results.matrix(column.metric.name, column.region).drop(
            columns=TRUTH, errors="ignore"
        )
        ranked = values.mean(axis=1).dropna().sort_values(kind="stable").index.tolist()
        middle = max(0, (len(ranked) - EACH) // 2)
        chosen.update(*(ranked[:EACH], ranked[middle : middle + EACH], ranked[-EACH:]))
        chosen.update(str(values[method].idxmin()) for method in values.columns)
    return tuple(case for case in cases if case in chosen)


def check_asked(groups: Sequence[Results], asked: Sequence[str]) -> None:
    """Raise InputError where a text stands in the name of no case."""
    for text in asked:
        if text != EVERY_CASE and not any(text in case for results in groups for case in results.cases):
            raise InputError(f"no case has {text!r} in its name; see values.csv, or ask for --cases all")


def about_shown(table: Table, shown: Sequence[str]) -> str:
    """Say which cases are shown where these are not all; empty where they are."""
    if len(shown) == len(table.results.cases):
        return ""
    return (
        f"{len(shown)} of {len(table.results.cases)} cases are shown: of each column the {EACH} best, worst and "
        f"middle ones and the worst of each method. The values of all are in values.csv; vibench report --cases NAME "
        "shows others, and --cases all every one."
    )
