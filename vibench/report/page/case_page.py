"""What a case page shows: the players' facts, this case's numbers, and its curves frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vibench.files import slug
from vibench.report.numbers import FLOOR_NAME, NOTHING, decimals, number
from vibench.report.page import plots
from vibench.results.record import TRUTH
from vibench.results.results import Results
from vibench.results.table import Table


def page_name(results: Results, case: str) -> str:
    """Return the file name of a case's page; different protocols never share one."""
    return f"{slug(results.label)}-{results.runs[0].protocol_digest[:6]}-{slug(case)}.html"


def case_context(table: Table, case: str, shown: Sequence[str], media: dict[str, Any] | None) -> dict[str, Any]:
    """Return everything that ``case.html`` names; ``media`` is None where the run did not keep its frames.

    ``shown`` are the cases that have a page, among which the case has its neighbours.
    """
    results = table.results
    place = shown.index(case)
    around = {"previous": place - 1, "next": place + 1}
    rows = results.records.texts["case"].rows_of(case)
    known = next((results.records[int(row)] for row in rows if results.records.numbers["frames"][row]), None)
    return {
        "case": case,
        "label": results.label,
        "neighbours": {
            name: (shown[index], page_name(results, shown[index]))
            for name, index in around.items()
            if 0 <= index < len(shown)
        },
        "columns": [
            (column.metric.name, column.region, column.metric.unit, column.arrow) for column in table.clip_columns
        ],
        "rows": [_row(index, row.method, table, case) for index, row in enumerate(table.rows)],
        "attributes": dict(known.attributes) if known else {},
        "size": f"{known.frames} frames of {known.width} × {known.height} px" if known else "",
        "hole": f"{100 * known.hole_fraction:.1f} % of the pixels are hole" if known else "",
        "media": media,
        "player": player_data(table, case, media),
    }


def player_data(table: Table, case: str, media: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the page's script reads: facts about the pictures, colours of the methods, curves by column."""
    results = table.results
    colours = {row.method: plots.colour(place) for place, row in enumerate(table.rows)}
    curves = {}
    for column in table.clip_columns:
        series = {}
        for row in table.rows:
            record = results.record(row.method, case)
            values = record.metrics.get(column.metric.name, {}).get(column.region) if record else None
            if values:
                series[row.method] = [None if value is None else float(f"{value:.6g}") for value in values]
        if series:
            unit = f", {column.metric.unit}" if column.metric.unit else ""
            curves[column.key] = {"name": f"{column.metric.name} ({column.region}{unit})", "series": series}
    return {
        "media": media,
        "colours": colours,
        "curves": curves,
        "floor": TRUTH,
        "digest": results.runs[0].protocol_digest,
    }


def _row(place: int, method: str, table: Table, case: str) -> dict[str, Any]:
    record = table.results.record(method, case)
    cells = []
    for column in table.clip_columns:
        value = record.value(column.metric.name, column.region) if record else None
        cells.append(NOTHING if value is None else number(value, decimals(table, column)))
    return {
        "method": FLOOR_NAME if method == TRUTH else method,
        "colour": plots.colour(place),
        "cells": cells,
        "failure": f"{record.failure.kind}: {record.failure.message}" if record and record.failure else "",
        "missing": record is None and method != TRUTH,
    }
