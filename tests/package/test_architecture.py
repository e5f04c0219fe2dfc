"""Who may import whom: the rooms of `vibench` from top to bottom, and no circle anywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").exists(), reason="needs a checkout, not a wheel")

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
    """The modules among ``known`` that ``file`` imports, inside functions too; ``at_run_time``: but not for types alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    passed_over = {inner for node in ast.walk(tree) if at_run_time and _for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in passed_over:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in inside if name in known)
            if node.module in known and not all(name in known for name in inside):
                yield node.module


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def floor_of(module: str) -> int:
    room = module.split(".")[1]
    return next(place for place, rooms in enumerate(FLOORS) if room in rooms)


def arrows(package: str) -> Iterator[tuple[str, str]]:
    known = modules(package)
    for name, file in known.items():
        for target in imports(file, known):
            if target != name:
                yield name, target


def test_every_room_has_its_floor() -> None:
    rooms = {name.split(".")[1] for name in modules("vibench") if "." in name}
    assert rooms == {room for floor in FLOORS for room in floor}


def test_no_arrow_points_up() -> None:
    up = [
        f"{name} -> {target}"
        for name, target in arrows("vibench")
        if "." in name and "." in target and floor_of(target) < floor_of(name)
    ]
    assert up == []


def test_rooms_that_stand_side_by_side_do_not_know_each_other() -> None:
    beside = [
        f"{name} -> {target}"
        for name, target in arrows("vibench")
        if (pair := {name.split(".")[1], target.split(".")[1]} if "." in name and "." in target else set())
        if len(pair) == 2 and pair <= SIDE_BY_SIDE
    ]
    assert beside == []


@pytest.mark.parametrize("package", ["vibench", "vinet", "baselines"])
def test_there_is_no_circle_of_imports(package: str) -> None:
    """Lazy imports inside functions count: they hide a circle, they do not end it."""
    known = modules(package)
    targets = {name: {target for target in imports(file, known) if target != name} for name, file in known.items()}
    # The face of a package names what is inside it; what is inside may import from the face's package.
    targets[package] = set()
    while leaves := {name for name, left in targets.items() if not left & targets.keys()}:
        for name in leaves:
            del targets[name]
    assert targets == {}


def test_the_tree_shows_the_architecture() -> None:
    entries = [path for path in (CHECKOUT / "vibench").iterdir() if path.name not in ("__pycache__", "_data")]
    assert len(entries) <= 24
