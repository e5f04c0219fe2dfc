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

from vibench.errors import InputError, foreign, one_line, reading

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
    fault = error.errors(include_url=False)[0]
    place = one_line(".".join(str(part) for part in fault["loc"]), SHOWN_CHARACTERS) or "the file"
    value = fault.get("input")
    shown = f" (it is {one_line(repr(value), SHOWN_CHARACTERS)})" if isinstance(value, str | int | float) else ""
    return f"{place}: {one_line(fault['msg'])}{shown}"


def content_of(path: Path, kind: str, most_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
    """Return the content of an ordinary file. ``kind`` is what a sentence calls such a file.

    Raises InputError where there is none, where it is a folder, a pipe or a device, which could be endless or never
    answer, where it may not be read, and where it is larger than ``most_bytes``.
    """
    name = one_line(str(path))
    with foreign(f"the {kind} file {str(path)!r} cannot be read"):
        try:
            found = path.stat()
        except FileNotFoundError as error:
            raise InputError(f"there is no {kind} file {str(path)!r}") from error
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{name} is not a {kind} file: it is a folder, a pipe or a device")
        with path.open("rb") as file:
            content = file.read(min(found.st_size, most_bytes) + 1)
    if len(content) > most_bytes:
        raise InputError(f"{name} is not a {kind}: it is larger than {most_bytes // 2**20} MiB")
    return content


def _read(path: Path, kind: str, language: str, parse: Callable[[str], Model]) -> Model:
    content = content_of(path, kind, MAX_DOCUMENT_BYTES)
    with reading(path, f"is not a {kind}"):
        try:
            return parse(content.decode("utf-8-sig"))
        except ValidationError as error:
            raise InputError(f"{one_line(str(path))} is not a {kind}: {first_fault(error)}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not valid {language}, since it is not UTF-8 text") from error
        except ValueError as error:
            raise ValueError(f"it is not valid {language}: {one_line(str(error), 2 * SHOWN_CHARACTERS)}") from error
