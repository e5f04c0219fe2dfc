"""Who imports whom in this checkout, read from the code, and the floors of `vibench`: which room may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

FLOORS = (
    ("__main__", "cli"),
    ("study",),
    ("report", "runner", "speed", "regress"),
    ("results",),
    ("data",),
    ("metrics",),
    ("media",),
    ("machine",),
    ("masks", "protocol", "plugins", "method", "metric", "files"),
    ("clip", "errors", "document"),
)
"""From the top to the ground; a room imports from its own floor and from those below."""

SIDE_BY_SIDE = {"report", "runner", "speed", "regress"}
"""Rooms of one floor that do not know each other."""


def modules(package: str) -> dict[str, Path]:
    """Dotted name -> file of every module of a package."""
    found = {}
    for file in sorted((CHECKOUT / package).rglob("*.py")):
        parts = file.relative_to(CHECKOUT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(file: Path, known: dict[str, Path], *, at_run_time: bool = False) -> Iterator[str]:
    """The modules among ``known`` that ``file`` imports, inside functions too.

    ``at_run_time`` leaves out what is imported for types alone.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    passed_over = {inner for node in ast.walk(tree) if at_run_time and _for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in passed_over:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            around = _package(file, node.level) if node.level else []
            module = ".".join([*around, *([node.module] if node.module else [])])
            inside = [f"{module}.{alias.name}" for alias in node.names]
            yield from (name for name in inside if name in known)
            if module in known and not all(name in known for name in inside):
                yield module


def _package(file: Path, level: int) -> list[str]:
    """The package that so many dots stand for in a file of this checkout."""
    parts = file.relative_to(CHECKOUT).with_suffix("").parts
    return list(parts[: len(parts) - level])


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def floor_of(module: str) -> int:
    """The place in ``FLOORS`` of the room that a module of `vibench` lies in: 0 is the top."""
    room = module.split(".")[1]
    return next(place for place, rooms in enumerate(FLOORS) if room in rooms)


def arrows(package: str) -> Iterator[tuple[str, str]]:
    """(module, module that it imports) for every import inside a package."""
    known = modules(package)
    for name, file in known.items():
        for target in imports(file, known):
            if target != name:
                yield name, target
