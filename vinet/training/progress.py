"""How far a training is: a bar on a terminal, a plain line now and then elsewhere, TensorBoard if it is installed."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

EVERY_SECONDS = 30.0


class Progress:
    """Receives every step of the leading process."""

    def __init__(self, total: int, bar: Any, board: Any) -> None:
        self._total = total
        self._bar = bar
        self._task = bar.add_task("training", total=total, note="") if bar else None
        self._board = board
        self._last = -EVERY_SECONDS

    def step(self, done: int, stage: str, values: Mapping[str, float]) -> None:
        """Show step `done` of all stages together."""
        note = f"{stage} " + " ".join(f"{name} {value:.4f}" for name, value in values.items())
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(f"{stage}/{name}", value, done)
        if self._bar:
            self._bar.update(self._task, completed=done, note=note)
        elif time.monotonic() - self._last >= EVERY_SECONDS or done == self._total:
            self._last = time.monotonic()
            print(f"{done}/{self._total} {note}", flush=True)


@contextmanager
def progress(total: int, folder: Path, done: int) -> Iterator[Progress]:
    """A `Progress` that starts behind step `done`; what TensorBoard has of later steps is hidden."""
    board = None
    if find_spec("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter

        board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)
    try:
        if sys.stdout.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            with Bar(
                BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}")
            ) as bar:
                yield Progress(total, bar, board)
        else:
            yield Progress(total, None, board)
    finally:
        if board:
            board.close()
