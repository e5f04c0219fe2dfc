"""The clip at the top of an overview: on a typical case, the two best methods and the truth beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vibench.report.numbers import decimals, number
from vibench.report.verdict import column_words, finding_of
from vibench.results.record import TRUTH
from vibench.results.table import Column, Table


class Hero(NamedTuple):
    """The case that is shown, the sources of its media that are (see ``vibench.report.page.media``), and why."""

    case: str
    sources: list[dict[str, Any]]
    why: str


def hero_of(table: Table, columns: Sequence[Column], media: Mapping[str, dict[str, Any]]) -> Hero | None:
    """Choose what plays first; None where nothing was scored or no pictures were kept.

    ``media`` has the facts about the pictures of each case. The methods are the ``best_two`` by ``columns``, and the
    case is the one in the middle by the difference of the two in the first of these columns.
    """
    methods = best_two(table, columns)
    per_clip = [column for column in columns if column.per_clip]
    if not methods or not per_clip:
        return None
    column = per_clip[0]
    values = table.results.matrix(column.metric.name, column.region)
    labels = {case: {source["label"] for source in facts["sources"]} for case, facts in media.items()}
    cases = [case for case in values.index if set(methods) <= labels.get(str(case), set())]
    if any(method not in values.columns for method in methods) or not cases:
        return None
    known = values.loc[cases, methods].dropna()
    if known.empty:
        return None
    by = known[methods[0]] - known[methods[-1]] if len(methods) > 1 else known[methods[0]]
    case = str(by.sort_values(kind="stable").index[(len(by) - 1) // 2])
    digits = decimals(table, column)
    said = " and ".join(f"{method} {number(float(known[method].to_dict()[case]), digits)}" for method in methods)
    unit = f" {column.metric.unit}" if column.metric.unit else ""
    shown = {source["label"]: place for place, source in enumerate(media[case]["sources"])}
    truth = next((source["label"] for source in media[case]["sources"] if source["kind"] == TRUTH), "input")
    return Hero(
        case,
        [{"label": label, "place": shown[label]} for label in (*methods, truth)],
        f"{'In the middle by the difference of the two' if len(methods) > 1 else 'In the middle'} "
        f"at {column_words(column)}, of {len(by)}: {said}{unit}.",
    )


def best_two(table: Table, columns: Sequence[Column]) -> list[str]:
    """Return the two methods with the best mean rank over ``columns``, or the one that there is, best first."""
    ranks: dict[str, list[int]] = {}
    for found in filter(None, (finding_of(table, column) for column in columns)):
        ranked = sorted(
            (row.method for row in table.rows if not row.is_floor and row.cells[found.column.key].estimate),
            key=lambda method: -found.column.sign * _mean(table, method, found.column),
        )
        for rank, method in enumerate(ranked):
            ranks.setdefault(method, []).append(rank)
    full = max(map(len, ranks.values()), default=0)
    complete = {method: sum(each) for method, each in ranks.items() if len(each) == full}
    return sorted(complete, key=lambda method: complete[method])[:2]


def _mean(table: Table, method: str, column: Column) -> float:
    known = table.row(method).cells[column.key].estimate
    return known.mean if known else float("nan")
