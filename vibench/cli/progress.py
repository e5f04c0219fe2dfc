"""How far a command is: a bar with the time left on a terminal, plain lines where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from vibench.errors import one_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from vibench import Listener, Record


EVERY_SECONDS = 10.0
"""So often a line tells how far a long piece of work is, where there is no terminal to draw a bar on."""


@contextmanager
def progress() -> Iterator[Listener]:
    """Show how a run goes, on standard error, for as long as the block lasts."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        yield Bar(bar)


@contextmanager
def frame_progress() -> Iterator[Callable[[int | None], Callable[[], None]]]:
    """Show how one video is filled.

    Call what this yields with the number of frames, or None where that is unknown; call what that returns after each
    frame.
    """
    if not sys.stderr.isatty():
        yield _frame_lines
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True)) as bar:

        def begin(total: int | None) -> Callable[[], None]:
            task = bar.add_task("filling", total=total)
            return lambda: bar.update(task, advance=1)

        yield begin


@contextmanager
def step_progress() -> Iterator[Callable[[str, int], None]]:
    """Show steps that have names: call what this yields with a step's name and the number of all before it begins."""
    if not sys.stderr.isatty():
        yield lambda name, steps: print(name, file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), transient=True) as bar:
        task, begun = bar.add_task(""), 0

        def begin(name: str, steps: int) -> None:
            nonlocal begun
            bar.update(task, description=name, completed=begun, total=steps)
            begun += 1

        yield begin


def _frame_lines(total: int | None, every_seconds: float = EVERY_SECONDS) -> Callable[[], None]:
    began = said = monotonic()
    done = 0

    def advance() -> None:
        nonlocal began, said, done
        done += 1
        now = monotonic()
        if done == 1:
            # Loading and look-ahead are over: only the frames from here on tell how fast it goes.
            began = now
        elif now - said >= every_seconds:
            said = now
            left = (
                "" if total is None else f" of {total}, about {(now - began) / (done - 1) * (total - done):.0f} s left"
            )
            print(f"{done} frames{left}", file=sys.stderr, flush=True)

    return advance


class Bar:
    """Draws a bar on a terminal, with rich."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.task = self.bar.add_task("starting", total=None)

    def started(self, total: int, remaining: int) -> None:
        """Show how many records are there already, and count only the others, so that the time left is right."""
        description = "measuring" if remaining else "all done before"
        self.bar.update(self.task, description=description, total=remaining, completed=0)
        if remaining < total:
            self.say(f"{total - remaining} of {total} records exist already")

    def filling(self, method: str, case: str, done: int, total: int) -> None:
        """Show what is being worked on, and how far a method that streams has come."""
        part = f" · {done} of {total} frames" if done else ""
        self.bar.update(self.task, description=_escaped(f"{method} · {case}{part}"))

    def finished(self, record: Record) -> None:
        """Move the bar one step on; a failure is written above it, where it stays."""
        self.bar.update(self.task, advance=1, description=_escaped(f"{record.method} · {record.case}"))
        if record.failure is not None:
            self.say(f"failed: {record.method} on {record.case}: {one_line(record.failure.message)}")

    def say(self, sentence: str) -> None:
        """Write a line above the bar."""
        self.bar.console.print(_escaped(sentence))


class Lines:
    """Prints one line for every record."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self.began = monotonic()
        self.first: tuple[float, int] | None = None
        self.spoke = self.began, 0

    def started(self, total: int, remaining: int) -> None:
        """Say how many records are to be made."""
        self.total = remaining
        self.say(f"{remaining} of {total} records to make")

    def filling(self, method: str, case: str, done: int, total: int) -> None:
        """A line every ``EVERY_SECONDS``, with the time left at the speed of the frames since the first."""
        now = monotonic()
        if done == 0:
            self.first = None
        elif self.first is None:
            self.first = self.spoke = now, done
        elif now - self.spoke[0] >= EVERY_SECONDS and done > self.first[1]:
            self.spoke = now, done
            left = (now - self.first[0]) / (done - self.first[1]) * (total - done)
            self.say(f"{method}  {case}  {done} of {total} frames, about {left:.0f} s left")

    def finished(self, record: Record) -> None:
        """Print method, case, outcome, and the time that is left if all records take equally long."""
        self.done += 1
        left = (monotonic() - self.began) / self.done * (self.total - self.done)
        outcome = f"failed: {one_line(record.failure.message)}" if record.failure else record.status
        self.say(f"[{self.done}/{self.total}] {record.method}  {record.case}  {outcome}  (about {left:.0f} s left)")

    def say(self, sentence: str) -> None:
        """Write a line to standard error at once."""
        print(sentence, file=sys.stderr, flush=True)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
