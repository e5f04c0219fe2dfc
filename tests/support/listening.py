"""A listener of a run that only remembers what it was told."""

from __future__ import annotations

from vibench.results.record import Record


class Silent:
    """A listener that only remembers."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.said: list[str] = []
        self.fills: list[tuple[str, str, int, int]] = []
        self.remaining = -1

    def started(self, total: int, remaining: int) -> None:
        self.remaining = remaining

    def filling(self, method: str, case: str, done: int, total: int) -> None:
        self.fills.append((method, case, done, total))

    def finished(self, record: Record) -> None:
        self.records.append(record)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)
