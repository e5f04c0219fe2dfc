"""Who may import whom: the rooms of `vibench` from top to bottom, and no circle anywhere."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from statistics import median

import pytest
from imports import CHECKOUT, FLOORS, SIDE_BY_SIDE, arrows, floor_of, imports, modules

import vibench

pytestmark = pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").exists(), reason="needs a checkout, not a wheel")


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


def past_the_door(file: Path) -> list[str]:
    """What a file of the command line uses that is neither a name of the door nor the command line's own."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name != "vibench"]
        elif isinstance(node, ast.ImportFrom) and node.module == "vibench":
            found += [alias.name for alias in node.names if alias.name not in (*vibench.__all__, "__version__")]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "a relative import"]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "vibench":
            found += [node.attr] if node.attr not in vibench.__all__ else []
        for name in names:
            libraries = {"typer", "rich"} | sys.stdlib_module_names
            own = name == "vibench.errors" or name.split(".")[:2] == ["vibench", "cli"]
            found += [] if own or name.partition(".")[0] in libraries else [name]
    return found


@pytest.mark.parametrize("file", sorted((CHECKOUT / "vibench" / "cli").glob("*.py")), ids=lambda file: file.stem)
def test_the_command_line_calls_the_door_and_nothing_else(file: Path) -> None:
    assert past_the_door(file) == []


@pytest.mark.parametrize(
    "line",
    [
        "from vibench.report.comparison import text",
        "import vibench.plugins",
        "def speed():\n    from vibench import report",
        "import vibench\nvibench.report.comparison.text(())",
        "import numpy",
    ],
)
def test_a_way_past_the_door_is_seen(line: str, tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text(line)
    assert len(past_the_door(tmp_path / "command.py")) == 1


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


def test_a_file_holds_a_whole_noun() -> None:
    lines = [len(file.read_text(encoding="utf-8").splitlines()) for file in modules("vibench").values()]
    assert median(lines) >= 100
