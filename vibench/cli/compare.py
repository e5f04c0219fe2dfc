"""The command ``vibench compare``: which of two runs, or of two methods, is better, and whether that is sure."""

from __future__ import annotations

from typing import Annotated

import typer

RUN_OR_METHOD = "A run folder, or RUN::METHOD for one method of it."


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=RUN_OR_METHOD)],
    second: Annotated[str, typer.Argument(metavar="B", help=RUN_OR_METHOD)],
    margin: Annotated[float, typer.Option(min=0, max=1, help="Share of A's mean within which B is the same.")] = 0.01,
    holm: Annotated[bool, typer.Option("--holm", help="Correct p for the number of tests (Holm).")] = False,
    format: Annotated[str, typer.Option(help="text, json or markdown.")] = "text",
) -> None:
    """Say for every metric whether B is better or worse than A, clip by clip, and how sure that is.

    Where A and B are runs, every method that both have is compared.
    RUN::telea RUN::vinet compares two methods, of one run or of two.

    The exit status is 0 if nothing is worse, 1 if something is worse,
    2 after a mistake in the command, and 3 if nothing can be compared
    because the protocols differ or no case is shared.
    """
    import vibench

    try:
        comparisons = vibench.compare(first, second, margin, holm)
    except vibench.Incomparable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None
    typer.echo(vibench.comparison_text(comparisons, format))
    verdicts = {finding.verdict for comparison in comparisons for finding in comparison.findings}
    if "worse" in verdicts:
        raise typer.Exit(1)
    if verdicts <= {"incomparable"}:
        raise typer.Exit(3)
