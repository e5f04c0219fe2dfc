"""The commands ``vibench study make`` and ``vibench study score``: people compare results without knowing methods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

study = typer.Typer(name="study", help="Ask people which result looks more natural, blinded.", no_args_is_help=True)


@study.command()
def make(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold runs, of one protocol.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the page; it must not be there yet.")
    ] = Path("study"),
    methods: Annotated[
        str, typer.Option("--methods", "-m", help="Methods of the runs by comma; all when left out.")
    ] = "",
    cases: Annotated[str, typer.Option(help="Names of cases by comma; all when left out.")] = "",
    checks: Annotated[
        int, typer.Option(min=0, max=20, help="How many pairs only check attention: the truth beside a broken video.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Decides order, sides and blinded names.")] = 1,
    question: Annotated[str, typer.Option(help="What raters are asked.")] = "Which video looks more natural?",
    removal: Annotated[
        bool | None,
        typer.Option(
            "--removal/--no-removal",
            help="Whether to show the input too, and to ask of each video whether the object is gone, whether that "
            "looks real, and whether anything else is damaged; when left out, where the protocol removes.",
        ),
    ] = None,
) -> None:
    """Write a page of blinded pairwise comparisons that works from disk, and its key beside the folder.

    Give raters the folder and keep the key.
    """
    import vibench

    written = vibench.make_study(runs, output, methods, cases, checks, seed, question, removal, say=typer.echo)
    for note in written.notes:
        typer.secho(f"note: {note}", err=True)
    typer.echo(f"{written.trials} comparisons a rater; fewer --methods or --cases make fewer")
    typer.echo(f"page: {written.page}\nkey: {written.key} (keep it from the raters)")


@study.command()
def score(
    key: Annotated[Path, typer.Argument(help="The key file that vibench study make wrote.")],
    answers: Annotated[list[Path], typer.Argument(help="Files that raters downloaded.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write everything as JSON.")] = None,
) -> None:
    """Print how often each method was preferred, with 95 % intervals, its strength, and how far raters agree."""
    import vibench

    typer.echo(vibench.study_text(vibench.score_study(key, answers, output)))
    if output is not None:
        typer.echo(f"scores: {output}")
