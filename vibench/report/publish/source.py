"""What every format is written from: the run's page, its table, and what only its maker knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vibench.report.numbers import average, counted_cases, handling
from vibench.results.record import RunInfo
from vibench.results.statistics import Estimate
from vibench.results.table import Column, Row, Table


@dataclass(frozen=True)
class Source:
    """A run to be published. ``dataset`` is its benchmark's name on the Hub; each text may be empty."""

    info: RunInfo
    table: Table
    dataset: str = ""
    source_url: str = ""
    organization: str = ""

    @property
    def rows(self) -> tuple[Row, ...]:
        """The methods; the truth's own numbers are no method's."""
        return tuple(row for row in self.table.rows if not row.is_floor)

    def numbers(self, row: Row) -> Iterator[tuple[Column, Estimate]]:
        """Yield the columns that a method has a number in."""
        for column in self.table.columns:
            found = row.cells[column.key].estimate
            if found is not None:
                yield column, found

    @property
    def setting(self) -> str:
        """How the numbers were made, in a few sentences."""
        results = self.table.results
        version = self.info.versions.get("vibench", "of an unknown version")
        return (
            f"vibench {version}, protocol {results.label} (digest {self.info.protocol_digest[:12]}), "
            f"{counted_cases(results)}. {average(results)} {handling(results)}"
        )

    @property
    def data(self) -> str:
        """The name of the data set."""
        data = self.info.protocol.get("data", {})
        return str(data.get("dataset") or self.info.protocol_label)
