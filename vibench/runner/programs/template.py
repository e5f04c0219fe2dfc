"""Texts with names in braces, such as ``--mask={masks}``: which names they hold, and what stands there in the end.

Only a plain name may stand between braces. A brace itself is written twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import Formatter

_FORMATTER = Formatter()


def names_in(text: str) -> list[str]:
    """Return the names in braces; raise ValueError for anything else in them, and for a brace that stands alone."""
    found = []
    try:
        pieces = list(_FORMATTER.parse(text))
    except ValueError as error:
        raise ValueError(f"{text!r} has a brace that stands alone; a brace itself is written twice") from error
    for _, name, wanted_format, conversion in pieces:
        if name is None:
            continue
        if not name.isidentifier() or wanted_format or conversion:
            raise ValueError(f"{text!r} has something else than a name in braces; a brace itself is written twice")
        found.append(name)
    return found


def check_names(text: str, known: Collection[str]) -> None:
    """Raise ValueError where ``text`` has a name in braces that is not ``known``."""
    for name in names_in(text):
        if name not in known:
            raise ValueError(f"{{{name}}} in {text!r} is no name; there are {', '.join(sorted(known))}")


def filled_in(text: str, values: Mapping[str, object]) -> str:
    """Return ``text`` with the values for its names; none of them is looked at for braces again."""
    return "".join(
        before + ("" if name is None else str(values[name])) for before, name, _, _ in _FORMATTER.parse(text)
    )
