"""The report: a folder that a browser opens from disk, with one page about the runs and one a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path


def build_report(
    runs: Sequence[Path], output: Path, jobs: int = 1, say: Callable[[str], None] = lambda _: None
) -> Path:
    """Write ``index.html``, ``tables.*``, ``cases/`` and ``media/`` into ``output``; return the path of the page.

    ``jobs`` processes make the pictures; more than one needs a main module that can be imported (see
    ``multiprocessing``). ``say`` hears of progress. Pictures that ``output`` already has are not made again. UserError where a run cannot be read.
    """
    # Imported here so that the processes which only make pictures do not load pandas and matplotlib.
    from vibench.report.page.folder import write_report

    return write_report(runs, output, jobs, say)
