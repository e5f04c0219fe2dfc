"""What a table says, in words: who is best at what and by how much, what cannot be told apart, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vibench.report.numbers import counted, decimals, interval, number
from vibench.results.statistics import SIGNIFICANT, TOO_FEW, Difference, clips_text
from vibench.results.table import Column, Table, difference

HEADLINES = 4
"""So many columns are shown first where a protocol does not name them."""


@dataclass(frozen=True)
class Finding:
    """What one column says.

    ``best`` has the best mean and ``second`` the next. ``level`` are the methods that cannot be told from ``best``, and
    ``behind`` those that are significantly worse, both from the better mean to the worse one. ``lead`` is by how much
    ``best`` is better than ``second``, clip by clip, positive whichever direction is better; its p is the one that the
    table marks by. ``why`` says why ``best`` is not marked, and is empty where it is.
    """

    column: Column
    best: str
    second: str | None
    level: tuple[str, ...]
    behind: tuple[str, ...]
    lead: Difference | None
    why: str


def headline_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns that a report shows first: those of the protocol's ``headline`` that were measured.

    Where it names none of these, one region of each family of metrics is taken, in the hole where there is that region,
    ``HEADLINES`` at most.
    """
    chosen = table.results.protocol.get("headline") or ()
    named = tuple(column for key in chosen for column in table.columns if column.key == key)
    if named:
        return named
    families: dict[str, Column] = {}
    for column in table.columns:
        family = column.metric.name.partition("-")[0]
        if family not in families or (column.region == "hole" and families[family].region != "hole"):
            families[family] = column
    return tuple(families.values())[:HEADLINES]


def column_words(column: Column) -> str:
    """Name a column in words, such as ``PSNR in the hole``; what is not a region of ours stands in brackets."""
    return f"{column.metric.title} {region_words(column)}".rstrip()


def region_words(column: Column) -> str:
    """Say where a column is measured, such as ``in the hole``."""
    margin = re.fullmatch(r"kept-(\d+)px", column.region)
    known = {
        "hole": "in the hole", "frame": "over the frame", "kept": "outside the hole", "effect": "in the side effect",
        "features": "",
    }  # fmt: skip
    if margin:
        return f"{margin[1]} px and more outside the hole"
    return known.get(column.region, f"({column.region})")


def finding_of(table: Table, column: Column) -> Finding | None:
    """Return what a column of the table says; None where no method has a value in it."""
    means = {
        row.method: column.sign * known.mean
        for row in table.rows
        if not row.is_floor and (known := row.cells[column.key].estimate)
    }
    if not means:
        return None
    best, *others = sorted(means, key=lambda method: -means[method])
    leads = {other: _lead(table, column, best, other) for other in others}
    behind = tuple(other for other, lead in leads.items() if lead and lead.is_significant)
    level = tuple(other for other in others if other not in behind)
    why = _why(table, column, level[0], leads[level[0]]) if level else "" if others else "only one method was measured"
    return Finding(column, best, next(iter(others), None), level, behind, leads[others[0]] if others else None, why)


def _lead(table: Table, column: Column, best: str, other: str) -> Difference | None:
    """By how much ``best`` is better than ``other``, with the p that stands in the table, corrected where that is."""
    first, second = (other, best) if column.sign > 0 else (best, other)
    found = difference(table.results, column, first, second) if column.per_clip else None
    return found and replace(found, p=table.row(other).cells[column.key].p)


def _why(table: Table, column: Column, other: str, lead: Difference | None) -> str:
    """Say why a method cannot be told from the best one."""
    if lead is None:
        return "one number of all clips together has no paired test"
    if lead.identical:
        return f"{other} scores the same on every clip"
    known = lead.estimate
    if known.count < TOO_FEW:
        return f"of {clips_text(known.count)} no difference can be significant: it takes {TOO_FEW}"
    if not known.excludes_zero:
        return f"the interval of the difference to {other}, {interval(known, decimals(table, column))}, holds zero"
    corrected = f" after Holm's correction for {table.comparisons} comparisons" if table.holm else ""
    return f"p = {lead.p or 1:.2g} against {other} is not below {SIGNIFICANT}{corrected}"


