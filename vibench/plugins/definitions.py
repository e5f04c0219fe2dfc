"""Protocols and cards of others: TOML files in folders that a user includes, and in packages that say they have some.

A package says so by an entry point of the group ``vibench.definitions``, whose value is the package that holds the
files: ``mine = "my_package"``. In a folder or package they lie right inside, or in its folders ``protocols`` and
``cards``. A file with ``[[holes]]`` is a protocol, and one with a ``layout`` is a card.
"""

from __future__ import annotations

import importlib.util
import logging
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

from vibench.document import content_of
from vibench.errors import InputError, MissingResource, UserError, foreign, reading

LOG = logging.getLogger(__name__)

GROUP = "vibench.definitions"

Definition = Literal["protocol", "card"]

_MARKS: dict[str, Definition] = {"holes": "protocol", "layout": "card"}
"""The key by which each kind is known."""

_included: dict[Path, None] = {}


def include(place: str | Path) -> None:
    """Let the protocols and cards in a folder, or the one in a TOML file, be used by name in this process.

    Raises InputError where there is nothing, a file is not TOML, or none of the files is a protocol or a card.
    """
    path = Path(place).resolve()
    if not path.exists():
        raise InputError(f"there is nothing at {place}; --include names a folder of protocols and cards, or one file")
    if not any(_kind(file) for file in _files(path)):
        raise InputError(
            f"{place} holds no protocol or card: no .toml file in it, in protocols/ or cards/ has [[holes]] or a layout"
        )
    _included[path] = None


def included() -> tuple[Path, ...]:
    """The places that were included, for another process to include them too."""
    return tuple(_included)


def definitions(kind: Definition) -> list[Path]:
    """The files of one kind in every included place and in every package with the entry point, in that order.

    Raises InputError where a file that was included is no TOML. A package that is gone or damaged is passed over, which
    a line of the log says: whoever installed it may not need it now.
    """
    files = {file: None for place in _included for file in _files(place) if _kind(file) == kind}
    for entry in entry_points(group=GROUP):
        try:
            files |= {file: None for place in _folders(entry.value) for file in _files(place) if _kind(file) == kind}
        except UserError as error:
            LOG.warning("the definitions of %s are passed over: %s", entry.name, error)
    return [*files]


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    with reading(place):
        for folder in (place, place / "protocols", place / "cards"):
            yield from sorted(file for file in folder.glob("*.toml") if not file.name.startswith("."))


def _kind(file: Path) -> Definition | None:
    content = content_of(file, "definition")
    with reading(file, "is not valid TOML"):
        keys = tomllib.loads(content.decode("utf-8-sig"))
    return next((kind for mark, kind in _MARKS.items() if mark in keys), None)


def _folders(package: str) -> list[Path]:
    """The folders of a package; its parents are imported, and it itself is not."""
    with foreign(f"the definitions of {package!r} cannot be found", MissingResource):
        spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingResource(f"{package!r}, which an entry point of {GROUP} names, is no package that is installed")
    return [Path(folder) for folder in spec.submodule_search_locations]
