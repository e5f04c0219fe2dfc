"""The command ``vibench regress``: is this version of a method slower, hungrier or worse than another one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vibench.cli.options import Device, seconds_of, size_of
from vibench.errors import shown_text

if TYPE_CHECKING:
    from vibench import Regression


class Form(StrEnum):
    """How the verdicts are printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITHUB = "github"


def regress(
    methods: Annotated[
        str,
        typer.Option(
            "--methods", "-m", help="Methods, separated by commas, with options in brackets, as in vibench run."
        ),
    ],
    against: Annotated[
        str,
        typer.Option(
            help="A git ref, a .whl file, 'last' (the newest tag before this commit, else the commit before), or "
            "'same\\[option=value]': this code with other options."
        ),
    ] = "last",
    threshold: Annotated[
        float, typer.Option(help="Ratio new / old beyond which time or memory counts as worse.")
    ] = 1.10,
    quality_threshold: Annotated[
        float, typer.Option(min=0.0, help="Loss in dB (PSNR in the hole) that counts as worse.")
    ] = 0.1,
    budget: Annotated[str, typer.Option(help="Time for all methods together: 90s, 10m, 1h.")] = "10m",
    form: Annotated[Form, typer.Option("--format", help="How the verdicts are printed.")] = Form.TEXT,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead of printing.")] = None,
    size: Annotated[str, typer.Option(help="Width x height of the made clips in pixels.")] = "128x128",
    frames: Annotated[int, typer.Option(min=4, help="Frames of each made clip.")] = 8,
    device: Device = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of each version.")] = 1,
    seed: Annotated[int | None, typer.Option(help="A number that makes the order of measurements repeatable.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Compare with this file, which --save wrote on an equal machine.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Measure this version alone, and write its numbers to this file.")
    ] = None,
    append: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="Add what is found to this file, for vibench history.")
    ] = None,
) -> None:
    """Say whether this version of a method is slower, hungrier or worse than another one.

    Both versions are measured in turns on this machine, until every verdict is sure or the budget is spent.

    Exit status: 0 nothing is worse; 1 something is slower, hungrier or worse; 2 the command cannot be used as
    given; 3 nothing is known to be worse, but a verdict is unclear or incomparable.
    """
    import vibench

    found = vibench.find_regressions(
        methods,
        against,
        threshold=threshold,
        quality_threshold_db=quality_threshold,
        budget_seconds=seconds_of(budget),
        size=size_of(size),
        frames=frames,
        device=device,
        threads=threads,
        seed=seed,
        baseline=baseline,
        save=save,
        append=append,
        done=_tell,
    )
    if save is not None:
        typer.echo(f"baseline: {save}", err=True)
        if baseline is None:
            return
    text = vibench.regression_text(found, form.value)
    if output is None:
        typer.echo(text)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", encoding="utf-8")
    raise typer.Exit(vibench.exit_status(found))


def _tell(regression: Regression) -> None:
    """Say that a method has been measured, and show what a version raised that could not be."""
    if regression.traceback:
        typer.secho(shown_text(regression.traceback), err=True, dim=True)
    typer.secho(f"{regression.method}: measured", err=True, dim=True)
