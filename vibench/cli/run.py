"""The commands ``vibench run`` and ``vibench score``: methods on the cases of a protocol, and their measurement."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vibench.cli.options import (
    WHICH_PROTOCOL,
    Data,
    Device,
    FirstCases,
    Include,
    MasksFolder,
    Methods,
    Python,
    ends_after_interrupt,
)

if TYPE_CHECKING:
    from vibench import Run

ShardName = Annotated[
    str,
    typer.Option("--shard", metavar="I/N", help="Only part I of N of the cases, I from 0; auto: of a Slurm job array."),
]
SOME_FAILED = 4
"""Exit status of a run in which a method failed on a case."""


def run(
    methods: Methods,
    protocol: Annotated[str, typer.Option("--protocol", "-p", help=WHICH_PROTOCOL)] = "bundled",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder or URL that holds runs.")] = Path("results"),
    data: Data = None,
    masks: MasksFolder = None,
    limit: FirstCases = None,
    cases: Annotated[str, typer.Option(help="Only cases whose name holds one of these texts, by comma.")] = "",
    seeds: Annotated[str, typer.Option(help="Only these of the protocol's seeded repeats, by comma, from 0.")] = "",
    metrics: Annotated[str, typer.Option(help="Metrics by comma instead of the protocol's own.")] = "",
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(min=1, help="Cases side by side; times are then those of a busy machine.")] = 1,
    predict_only: Annotated[bool, typer.Option("--predict-only", help="Fill and keep frames; score later.")] = False,
    keep_frames: Annotated[bool, typer.Option(help="Keep output frames, losslessly, for score and report.")] = True,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed cases once more.")] = False,
    time_limit: Annotated[float | None, typer.Option(min=0.001, help="Seconds a method may take a case.")] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Run methods in this process, for a debugger; a crash ends the run.")
    ] = False,
    python: Python = "",
    name: Annotated[str, typer.Option(help="Name of the run's folder, instead of protocol and digest.")] = "",
    shard: ShardName = "",
    on: Annotated[
        str,
        typer.Option(
            metavar="ENGINE", help="Where the work is done: 'slurm\\[shards=32,gpus=1]', a job array; 'ray', a cluster."
        ),
    ] = "",
    include: Include = None,
) -> None:
    """Fill the holes of every case with every method, time it, score it, and write one record each.

    The same command continues where it stopped, be it by Ctrl-C, a kill or a full disk. Another command makes another
    run, and takes over what a run in the same --output has made by the same method of the same data: to add a method
    measures that one. To measure all again, name another --output. With further --metrics, only these are measured, on
    the frames that were kept. With --shard, several such commands make a part each, into one folder or into folders
    that vibench merge puts together; --on slurm sends them itself, and --on ray deals the cases to a cluster (see
    docs/cluster.md). The exit status is 0 if every case was filled, and 4 if a method failed on one:
    its record and the table say why.
    """
    import vibench
    from vibench.cli.progress import progress

    with progress() as listener, ends_after_interrupt():
        done = vibench.run(
            protocol,
            methods,
            output=output,
            metrics=metrics,
            data=data,
            masks=masks,
            device=device,
            limit=limit,
            cases=cases,
            seeds=seeds,
            jobs=jobs,
            predict_only=predict_only,
            keep_frames=keep_frames,
            retry_failed=retry_failed,
            time_limit_seconds=time_limit,
            in_process=in_process,
            python=python,
            name=name,
            shard=shard,
            on=on,
            listener=listener,
            command=shlex.join(["vibench", *sys.argv[1:]]),
        )
    _print_summary(done)
    if failures := done.failures:
        made = len(done.methods) * len(done.cases)
        typer.echo(
            f"{'all' if len(failures) == made else 'partial:'} {len(failures)} of {made} records failed", err=True
        )
        raise typer.Exit(SOME_FAILED)


def score(
    runs: Annotated[list[Path], typer.Argument(help="Run folders or URLs, as vibench list runs prints them.")],
    metrics: Annotated[str, typer.Option(help="Metrics by comma; the protocol's own when left out.")] = "",
    data: Data = None,
    device: Device = "auto",
    shard: ShardName = "",
    include: Include = None,
) -> None:
    """Measure kept frames again, without the methods: after --predict-only, or with further metrics.

    Values that are missing are measured, and values that another version of a metric's code measured; the others stay.
    """
    import vibench
    from vibench.cli.progress import progress

    for folder in runs:
        with progress() as listener, ends_after_interrupt():
            done = vibench.score(folder, metrics, data=data, device=device, shard=shard, listener=listener)
        _print_summary(done)


def _print_summary(done: Run) -> None:
    import vibench

    for problem in done.problems:
        typer.secho(f"note: {problem}", err=True)
    vibench.print_summary(done.store)
    typer.echo(f"run: {done.place}")
