"""Who may import whom: the rooms of `vibench` from top to bottom, and no circle anywhere."""

from __future__ import annotations

import pytest
from imports import CHECKOUT, FLOORS, SIDE_BY_SIDE, arrows, floor_of, imports, modules

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
