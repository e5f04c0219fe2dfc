"""Where a method fails: its worst cases at a column, the worst first, each with a thumbnail beside the truth's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vibench.report.numbers import decimals, number
from vibench.report.page.case_page import page_name
from vibench.report.verdict import column_words, finding_of
from vibench.results.table import Column, Table

WORST = 6
"""So many cases are listed of each method at each column."""


def failures_of(
    table: Table, columns: Sequence[Column], media: Mapping[str, dict[str, Any]], shown: Sequence[str]
) -> dict[str, Any] | None:
    """Return the ranked lists of all methods at ``columns``, and which is seen first; None where nothing was scored.

    ``media`` has the facts about the pictures of each case, and ``shown`` are the cases that have a page.
    """
    per_clip = [column for column in columns if column.per_clip]
    best = {found.column.key: found.best for column in per_clip if (found := finding_of(table, column))}
    if not best:
        return None
    methods = [row.method for row in table.rows if not row.is_floor]
    return {
        "columns": [(column.key, column_words(column)) for column in per_clip if column.key in best],
        "methods": methods,
        "best": best,
        "counts": {case: len(facts["sources"]) for case, facts in media.items()},
        "lists": [
            {"column": column.key, "words": column_words(column), "method": method, "cases": ranked}
            for column in per_clip
            for method in methods
            if (ranked := _ranked(table, column, method, media, set(shown)))
        ],
    }


def worst_cases(table: Table, column: Column, method: str) -> list[tuple[str, float]]:
    """Return the cases of a method with its value at a column, the worst first."""
    values = table.results.matrix(column.metric.name, column.region)
    if method not in values.columns:
        return []
    known = (column.sign * values[method]).dropna().sort_values(kind="stable")
    return [(str(case), column.sign * value) for case, value in zip(known.index, known.tolist(), strict=True)]


def worst_frame(table: Table, column: Column, method: str, case: str) -> int:
    """Return the frame, counted from 0, at which a method has its worst value in a case; 0 where there is none."""
    block = table.results.records.blocks.get((column.metric.name, column.region))
    row = table.results.records.row(method, case)
    values = None if block is None or row is None else block.of_row(row)
    if values is None or not np.isfinite(values).any():
        return 0
    return int(np.nanargmin(column.sign * np.asarray(values, float)))


def _ranked(
    table: Table, column: Column, method: str, media: Mapping[str, dict[str, Any]], shown: set[str]
) -> list[dict[str, Any]]:
    digits = decimals(table, column)
    failed: list[dict[str, Any]] = [
        {"case": case, "value": "failed", "href": _page(table, case), "frame": None, "thumb": None}
        for case in table.row(method).failed
        if case in shown
    ]
    found = []
    for case, value in worst_cases(table, column, method):
        if case not in shown:
            continue
        frame = worst_frame(table, column, method, case)
        place, truth = _places(media.get(case), method)
        link = f"#frame={frame}&zoom=1&only={place}" if place else f"#frame={frame}"
        found.append(
            {
                "case": case,
                "value": f"{number(value, digits)} {column.metric.unit}".rstrip(),
                "href": _page(table, case) + link,
                "frame": frame + 1,
                "thumb": None if place is None else (place, truth),
            }
        )
    return [*failed, *found][:WORST]


def _page(table: Table, case: str) -> str:
    return f"cases/{page_name(table.results, case)}"


def _places(facts: dict[str, Any] | None, method: str) -> tuple[int | None, int | None]:
    """Return where in the pictures of a case the method and the truth are; None where they are not."""
    sources = facts["sources"] if facts else []
    of_method = (k for k, source in enumerate(sources) if source["kind"] == "method" and source["label"] == method)
    of_truth = (k for k, source in enumerate(sources) if source["kind"] == "truth")
    return next(of_method, None), next(of_truth, None)
