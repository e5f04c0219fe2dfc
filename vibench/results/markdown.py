"""Tables in Markdown, written in one place: the report, comparisons, papers' tables and the documentation all use it.

The tables are those of GitHub Flavored Markdown (https://github.github.com/gfm/#tables-extension-), which is also what
the Markdown libraries for Python read. No library that vibench depends on escapes text for Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_ESCAPED = {character: f"\\{character}" for character in "\\`*_[]#~|"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_RULES = {"l": "---", "r": "---:"}


def markdown_text(text: str) -> str:
    """Escape ``text`` so that a Markdown renderer shows it as it is, on one line, also inside a table.

    Names of methods, cases and metrics come from users and their plug-ins; without this, one named ``a|b`` would end
    a table's cell and one named ``<script>`` would be HTML.
    """
    return "".join(_ESCAPED.get(character, character) for character in " ".join(text.split()))


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """Write a table: one line of heads, the rule, one line a row; the last line has no line break.

    ``align`` has one letter a column, ``l`` (words, to the left) or ``r`` (numbers, to the right). Heads and cells are
    already Markdown, so that a cell can be bold; pass plain text through ``markdown_text`` first. ValueError where a
    row or ``align`` has another number of columns than ``heads``.
    """
    if len(align) != len(heads):
        raise ValueError(f"{len(heads)} heads, but {len(align)} letters of alignment")
    lines = [_row(heads), _row([_RULES[letter] for letter in align])]
    for row in rows:
        if len(row) != len(heads):
            raise ValueError(f"{len(heads)} heads, but a row of {len(row)} cells: {row!r}")
        lines.append(_row(row))
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
