"""Generated pages: a script writes its page, or with ``--check`` says how the committed page differs from it.

In a page of computed numbers, what differs as rounding differs between processors is no difference: the page stays as
it is, byte for byte.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path
from textwrap import wrap

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"

ROUNDING = 3e-6
"""Share of itself by which a decimal number may differ between processors. A number with an exponent, which in these
pages is the difference of two computations of the same thing, may differ by as much in all."""

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def close(one: str, other: str) -> bool:
    """Whether two numbers differ by no more than rounding.

    Integers may not differ at all, decimals by one in their last digit or by ``ROUNDING`` as a share, numbers with an
    exponent by ``ROUNDING``.
    """
    if one == other:
        return True
    apart = abs(float(one) - float(other))
    if "e" in one and "e" in other:
        return apart <= ROUNDING
    if "." not in one or "." not in other:
        return False
    last_digit = 10.0 ** -min(len(text.partition(".")[2]) for text in (one, other))
    return apart <= max(1.001 * last_digit, ROUNDING * abs(float(one)))


def same_line(one: str, other: str) -> bool:
    """Whether two lines have equal words and, to rounding, equal numbers."""
    numbers, others = _NUMBER.findall(one), _NUMBER.findall(other)
    return _NUMBER.sub("#", one) == _NUMBER.sub("#", other) and all(map(close, numbers, others))


def differences(committed: str, made: str, name: str, *, computed: bool) -> str:
    """A unified diff, empty if there is none; with ``computed``, lines that differ by rounding alone are left out."""
    before, after = committed.splitlines(), made.splitlines()
    if computed and len(before) == len(after):
        after = [old if same_line(old, new) else new for old, new in zip(before, after, strict=True)]
    return "\n".join(unified_diff(before, after, f"{name}, committed", f"{name}, made now", lineterm=""))


def keep(path: Path, made: str, *, check: bool, computed: bool = False) -> bool:
    """Write ``made`` to ``path``, or with ``check`` print a diff; returns whether the file held that text already.

    ``computed``: the numbers of the text were computed just now, so rounding is no difference.
    """
    name = path.relative_to(CHECKOUT).as_posix()
    committed = path.read_text(encoding="utf-8") if path.exists() else ""
    found = differences(committed, made, name, computed=computed)
    if found and check:
        print(f"{name} is not what its script makes:\n{found}")
    elif found:
        path.write_text(made, encoding="utf-8")
        print(f"{name}: written")
    else:
        print(f"{name}: as its script makes it")
    return not found


def wrapped(page: str) -> str:
    """The page with its long lines of prose and lists broken at 120 columns; rows of tables stay as they are."""
    lines: list[str] = []
    for line in page.splitlines():
        indent = "  " if line.startswith("- ") else ""
        broken = wrap(line, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        lines += [line] if line.startswith("|") or not broken else broken
    return "\n".join(lines) + "\n"


def section(page: str, heading: str) -> str:
    """The text under ``## heading`` of a Markdown page, without blank lines around it; ValueError if it is absent."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no section {heading!r} yet")
    return found[1].strip()


def with_block(page: str, name: str, text: str) -> str:
    """The page with ``text`` between ``<!-- name -->`` and ``<!-- end of name -->``."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no block from {begin} to {end}")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{text.strip()}\n{end}{rest.partition(end)[2]}"


def run(make: Callable[[bool], bool]) -> None:
    """Run a script that makes a page; with ``--check`` it writes nothing and exits with 1 where something differs."""
    unknown = [word for word in sys.argv[1:] if word != "--check"]
    if unknown:
        sys.exit(f"{sys.argv[0]} knows --check alone, not {unknown[0]}")
    check = "--check" in sys.argv[1:]
    sys.exit(0 if make(check) or not check else 1)
