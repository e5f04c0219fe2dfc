"""Generated pages: a script writes its page, or with ``--check`` says how the committed page differs from what it would write.

Numbers that differ as rounding differs between processors are no difference: such a page stays as it is, byte for byte.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"

ROUNDING = 3e-6
"""Largest share of itself by which a decimal number may differ, and the size below which a difference of float32 sums stays."""

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


class NotAtHand(Exception):
    """What a page, or a section of it, is made from is not on this machine; the message says what, and how to get it."""


def close(one: str, other: str) -> bool:
    """Whether two numbers differ by no more than rounding: integers not at all, decimals by one in their last digit."""
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


def differences(committed: str, made: str, name: str) -> str:
    """A unified diff of two texts without the lines that differ by rounding alone; empty where there is no other."""
    before, after = committed.splitlines(), made.splitlines()
    if len(before) == len(after):
        after = [old if same_line(old, new) else new for old, new in zip(before, after, strict=True)]
    return "\n".join(unified_diff(before, after, f"{name}, committed", f"{name}, made now", lineterm=""))


def keep(path: Path, made: str, *, check: bool) -> bool:
    """Write a page, unless it is there already; with ``check``, print a diff instead. Returns whether it was there already."""
    name = path.relative_to(CHECKOUT).as_posix()
    committed = path.read_text(encoding="utf-8") if path.exists() else ""
    found = differences(committed, made, name)
    if found and check:
        print(f"{name} is not what its script makes:\n{found}")
    elif found:
        path.write_text(made, encoding="utf-8")
        print(f"{name}: written")
    else:
        print(f"{name}: as its script makes it")
    return not found


def section(page: str, heading: str) -> str:
    """The text under ``## heading`` of a Markdown page, without blank lines around it; NotAtHand where it is absent."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    if found is None:
        raise NotAtHand(f"the page has no section {heading!r} yet")
    return found[1].strip()


def block(page: str, name: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- end of name -->``."""
    return _parts(page, name)[1]


def with_block(page: str, name: str, text: str) -> str:
    """The page with ``text`` between ``<!-- name -->`` and ``<!-- end of name -->``."""
    before, _, after = _parts(page, name)
    return f"{before}\n{text.strip()}\n{after}"


def _parts(page: str, name: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no block from {begin} to {end}")
    before, _, rest = page.partition(begin)
    inside, _, after = rest.partition(end)
    return before + begin, inside.strip(), end + after


def run(make: Callable[[bool], bool]) -> None:
    """The command of a script that makes a page: ``--check`` makes nothing and ends with status 1 where something differs."""
    unknown = [word for word in sys.argv[1:] if word != "--check"]
    if unknown:
        sys.exit(f"{sys.argv[0]} knows --check alone, not {unknown[0]}")
    sys.exit(0 if make("--check" in sys.argv[1:]) else 1)