def finding_sentence(table: Table, found: Finding) -> str:
    """Say a finding with its figures, such as ``1.20 dB [0.80, 1.60] better than telea, the next.``"""
    if found.lead is None:
        return f"{found.why[:1].upper()}{found.why[1:]}." if found.why else ""
    by = _amount(table, found.column, found.lead)
    if not found.level:
        return f"{by} better than {found.second}, the next."
    if not found.behind:
        level = found.second if found.level == (found.second,) else "any other"
        return f"{by} ahead of {found.second} in the mean, and not to be told from {level}: {found.why}."
    return (
        f"{by} ahead of {found.second} in the mean. Not to be told from {_listed(found.level)}: {found.why}. "
        f"Significantly worse: {_listed(found.behind)}."
    )


def verdict(table: Table, columns: Sequence[Column]) -> list[str]:
    """Say in a few sentences what ``columns`` of the table say, and what failed or was not run."""
    found = [known for column in columns if (known := finding_of(table, column))]
    return [*_about_best(table, found), *_about_failures(table)]


def _about_best(table: Table, found: Sequence[Finding]) -> list[str]:
    if not found:
        return ["Nothing has been scored yet."]
    compared = [known for known in found if known.lead or known.level]
    if not compared:
        return [f"Only {_listed(sorted({known.best for known in found}))} was measured: there is nothing to compare."]
    won = [known for known in compared if not known.level]
    said = [
        f"{method} is best at {_listed([_won(table, known) for known in knowns])}"
        for method, knowns in _by_best(won).items()
    ]
    sentences = [f"{'; '.join(said)}."] if said else []
    level = [known for known in compared if known.level]
    counts = [known.lead.estimate.count for known in level if known.lead]
    if counts and not won and min(counts) < TOO_FEW:
        return [_too_few(level, min(counts))]
    return sentences + [
        f"At {column_words(known.column)}, {known.best} has the best mean but cannot be told from "
        f"{_listed(known.level)}."
        for known in level
    ]


def _won(table: Table, found: Finding) -> str:
    by = f" ({_amount(table, found.column, found.lead)} better than {found.second})" if found.lead else ""
    return column_words(found.column) + by


def _too_few(level: Sequence[Finding], count: int) -> str:
    means = "; ".join(
        f"{method} leads {_listed([column_words(known.column) for known in knowns])}"
        for method, knowns in _by_best(level).items()
    )
    return (
        f"No method can be called the best: of {clips_text(count)} no difference can be significant, which takes "
        f"{TOO_FEW}. By the mean alone, {means}."
    )


def _by_best(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for known in found:
        groups.setdefault(known.best, []).append(known)
    return groups


def _about_failures(table: Table) -> list[str]:
    total = len(table.results.cases)
    said = []
    for row in table.rows:
        if row.failed:
            said.append(f"{row.method} failed on {len(row.failed)} of {counted(total, 'case')}.")
        if row.missing and not row.is_floor:
            said.append(f"{row.method} was not run on {len(row.missing)} of {counted(total, 'case')}.")
    return said


def _amount(table: Table, column: Column, lead: Difference) -> str:
    digits = decimals(table, column)
    unit = f" {column.metric.unit}" if column.metric.unit else ""
    beside = interval(lead.estimate, digits)
    return f"{number(lead.estimate.mean, digits)}{unit}" + (f" {beside}" if beside.startswith("[") else "")


def _listed(names: Sequence[str], at_most: int = 4) -> str:
    """Write ``a``, ``a and b``, ``a, b and c``, or ``a, b, c, d and 3 more``."""
    if len(names) > at_most:
        return f"{', '.join(names[:at_most])} and {len(names) - at_most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
