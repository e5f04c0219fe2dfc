"""Makes docs/architecture.md's tables of rooms and docs/images/architecture.svg from the code's own imports.

``python docs/make/architecture.py`` writes both, with ``--check`` it compares them. The floors are those that
tests/package/test_architecture.py holds the code to.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from pages import CHECKOUT, DOCS, keep, run, with_block

sys.path.insert(0, str(CHECKOUT / "tests" / "support"))  # the same reader of imports as the test's

from imports import FLOORS, arrows, modules

PAGE, PICTURE = DOCS / "architecture.md", DOCS / "images" / "architecture.svg"


class Room(NamedTuple):
    """A folder or file right inside a package: its modules, folders of them with a slash, and the rooms it imports."""

    name: str
    about: str
    modules: tuple[str, ...]
    imports: tuple[str, ...]


def rooms(package: str) -> dict[str, Room]:
    """Room by name, in alphabetical order."""
    known = modules(package)
    found: dict[str, list[str]] = {}
    for name in known:
        if name != package:
            found.setdefault(name.split(".")[1], []).append(name)
    targets: dict[str, set[str]] = {name: set() for name in found}
    for module, target in arrows(package):
        if module != package and target != package:
            one, other = module.split(".")[1], target.split(".")[1]
            targets[one] |= {other} - {one}
    return {
        name: Room(name, first_sentence(known[f"{package}.{name}"]), _inside(names), tuple(sorted(targets[name])))
        for name, names in sorted(found.items())
    }


def _inside(names: list[str]) -> tuple[str, ...]:
    """What lies right inside a room: module names, and folders with a slash."""
    parts = [name.split(".")[2:] for name in names]
    folders = {path[0] for path in parts if len(path) > 1}
    return tuple(sorted({path[0] + ("/" if path[0] in folders else "") for path in parts if path}))


def first_sentence(file: Path) -> str:
    """The first paragraph of a module's docstring, as Markdown."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


def room_table(package: str, order: list[str]) -> str:
    """Markdown: one row a room, in the order given."""
    found = rooms(package)
    lines = ["| room | what it holds | imports |", "|---|---|---|"]
    for name in order:
        room = found[name]
        imported = ", ".join(f"`{target}`" for target in room.imports) or "nothing of the package"
        lines.append(f"| `{package}/{name}{'' if room.modules else '.py'}` | {room.about} | {imported} |")
    return "\n".join(lines)


WIDTH_PX, MARGIN_PX, GAP_PX = 920, 28, 10
HEAD_PX, LINE_PX, LETTER_PX = 24, 16, 6.7
STYLE = """
  text { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 11px; fill: #333 }
  .name { font-size: 14px; font-weight: bold; fill: #111 }
  .floor { fill: #eef2f6 }
  .room { fill: #fff; stroke: #7a8a99 }
  .arrow { stroke: #7a8a99; stroke-width: 2; fill: none }
"""


def picture() -> str:
    """The house of `vibench` as SVG: a row a floor, a box a room with its modules; imports go down."""
    found = rooms("vibench")
    body, top = [], MARGIN_PX + HEAD_PX
    for floor in FLOORS:
        names = [name for name in floor if name != "__main__"]
        boxes = list(_boxes([found[name] for name in names]))
        height = HEAD_PX + 10 + LINE_PX * max(len(lines) for *_, lines in boxes)
        body.append(_rectangle("floor", MARGIN_PX, top, WIDTH_PX - 2 * MARGIN_PX, height + 2 * GAP_PX))
        for name, left, width, lines in boxes:
            body.append(_rectangle("room", left, top + GAP_PX, width, height))
            body.append(_text(left + 10, top + GAP_PX + 19, name, "name"))
            for place, line in enumerate(lines):
                body.append(_text(left + 10, top + GAP_PX + HEAD_PX + 13 + LINE_PX * place, line))
        top += height + 3 * GAP_PX
    bottom = top - GAP_PX
    body.append(
        _text(MARGIN_PX, MARGIN_PX + 4, "A room imports from its own floor and from those below it, never from above.")
    )
    body.append(f'<path class="arrow" d="M 14 {MARGIN_PX + HEAD_PX} V {bottom} m -5 -8 l 5 8 l 5 -8"/>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {bottom + 16}" role="img">'
    about = "<title>The rooms of vibench, from the command line at the top to clips and errors at the ground</title>"
    page = f'<rect width="{WIDTH_PX}" height="{bottom + 16}" fill="#fff"/>'
    return "\n".join([head, about, f"<style>{STYLE}</style>", page, *body, "</svg>"]) + "\n"


def _boxes(floor: list[Room]) -> Iterator[tuple[str, int, int, list[str]]]:
    """(name, left, width, lines of module names) of each room of a floor; wider where more modules lie inside."""
    room_px = WIDTH_PX - 2 * MARGIN_PX - GAP_PX * (len(floor) + 1)
    shares = [20 + sum(len(name) + 2 for name in room.modules) ** 0.5 * 4 for room in floor]
    left = MARGIN_PX + GAP_PX
    for room, share in zip(floor, shares, strict=True):
        width = int(room_px * share / sum(shares))
        yield room.name + ("/" if room.modules else ".py"), left, width, _wrapped(room.modules, width - 20)
        left += width + GAP_PX


def _wrapped(names: tuple[str, ...], width_px: int) -> list[str]:
    lines: list[str] = []
    for name in names:
        if lines and (len(lines[-1]) + len(name) + 3) * LETTER_PX <= width_px:
            lines[-1] += f"   {name}"
        else:
            lines.append(name)
    return lines


def _rectangle(kind: str, left: int, top: int, width: int, height: int) -> str:
    return f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}" rx="5"/>'


def _text(left: int, top: int, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{left}" y="{top}" xml:space="preserve">{escape(text)}</text>'


def make(check: bool) -> bool:
    """Write the tables and the picture, or with ``check`` compare them; returns whether both were right already."""
    page = PAGE.read_text(encoding="utf-8")
    downwards = [name for floor in FLOORS for name in floor if name != "__main__"]
    page = with_block(page, "rooms of vibench", room_table("vibench", downwards))
    page = with_block(page, "rooms of vinet", room_table("vinet", list(rooms("vinet"))))
    return all([keep(PAGE, page, check=check), keep(PICTURE, picture(), check=check)])


if __name__ == "__main__":
    run(make)
