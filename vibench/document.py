"""Documents: small TOML and JSON files that are read strictly, and whose faults are told in one sentence.

An unknown key is an error, since it is mostly a key that was spelled wrong and would have no effect.
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vibench.errors import InputError

MAX_DOCUMENT_BYTES = 64 * 2**20
"""Larger files are refused before they are parsed: the largest document of vibench has less than a megabyte."""

SHOWN_CHARACTERS = 80
"""A sentence shows so much of a wrong value."""


class Frozen(BaseModel):
    """A part of a document: its fields are validated, cannot be changed, and no other key is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model], kind: str) -> Model:
    """Read a TOML file as ``model``. ``kind`` is what a sentence calls such a file, for example ``protocol``.

    Raises InputError with one sentence that names the file where it is missing, is no ordinary file, is larger than
    ``MAX_DOCUMENT_BYTES``, is not UTF-8 (a byte order mark may precede it), is not TOML, or does not fit the model.
    """
    return _read(path, kind, "TOML", lambda text: model.model_validate(tomllib.loads(text)))


def read_json(path: Path, model: type[Model], kind: str) -> Model:
    """Read a JSON file as ``model``; see ``read_toml``."""
    return _read(path, kind, "JSON", model.model_validate_json)


def first_fault(error: ValidationError) -> str:
    """Return the first fault that pydantic found as one sentence: where it is, what was there, what would be right."""
    fault = error.errors()[0]
    place = _on_one_line(".".join(str(part) for part in fault["loc"])) or "the file"
    value = fault.get("input")
    shown = f" (it is {_on_one_line(repr(value))})" if isinstance(value, str | int | float) else ""
    return f"{place}: {_on_one_line(fault['msg'], 4 * SHOWN_CHARACTERS)}{shown}"


def _read(path: Path, kind: str, language: str, parse: Callable[[str], Model]) -> Model:
    try:
        return parse(_content(path, kind).decode("utf-8-sig"))
    except ValidationError as error:
        raise InputError(f"{path} is not a {kind}: {first_fault(error)}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a {kind}: it is not valid {language}, since it is not UTF-8 text") from error
    except ValueError as error:
        reason = _on_one_line(str(error), 2 * SHOWN_CHARACTERS)
        raise InputError(f"{path} is not a {kind}: it is not valid {language}: {reason}") from error
    except RecursionError as error:
        raise InputError(f"{path} is not a {kind}: its values are nested too deeply") from error


def _content(path: Path, kind: str) -> bytes:
    try:
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path} is not a {kind} file: it is a folder, a pipe or a device")
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(f"there is no {kind} file {str(path)!r}") from error
    except OSError as error:
        raise InputError(f"the {kind} file {str(path)!r} cannot be read: {error.strerror}") from error
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InputError(f"{path} is not a {kind}: it is larger than {MAX_DOCUMENT_BYTES // 2**20} MiB")
    return content


def _on_one_line(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Replace what would break a line or the terminal by spaces, and cut the text to ``most`` characters."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= most else f"{line[: most - 3]}..."
