"""Slices of the results, which show where a method fails: means over the cases that share an attribute.

Attributes are the kind of hole, its size, and whatever else the cases carry.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from vibench.report.numbers import NOTHING, decimals, number
from vibench.report.page.plots import colour
from vibench.report.verdict import column_words
from vibench.results.record import TRUTH
from vibench.results.records import Numbers
from vibench.results.results import Results
from vibench.results.table import Column, Table, compared_values

FEWEST_CASES = 2
"""A slice of a single case is that case, and its own page shows it better."""


def slices_by_column(table: Table, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return for each column the small pictures and tables of all attributes, columns without any left out."""
    found = slices_of(table)
    return [
        {"key": column.key, "name": column_words(column), "better": column.metric.better, "slices": here}
        for column in columns
        if (here := [each for each in found if each["key"] == column.key])
    ]


def slices_of(table: Table) -> list[dict[str, Any]]:
    """Return a small table for each column and each attribute that splits the cases.

    Each has ``heads``, pairs of an attribute's value and the number of its cases, and ``rows``, pairs of a method and
    its means as texts.
    """
    return [
        _slice(table, column, attribute, values, sliced)
        for attribute, values in attributes(table.results).items()
        for column in table.columns
        if len((sliced := means_by(table, column, values)).columns) > 1
    ]


def _slice(
    table: Table, column: Column, attribute: str, values: Mapping[str, str], sliced: pd.DataFrame
) -> dict[str, Any]:
    digits = decimals(table, column)
    counts = Counter(values.get(case) for case in table.compared[column.key])
    places = {row.method: place for place, row in enumerate(table.rows)}
    return {
        "picture": _picture(
            {places[str(method)]: line for method, line in zip(sliced.index, sliced.to_numpy(), strict=True)}, digits
        ),
        "attribute": attribute,
        "key": column.key,
        "name": f"{column_words(column)} {column.arrow}",
        "heads": [(str(value), counts[str(value)]) for value in sliced.columns],
        "rows": [
            (str(method), [number(value, digits) if np.isfinite(value) else NOTHING for value in line])
            for method, line in zip(sliced.index, sliced.to_numpy(), strict=True)
        ],
    }


PICTURE = {"width": 260, "height": 120, "left": 52, "right": 6, "top": 10, "bottom": 8}


def _picture(means: Mapping[int, Numbers], digits: int) -> Markup:
    """Draw a line a method through its means in the slices; ``means`` maps its place in the table to them."""
    known = np.concatenate([line[np.isfinite(line)] for line in means.values()])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    wide, tall = (
        PICTURE["width"] - PICTURE["left"] - PICTURE["right"],
        PICTURE["height"] - PICTURE["top"] - PICTURE["bottom"],
    )

    def point(slice_at: int, count: int, value: float) -> tuple[float, float]:
        x = PICTURE["left"] + (slice_at + 0.5) / count * wide
        return x, PICTURE["top"] + (high - value) / ((high - low) or 1) * tall

    parts = []
    for value in (high, low):
        y = point(0, 1, value)[1]
        parts.append(f'<path d="M{PICTURE["left"]} {y:.1f}h{wide}" stroke="currentColor" stroke-opacity=".2"/>')
        parts.append(
            f'<text x="{PICTURE["left"] - 4}" y="{y + 4:.1f}" text-anchor="end">{number(value, digits)}</text>'
        )
    for place, line in means.items():
        points = [point(k, len(line), float(value)) for k, value in enumerate(line) if np.isfinite(value)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
        parts.append(
            f'<g data-method="{place}" fill="{colour(place)}"><path d="M{path}" fill="none" stroke="{colour(place)}" '
            f'stroke-width="1.6"/>{dots}</g>'
        )
    # Numbers and colours of our own: nothing in it comes from a file.
    return Markup(
        f'<svg viewBox="0 0 {PICTURE["width"]} {PICTURE["height"]}" aria-hidden="true">{"".join(parts)}</svg>'
    )


def attributes(results: Results) -> dict[str, Mapping[str, str]]:
    """Return the value of each attribute for each case, as text: attribute -> case -> value.

    Numbers are parted into thirds. Attributes that tell every case apart are left out.
    """
    raw: dict[str, dict[str, str | float]] = {}
    columns, sizes = results.records.texts, results.records.numbers["hole_fraction"]
    told = [json.loads(text) for text in columns["attributes"].texts]
    is_truth = columns["method"].codes == columns["method"].place(TRUTH)
    is_failed = columns["status"].codes == columns["status"].place("failed")
    for row in np.flatnonzero(~(is_truth | is_failed)).tolist():
        case = columns["case"].at(row)
        for name, value in {**told[columns["attributes"].codes[row]], "hole size": float(sizes[row])}.items():
            raw.setdefault(name, {})[case] = value
    texts = {name: _as_texts(values) for name, values in raw.items()}
    return {name: values for name, values in texts.items() if _splits(values)}


def means_by(table: Table, column: Column, values: Mapping[str, str]) -> pd.DataFrame:
    """Return the mean over cases of each method (rows) in each slice of two cases or more (columns).

    ``values`` maps cases to slices. Only the cases count that the table compares.
    """
    matrix, _ = compared_values(table.results, column)
    labels = pd.Series({case: values.get(str(case)) for case in matrix.index}, dtype=object).dropna()
    counts = labels.value_counts()
    kept = labels[labels.map(counts) >= FEWEST_CASES]
    means: pd.DataFrame = matrix.loc[kept.index].groupby(kept, sort=False).mean().T
    return means[sorted(means.columns, key=lambda name: _order(str(name)))]


def _splits(values: Mapping[str, str]) -> bool:
    """Say whether an attribute parts the cases, and its values are not almost as many as the cases."""
    distinct = set(values.values())
    return len(distinct) > 1 and len(distinct) * FEWEST_CASES <= len(values)


def _as_texts(values: Mapping[str, str | float]) -> dict[str, str]:
    numbers = [value for value in values.values() if not isinstance(value, str)]
    if len(numbers) < len(values):
        return {case: str(value) for case, value in values.items()}
    low, high = np.quantile(numbers, [1 / 3, 2 / 3])
    if low == high:
        return {case: f"{value:.3g}" for case, value in values.items()}
    names = (f"up to {low:.3g}", f"{low:.3g} to {high:.3g}", f"over {high:.3g}")
    return {case: names[int(value > low) + int(value > high)] for case, value in values.items()}


def _order(text: str) -> tuple[int, str]:
    """Sort thirds in their order, anything else by name."""
    return (0 if text.startswith("up to") else 2 if text.startswith("over") else 1, text)
