"""A table as it is shown: heads, cells with their marks, and a caption. Every form of text is written from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from vibench.report.numbers import (
    NOTHING,
    SPEED_HEADS,
    caption,
    cases_text,
    column_head,
    decimals,
    interval,
    knows_text,
    number,
    remarks,
    row_name,
    speed_texts,
)
from vibench.results.table import Cell, Column, Mark, Row, Table

ONE_COLUMN_EM = 28.0
TWO_COLUMNS_EM = 58.0
"""How wide a column and a page of a two-column paper are, in units of the size in which tables are set.

A column of LaTeX's article is 229 points and its page 469; tables are set in its footnotesize, 8 points."""
GAP_EM = 0.9
CHARACTER_EM = 0.55
"""A digit is half the size wide, a bold one or a capital letter a little more."""
SMALL = 0.85
"""So much smaller is what stands beside a mean."""


@dataclass(frozen=True)
class Entry:
    """What stands in a cell: a text, what stands smaller beside it, and whether it is the best or the second."""

    text: str
    beside: str = ""
    mark: Mark | None = None

    @property
    def width_em(self) -> float:
        """About how wide it is printed."""
        return CHARACTER_EM * (len(self.text) + SMALL * (len(self.beside) + 1 if self.beside else 0))


@dataclass(frozen=True)
class Head:
    """The head of a column: a name, and in a second line what it is of."""

    text: str
    below: str = ""


@dataclass(frozen=True)
class Grid:
    """A table to be written. ``label`` is what a document refers to it by; a rule stands above each row in ``ruled``.

    ``caption`` are the sentences that must stand below the numbers, ``remarks`` those that a caption may leave out.
    """

    title: str
    label: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Entry, ...], ...]
    ruled: frozenset[int]
    caption: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def widths_em(self) -> tuple[float, ...]:
        """About how wide each column is printed, with the gap beside it."""
        heads = (CHARACTER_EM * max(len(head.text), len(head.below)) for head in self.heads)
        return tuple(
            GAP_EM + max([head, *(row[place].width_em for row in self.rows)]) for place, head in enumerate(heads)
        )

    @property
    def is_wide(self) -> bool:
        """Whether it needs both columns of a two-column page."""
        return sum(self.widths_em) > ONE_COLUMN_EM

    def panels(self) -> Iterator[Grid]:
        """Yield it in parts that fit on a page, one below another, each of which begins with the first column."""
        widths, part = self.widths_em, [0]
        for place in range(1, len(widths)):
            if len(part) > 1 and sum(widths[one] for one in part) + widths[place] > TWO_COLUMNS_EM:
                yield self._part(part)
                part = [0]
            part.append(place)
        yield self._part(part)

    def _part(self, places: Sequence[int]) -> Grid:
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, heads=tuple(self.heads[place] for place in places), rows=rows)


Extra = tuple[str, Callable[[Row, Table], str]]
"""The head of a column that is not a metric, and what a row has in it."""


def _speed_text(place: int, row: Row, table: Table) -> str:
    return speed_texts(row)[place]


EXTRAS: dict[str, Extra] = {
    "knows": ("knows", lambda row, _: knows_text(row)),
    "cases": ("cases", cases_text),
    **{head: (head, partial(_speed_text, place)) for place, head in enumerate(SPEED_HEADS)},
}
"""What a table may show beside metrics."""


def grid_of(
    table: Table,
    extras: Sequence[str] = (),
    intervals: bool = True,
    head_of: Callable[[Column], Head] = lambda column: Head(column_head(column)),
    names: Mapping[str, str] | None = None,
) -> Grid:
    """Lay out a table: the names of its methods, its columns of metrics, then ``extras``, keys of ``EXTRAS``.

    ``names`` are those that methods are shown under where these are not their own.
    """
    shown = names or {}
    rows = tuple(
        (
            Entry(shown.get(row.method, row_name(row))),
            *(entry_of(row.cells[column.key], decimals(table, column), intervals) for column in table.columns),
            *(Entry(EXTRAS[key][1](row, table)) for key in extras),
        )
        for row in table.rows
    )
    has_speed = bool(set(extras) & set(SPEED_HEADS))
    return Grid(
        title=table.results.label,
        label=re.sub("[^a-zA-Z0-9]+", "-", table.results.label),
        heads=(Head("method"), *map(head_of, table.columns), *(Head(EXTRAS[key][0]) for key in extras)),
        rows=rows,
        ruled=frozenset(place for place, row in enumerate(table.rows) if row.is_floor and place),
        caption=tuple(caption(table, intervals, has_speed)),
        remarks=tuple(remarks(table)),
    )


def entry_of(cell: Cell, digits: int, intervals: bool = True) -> Entry:
    """Write a mean, with its interval beside it where ``intervals``; a dash where there is none."""
    if cell.estimate is None:
        return Entry(NOTHING)
    beside = interval(cell.estimate, digits) if intervals else ""
    return Entry(number(cell.estimate.mean, digits), beside, cell.mark)


def sentence(text: str) -> str:
    """End a text with a full stop."""
    return text if text.endswith(".") else f"{text}."
