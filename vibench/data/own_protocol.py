"""Protocols of one's own: a file to begin with, in which every field is explained, and what differs between two."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from vibench.document import toml_value
from vibench.errors import InputError
from vibench.files import disk_errors, write_atomically
from vibench.protocol import Data, Holes, Protocol, Resize, Scoring, load_protocol, protocol_for

COLUMNS = 120


def new_protocol(
    name: str,
    output: str | Path | None = None,
    *,
    like: str | None = None,
    data: str | None = None,
    masks: str | Path | None = None,
) -> Path:
    """Write a protocol that is valid as it stands, with a comment on every field, and return its file.

    It has the decisions of the protocol ``like``, and is its next version where that has this name. Or else it removes
    the objects in ``data``, which is ``folder:PATH``, ``pairs:PATH`` or ``video:PATH``. With neither it cuts a still
    square into the bundled clips. ``masks`` is a folder of masks of your own. ``output`` is NAME@VERSION.toml in the
    current folder when left out. Raises InputError where ``name`` is no name of a protocol, or the file is there.
    """
    if like and data:
        raise InputError("--like and --data cannot be given together: the first takes the data from a protocol, too")
    base = load_protocol(like) if like else protocol_for(data) if data else _first_steps()
    version = base.version + 1 if like and base.name == name else 1
    begun = base.with_masks(masks).model_dump() | {"name": name, "version": version}
    if not like:
        begun |= {"title": "my title: a few words for lists", "description": "One sentence on what is measured."}
    try:
        protocol = Protocol.model_validate(begun)
    except ValueError as error:
        raise InputError(f"{name!r} is no name of a protocol: use small letters, digits and hyphens") from error
    path = Path(f"{protocol.label}.toml") if output is None else Path(output)
    if path.exists():
        raise InputError(f"{path} is there already; a protocol that was used is never edited: give it a new version")
    with disk_errors(path.parent):
        write_atomically(path, explained(protocol).encode())
    return path


def explained(protocol: Protocol) -> str:
    """Write a protocol as TOML with a comment on every field; those that have their default are commented out."""
    lines = [
        "# A protocol: every decision behind a table of results.",
        "# A setting with a # in front is not made: the line shows the default, or an example where there is none.",
        "# Once results were published it is never edited: a change of meaning is a new version, in a new file.",
        "",
        *_fields(protocol),
    ]
    lines += ["", "[data]", *_fields(protocol.data)]
    resize = protocol.resize or Resize(width_px=432, height_px=240, filter="area")
    table = ["[resize]", *_fields(resize)]
    lines += ["", *(table if protocol.resize else _commented(table))]
    for holes in protocol.holes:
        lines += ["", "[[holes]]", *_fields(holes)]
    return "\n".join([*lines, "", "[scoring]", *_fields(protocol.scoring)]) + "\n"


class Differing(NamedTuple):
    """A field in which two protocols differ, and its value in each; None where one has no such table."""

    field: str
    before: str | None
    after: str | None


def protocol_differences(before: str | Protocol, after: str | Protocol) -> list[Differing]:
    """Return every field in which two protocols differ; kinds of holes are told by their names."""
    one, other = (
        dict(_flat((load_protocol(named) if isinstance(named, str) else named).model_dump(mode="json")))
        for named in (before, after)
    )
    fields = [*one, *(field for field in other if field not in one)]
    return [
        Differing(field, one.get(field), other.get(field)) for field in fields if one.get(field) != other.get(field)
    ]


def comparable(before: str | Protocol, after: str | Protocol) -> str:
    """Say in a sentence whether results of two protocols can stand in one table."""
    one, other = (load_protocol(named) if isinstance(named, str) else named for named in (before, after))
    if one.digest == other.digest:
        return f"the decisions are the same (digest {one.digest[:12]}): results of both can be compared"
    return (
        f"the decisions differ (digests {one.digest[:12]} and {other.digest[:12]}): "
        "results of the two are never compared"
    )


def _first_steps() -> Protocol:
    return Protocol(
        name="new",
        version=1,
        title="-",
        description="-",
        seed=1,
        data=Data(dataset="bundled"),
        holes=(Holes(name="square", generator="stationary-square"),),
        scoring=Scoring(metrics=("psnr", "ssim-gaussian")),
    )


def _fields(part: BaseModel) -> Iterator[str]:
    """The fields of a table: a comment, and the value; tables inside are left out, but for inline ones."""
    for name, field in type(part).model_fields.items():
        if isinstance(part, Protocol) and name in ("data", "resize", "holes", "scoring"):
            continue
        yield from textwrap.wrap(f"# {field.description}", COLUMNS, subsequent_indent="# ")
        value = getattr(part, name)
        if field.is_required() or value != field.get_default(call_default_factory=True):
            yield f"{name} = {toml_value(part.model_dump(mode='json')[name])}"
        else:
            yield f"# {name} = {toml_value((field.examples or [value])[0])}"


def _commented(lines: list[str]) -> list[str]:
    return [line if line.startswith("#") else f"# {line}" for line in lines]


def _flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, str | None]]:
    """Every field with its place, such as ``holes[square].options.size``, and its value in TOML's notation."""
    for name, value in values.items():
        place = f"{above}{name}"
        if name == "holes":
            for holes in value:
                yield from _flat(
                    {key: found for key, found in holes.items() if key != "name"}, f"holes[{holes['name']}]."
                )
        elif isinstance(value, dict):
            yield from _flat(value, f"{place}.")
        else:
            yield place, None if value is None else toml_value(value)
