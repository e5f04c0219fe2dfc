"""A run written for other programs: which formats there are, and what all of them are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vibench.errors import InputError
from vibench.files import disk_errors, write_atomically
from vibench.report.publish.leaderboards import every_eval_ever, hugging_face
from vibench.report.publish.source import Source
from vibench.report.publish.watchers import bencher, junit, pytest_benchmark
from vibench.results.results import Results
from vibench.results.run import Run, open_run
from vibench.results.table import tabulate

Files = Mapping[str, str]
"""The name of a file -> its text."""


@dataclass(frozen=True)
class Format:
    """A format: what writes it, and whether a reader of it needs to know which data set of the Hub it is about."""

    write: Callable[[Source], Files]
    needs_dataset: bool = False


FORMATS: dict[str, Format] = {
    "hugging-face": Format(hugging_face, needs_dataset=True),
    "every-eval-ever": Format(every_eval_ever),
    "bencher": Format(bencher),
    "pytest-benchmark": Format(pytest_benchmark),
    "junit": Format(junit),
}


def published_texts(
    run: str | Path | Run, format: str, *, dataset: str = "", source_url: str = "", organization: str = ""
) -> dict[str, str]:
    """Return a run in a format of ``FORMATS``: the text of each file by its name.

    ``dataset`` is the benchmark's name on the Hugging Face Hub, ``OWNER/NAME``, which ``hugging-face`` needs;
    ``source_url`` is where the run can be read, ``organization`` who made it. InputError where the run cannot be read,
    the format is another, or something that it needs is missing.
    """
    if format not in FORMATS:
        raise InputError(f"--format is {', '.join(FORMATS)}, not {format!r}")
    chosen = FORMATS[format]
    if chosen.needs_dataset and dataset.count("/") != 1:
        raise InputError(f"{format} needs --dataset OWNER/NAME, the benchmark's name on the Hub, not {dataset!r}")
    opened = run if isinstance(run, Run) else open_run(run)
    table = tabulate(Results.of(opened.info, opened.store.records()))
    return dict(chosen.write(Source(opened.info, table, dataset, source_url, organization)))


def publish(
    run: str | Path | Run,
    format: str,
    output: str | Path,
    *,
    dataset: str = "",
    source_url: str = "",
    organization: str = "",
) -> list[Path]:
    """Write a run in a format (see ``published_texts``) into the folder ``output``; return the files, whole each."""
    texts = published_texts(run, format, dataset=dataset, source_url=source_url, organization=organization)
    folder = Path(output)
    with disk_errors(folder):
        for name, text in texts.items():
            write_atomically(folder / name, text.encode())
    return [folder / name for name in texts]
