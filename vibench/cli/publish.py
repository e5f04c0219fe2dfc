"""The command ``vibench publish``: a run in the format of a leaderboard, a service that watches numbers, or a CI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.report import OneRun


def publish(
    run: OneRun,
    format: Annotated[str, typer.Option(help="hugging-face, every-eval-ever, bencher, pytest-benchmark or junit.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write into; when left out, one file is printed.")
    ] = None,
    dataset: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="The benchmark's name on the Hugging Face Hub.")
    ] = "",
    source_url: Annotated[str, typer.Option(help="Where the run can be read.")] = "",
    organization: Annotated[str, typer.Option(help="Who made the run.")] = "",
) -> None:
    """Write a run in a format that other programs read; leaderboards have a file a method.

    vibench publish RUN --format bencher | bencher run --adapter json
    """
    import vibench

    told = {"dataset": dataset, "source_url": source_url, "organization": organization}
    if output is not None:
        for path in vibench.publish(run, format, output, **told):
            typer.echo(f"written: {path}")
        return
    texts = vibench.published_texts(run, format, **told)
    if len(texts) != 1:
        raise vibench.InputError(f"this run is {len(texts)} files, {', '.join(texts)}; name a folder by --output")
    typer.echo(next(iter(texts.values())), nl=False)
