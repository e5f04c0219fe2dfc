"""Documents: small TOML and JSON files that are read strictly, and whose faults are told in one sentence.

An unknown key is an error, since it is mostly a key that was spelled wrong and would have no effect.
"""

from __future__ import annotations

import codecs
import json
import stat
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

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
    return _read(path, kind, "TOML", model, lambda text: model.model_validate(tomllib.loads(text)))


def read_json(path: Path, model: type[Model], kind: str) -> Model:
    """Read a JSON file as ``model``; see ``read_toml``."""
    return _read(path, kind, "JSON", model, model.model_validate_json)


def first_fault(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Return the first fault that pydantic found as one sentence: where it is, what was there, what would be right.

    Where the ``model`` is known, what a missing field is for comes from its description, and a key that is close to one
    of the model's is suggested.
    """
    fault = error.errors(include_url=False)[0]
    place = one_line(".".join(str(part) for part in fault["loc"]), SHOWN_CHARACTERS)
    value = fault.get("input")
    shown = f" (it is {one_line(repr(value), SHOWN_CHARACTERS)})" if isinstance(value, str | int | float) else ""
    limits, kind = fault.get("ctx", {}), fault["type"]
    if kind == "missing":
        about = _field(model, fault["loc"])
        return f"{place} is missing" + (f": {about.description}" if about and about.description else "")
    if kind == "extra_forbidden":
        close = get_close_matches(str(fault["loc"][-1]), _keys(model, fault["loc"][:-1]), n=1)
        return f"there is no key {place!r}" + (f"; did you mean {close[0]!r}?" if close else shown)
    if kind == "literal_error":
        return f"{place} can be {limits.get('expected')}{shown}"
    if kind == "string_pattern_mismatch":
        return f"{place} may have small letters, digits and hyphens only, and begins with no hyphen{shown}"
    if kind in _WANTED:
        return f"{place or 'the file'} must be {_WANTED[kind].format(**limits)}{shown}"
    if kind == "value_error":
        said = one_line(fault["msg"].removeprefix("Value error, "))
        return f"{place}: {said}" if place else said
    return f"{place or 'the file'}: {one_line(fault['msg'])}{shown}"


_WANTED = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list in square brackets",
    "dict_type": "a table",
    "model_type": "a table",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "a list of at least {min_length} entries",
}
"""What would be right, by pydantic's name of the fault and with the limits that it gives."""


def to_toml(values: Mapping[str, Any]) -> str:
    """Write values in TOML's notation; what is None or empty is left out. Tables inside a table are written inline."""
    plain, tables = [], []
    for key, value in values.items():
        if isinstance(value, Mapping):
            tables += ["", f"[{key}]", *_assignments(value)]
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            for item in value:
                tables += ["", f"[[{key}]]", *_assignments(item)]
        else:
            plain += _assignments({key: value})
    return "\n".join(plain + tables) + "\n"


def toml_value(value: Any) -> str:
    """Write one value in TOML's notation: a text, a number, a list, an inline table."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_assignments(value)) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    # JSON's strings, numbers and booleans are TOML's.
    return json.dumps(value, ensure_ascii=False)


def _assignments(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {toml_value(value)}" for key, value in table.items() if value not in (None, [], (), {})]


def _field(model: type[BaseModel] | None, place: tuple[int | str, ...]) -> FieldInfo | None:
    """The field that a place such as ``("holes", 0, "name")`` leads to; None where the model has none."""
    found: FieldInfo | None = None
    for name in place:
        if isinstance(name, str):
            model = _model_in(found.annotation) if found is not None else model
            found = model.model_fields.get(name) if model is not None else None
            if found is None:
                return None
    return found


def _keys(model: type[BaseModel] | None, place: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at a place may have."""
    if place:
        found = _field(model, place)
        model = None if found is None else _model_in(found.annotation)
    return [*model.model_fields] if model is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as ``tuple[Holes, ...]`` or ``Resize | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def content_of(path: Path, kind: str, most_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
    """Return the content of an ordinary file, without the byte order mark with which some editors begin a text.

    ``kind`` is what a sentence calls such a file.

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
    return content.removeprefix(codecs.BOM_UTF8)


def _read(path: Path, kind: str, language: str, model: type[Model], parse: Callable[[str], Model]) -> Model:
    content = content_of(path, kind, MAX_DOCUMENT_BYTES)
    with reading(path, f"is not a {kind}"):
        try:
            return parse(content.decode())
        except ValidationError as error:
            raise InputError(f"{one_line(str(path))} is not a {kind}: {first_fault(error, model)}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not valid {language}, since it is not UTF-8 text") from error
        except ValueError as error:
            raise ValueError(f"it is not valid {language}: {one_line(str(error), 2 * SHOWN_CHARACTERS)}") from error
