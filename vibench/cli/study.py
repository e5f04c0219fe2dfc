"""The commands ``vibench study make`` and ``vibench study score``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vibench.study import QUESTION

if TYPE_CHECKING:
    from vibench.study.score import Share, StudyScore

study = typer.Typer(name="study", help="Ask people which result looks more natural, blinded.", no_args_is_help=True)


@study.command()
def make(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold runs, of one protocol.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page; must not exist.")] = Path("study"),
    methods: Annotated[str, typer.Option("--methods", "-m", help="Methods of the runs by comma; all if left out.")] = "",
    cases: Annotated[str, typer.Option(help="Names of cases by comma; all when left out.")] = "",
    checks: Annotated[int, typer.Option(min=0, max=20, help="Attention checks: truth against a broken one.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Decides order, sides and blinded names.")] = 1,
    question: Annotated[str, typer.Option(help="What raters are asked.")] = QUESTION,
) -> None:  # fmt: skip
    """Write a page of blinded pairwise comparisons that works from disk, and its key beside the folder.

    Give raters the folder and keep the key.
    """
    from vibench.plugins import split_outside_brackets
    from vibench.results.store import run_folders
    from vibench.study.page import make_study

    written = make_study(
        run_folders(runs), output, split_outside_brackets(methods), split_outside_brackets(cases), checks, seed, question,
        say=typer.echo,
    )  # fmt: skip
    for note in written.notes:
        typer.secho(f"note: {note}", err=True)
    typer.echo(f"{written.comparisons} comparisons a rater; fewer --methods or --cases make fewer")
    typer.echo(f"page: {written.page}\nkey: {written.key} (keep it from the raters)")


@study.command()
def score(
    key: Annotated[Path, typer.Argument(help="The key file that `study make` wrote.")],
    answers: Annotated[list[Path], typer.Argument(help="Files that raters downloaded.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write everything as JSON.")] = None,
) -> None:
    """Preference shares with 95 % intervals, Bradley-Terry strengths, and how far raters agree."""
    import json
    from dataclasses import asdict

    from vibench.files import disk_errors, write_atomically
    from vibench.study.answers import read_answers
    from vibench.study.key import StudyKey, read_model
    from vibench.study.score import score_study

    known = read_model(key, StudyKey, "a key that `vibench study make` wrote")
    found = score_study(known, read_answers(answers, known))
    for line in _lines(found):
        typer.echo(line)
    if output is not None:
        facts = {"study": known.study, **asdict(found), "strengths": found.strengths._asdict()}
        with disk_errors(output.parent):
            write_atomically(output, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
        typer.echo(f"scores: {output}")


def _lines(found: StudyScore) -> list[str]:
    lines = [f"left out: rater {rater} {reason}" for rater, reason in found.left_out.items()]
    lines.append(f"{found.raters} raters, {found.answers} answers")
    strengths = found.strengths.values or [None] * len(found.methods)
    lines.append("preferred among decided comparisons, 95 % interval (Wilson), Bradley-Terry log strength:")
    for entry, strength in zip(found.methods, strengths, strict=True):
        lines.append(f"  {_line(entry)}{'' if strength is None else f'  {strength:+.2f}'}")
    lines += ["pair by pair:", *(f"  {_line(entry)}" for entry in found.pairs)]
    if found.strengths.reason:
        lines.append(f"no strengths: {found.strengths.reason}")
    about = f"over {found.kappa_trials} comparisons that every rater answered"
    lines.append(
        "agreement: not defined " + about if found.kappa is None else f"Fleiss' kappa {found.kappa:.2f} {about}"
    )
    return lines  # fmt: skip


def _line(entry: Share) -> str:
    # A name from data must not move the terminal's cursor.
    name = "".join(
        letter if letter.isprintable() else "?"
        for letter in (entry.name if entry.against is None else f"{entry.name} over {entry.against}")
    )
    if entry.share is None or entry.low is None or entry.high is None:
        return f"{name:<32}  nothing decided, {entry.ties} ties"
    return (
        f"{name:<32}  {100 * entry.share:5.1f} %  [{100 * entry.low:.1f}, {100 * entry.high:.1f}]"
        f"  {entry.preferred}/{entry.decided}, {entry.ties} ties"
    )
