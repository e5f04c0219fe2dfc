"""How far a command is: a bar with the time left on a terminal, plain lines where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from vibench.errors import one_line

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    pace = Pace(None)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, _left_column(lambda: pace.said()), console=Console(stderr=True)) as bar:

        def begin(total: int | None) -> Callable[[], None]:
            nonlocal pace
            pace = Pace(total)
            task = bar.add_task("filling", total=total)

            def advance() -> None:
                pace.advance()
                bar.update(task, advance=1)

            return advance

        yield begin


def _left_column(said: Callable[[], str]) -> ProgressColumn:
    """A column of a bar that asks anew whenever it is drawn."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(said())

    return Left()


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
    pace, said = Pace(total), monotonic()

    def advance() -> None:
        nonlocal said
        pace.advance()
        if monotonic() - said >= every_seconds:
            said = monotonic()
            of = "" if total is None else f" of {total}"
            print(", ".join(filter(None, (f"{pace.done} frames{of}", pace.said()))), file=sys.stderr, flush=True)

    return advance


class Arrival(NamedTuple):
    """The second at which a frame came, and how many had come with it."""

    second: float
    done: int


class Pace:
    """How fast frames come, and when the last one will.

    A method that looks ahead gives them in bursts: nothing for minutes, then a hundred at once. Only the end of a burst
    tells how long its frames took, so the time left follows from ends of bursts: from the beginning to the first one,
    with whatever had to be loaded, and from the first to the newest as soon as there are two. It is counted down while
    nothing comes. Frames that come one by one are bursts of one.
    """

    def __init__(self, total: int | None, clock: Callable[[], float] = monotonic) -> None:
        self.total, self.clock, self.began = total, clock, clock()
        self.last = Arrival(self.began, 0)
        self.ends: list[Arrival] = []
        """The first and the newest end of a burst."""

    @property
    def done(self) -> int:
        """How many frames have come."""
        return self.last.done

    def advance(self) -> None:
        """One more frame has come."""
        now = self.clock()
        if self._waits(now):
            self.ends = [*self.ends[:1], self.last]
        self.last = Arrival(now, self.done + 1)

    def seconds_left(self) -> float | None:
        """The seconds until the last frame, None as long as nothing can be told."""
        now = self.clock()
        ends = [*self.ends[:1], self.last] if self._waits(now) or self.done == self.total else self.ends
        if self.total is None or not ends or not self.done:
            return None
        (since, before), (until, after) = ends[0] if len(ends) > 1 else (self.began, 0), ends[-1]
        return max(0.0, until + (until - since) / max(1, after - before) * (self.total - after) - now)

    def said(self) -> str:
        """The time left in words, empty as long as nothing can be told."""
        left = self.seconds_left()
        if left is None:
            return ""
        minutes, seconds = divmod(round(left), 60)
        return f"about {f'{minutes} min ' if minutes else ''}{seconds} s left"

    def _waits(self, now: float) -> bool:
        """Whether the last frame ends a burst: since then half as much time has gone as a frame takes in the mean."""
        return self.done > 0 and now - self.last.second > (self.last.second - self.began) / self.done / 2


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
