"""The command ``vibench compare``: which of two runs, or of two methods, is better, and whether that is sure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vibench.errors import InputError

if TYPE_CHECKING:
    from vibench.results.comparison import Comparison
    from vibench.results.store import Store

RUN_OR_METHOD = "A run folder, or RUN::METHOD for one method of it."


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help=RUN_OR_METHOD)],
    second: Annotated[str, typer.Argument(metavar="B", help=RUN_OR_METHOD)],
    margin: Annotated[float, typer.Option(min=0, max=1, help="Share of A's mean within which B is the same.")] = 0.01,
    format: Annotated[str, typer.Option(help="text, json or markdown.")] = "text",
) -> None:
    """Say for every metric whether B is better or worse than A, clip by clip, and how sure that is.

    Of two runs, every method that both have is compared.
    RUN::telea RUN::vinet compares two methods, of one run or of two.

    The exit status is 0 if nothing is worse, 1 if something is worse,
    2 after a mistake in the command, and 3 if nothing can be compared
    because the protocols differ or no case is shared.
    """
    from vibench.report import comparison as comparison_text

    writers = {"text": comparison_text.text, "json": comparison_text.as_json, "markdown": comparison_text.markdown}
    if format not in writers:
        raise InputError(f"--format is text, json or markdown, not {format!r}")
    comparisons = _comparisons(first, second, margin)
    typer.echo(writers[format](comparisons))
    verdicts = {finding.verdict for comparison in comparisons for finding in comparison.findings}
    if "worse" in verdicts:
        raise typer.Exit(1)
    if verdicts <= {"incomparable"}:
        raise typer.Exit(3)


def _comparisons(first: str, second: str, margin: float) -> list[Comparison]:
    """Compare each pair of methods; leave with exit status 3 where the runs follow different protocols."""
    from vibench.results.comparison import compare as compare_methods
    from vibench.results.results import gather, label_beside

    (old, old_method), (new, new_method) = _opened(first), _opened(second)
    groups = gather([old] if old.info.digest == new.info.digest else [old, new])
    if len(groups) > 1:
        typer.echo(
            f"incomparable: {old.info.protocol_label} and {new.info.protocol_label} are different protocols "
            f"(digests {old.info.protocol_digest[:8]} and {new.info.protocol_digest[:8]})",
            err=True,
        )
        raise typer.Exit(3)
    pairs = _pairs(old, old_method, new, new_method)
    return [
        compare_methods(groups[0], before, label_beside(after, new.info, old.info), margin) for before, after in pairs
    ]


def _opened(text: str) -> tuple[Store, str | None]:
    """Read RUN or RUN::METHOD as an opened run and, where it is named, a method's label."""
    from vibench.results.store import Store

    folder, _, method = text.partition("::")
    store = Store.open(Path(folder))
    labels = [facts.label for facts in store.info.methods]
    if method and method not in labels:
        raise InputError(f"run {folder!r} has no method {method!r}; it has {', '.join(labels)}")
    return store, method or None


def _pairs(old: Store, old_method: str | None, new: Store, new_method: str | None) -> list[tuple[str, str]]:
    """Choose pairs of labels to compare: the named methods, or every method that both runs have.

    Where only one of the two is named, it is compared with the method of the same name in the other run.
    """
    before, after = ([facts.label for facts in store.info.methods] for store in (old, new))
    if old_method or new_method:
        pairs = [(old_method or new_method or "", new_method or old_method or "")]
    else:
        pairs = [(label, label) for label in before if label in after]
    pairs = [(first, second) for first, second in pairs if first in before and second in after]
    if old.info.digest == new.info.digest:
        pairs = [(first, second) for first, second in pairs if first != second]
    if not pairs:
        raise InputError(
            f"nothing to compare: A has {', '.join(before)} and B has {', '.join(after)}; name methods as RUN::METHOD"
        )
    return pairs
