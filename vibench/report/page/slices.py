"""Where does it fail? Means over the cases that share an attribute: kind of hole, its size, whatever the cases carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from vibench.report.numbers import decimals, number
from vibench.results.record import TRUTH
from vibench.results.results import Results
from vibench.results.table import Column, Table, compared_values

FEWEST_CASES = 2
"""A slice of a single case is that case; its own page shows it better."""


def slices_of(table: Table) -> list[dict[str, Any]]:
    """For each column and attribute that splits the cases: heads (value, number of cases) and a row of means a method."""
    found = []
    for attribute, values in attributes(table.results).items():
        for column in table.columns:
            sliced = means_by(table, column, values)
            if len(sliced.columns) > 1:
                digits = decimals(table, column)
                found.append(
                    {
                        "attribute": attribute,
                        "key": column.key,
                        "name": f"{column.metric.name}, {column.region} {column.arrow}",
                        "heads": [(str(value), sum(values.get(case) == value for case in table.compared[column.key])) for value in sliced.columns],
                        "rows": [(str(method), [number(value, digits) if np.isfinite(value) else "–" for value in line]) for method, line in zip(sliced.index, sliced.to_numpy(), strict=True)],
                    }
                )  # fmt: skip
    return found


def attributes(results: Results) -> dict[str, Mapping[str, str]]:
    """Attribute -> case -> value as text; numbers become thirds; those that tell every case apart are left out."""
    raw: dict[str, dict[str, str | float]] = {}
    for record in results.records:
        if record.method != TRUTH and record.status != "failed":
            for name, value in {**record.attributes, "hole size": record.hole_fraction}.items():
                raw.setdefault(name, {})[record.case] = value
    texts = {name: _as_texts(values) for name, values in raw.items()}
    return {name: values for name, values in texts.items() if _splits(values)}


def means_by(table: Table, column: Column, values: Mapping[str, str]) -> pd.DataFrame:
    """Mean over clips of each method (rows) in each slice with two cases or more (columns), over the compared cases."""
    matrix, _ = compared_values(table.results, column)
    labels = pd.Series({case: values.get(str(case)) for case in matrix.index}, dtype=object).dropna()
    counts = labels.value_counts()
    kept = labels[labels.map(counts) >= FEWEST_CASES]
    means: pd.DataFrame = matrix.loc[kept.index].groupby(kept, sort=False).mean().T
    return means[sorted(means.columns, key=lambda name: _order(str(name)))]


def _splits(values: Mapping[str, str]) -> bool:
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
    """Thirds in their order, anything else by name."""
    return (0 if text.startswith("up to") else 2 if text.startswith("over") else 1, text)
