"""Options of plug-ins: read from a text, spelled in labels, and made values of the types that a factory asks for."""

from __future__ import annotations

import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vibench.errors import InputError, foreign, one_line, shown_name

Option = bool | int | float | str | None

_SPEC = re.compile(r"^(?P<name>[^\[\]]+?)(?:\[(?P<options>.*)\])?$", re.DOTALL)
_QUOTES = frozenset("\"'")
_WORDS = frozenset({"true", "false", "none"})


class Quoted(str):
    """The text of an option that stood in quotes: it is text, whatever it looks like."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class Spec:
    """A plug-in as the user names it: ``vinet[memory=false]``.

    Options that were read from a text are that text, since only the factory's signature says what they are (see
    ``option_values``); options that were given in Python are values. Specs of one label are equal.
    """

    name: str
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The same text in one canonical spelling: options sorted by name."""
        if not self.options:
            return shown_name(self.name)
        inside = ",".join(f"{key}={_spelled(value)}" for key, value in sorted(self.options.items()))
        return f"{shown_name(self.name)}[{inside}]"

    def __str__(self) -> str:
        return self.label

    def __eq__(self, other: object) -> bool:
        return self.label == other.label if isinstance(other, Spec) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.label)

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read ``name`` or ``name[option=value,...]``; raise InputError when it is neither.

        A value in quotes may hold commas and brackets, and may begin or end with a blank; within it, a quote or a
        backslash is written after a backslash.
        """
        match = _SPEC.match(text.strip())
        if match is None:
            raise InputError(f"{one_line(text)!r} is not NAME or NAME[option=value,...]")
        options: dict[str, Option] = {}
        for part in split_outside_brackets(match["options"] or ""):
            key, equals, value = part.partition("=")
            if not equals or not key.strip().isidentifier():
                raise InputError(f"{one_line(part)!r} in {one_line(text)!r} is not option=value")
            if key.strip() in options:
                raise InputError(f"{one_line(text)!r} gives the option {key.strip()} twice")
            options[key.strip()] = _unquoted(value.strip()) if value.strip() else "none"
        return cls(match["name"].strip(), options)


def split_outside_brackets(text: str) -> list[str]:
    """Split at commas that are neither inside ``[...]`` nor in a quoted value: ``a,b[x=1,y="2,3"]`` has two parts."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        character = text[place]
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            parts.append(text[start:place].strip())
            start = place + 1
        place = (_end_of_quotes(text, place + 1) or place + 1) if character == "=" else place + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def _end_of_quotes(text: str, start: int) -> int | None:
    """The place after the quoted value that begins at ``start``; None where none does, or its quote never ends."""
    place = start
    while place < len(text) and text[place] == " ":
        place += 1
    if place == len(text) or text[place] not in _QUOTES:
        return None
    quote = text[place]
    place += 1
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] == quote:
            # A quote in the middle of a value, as in 'a'b, is a part of its text.
            return place + 1 if text[place + 1 :].lstrip()[:1] in ("", ",", "]") else None
        place += 1
    return None


def _unquoted(value: str) -> str:
    if _end_of_quotes(value, 0) != len(value) or not value:
        return value
    return Quoted(re.sub(r"\\([\\\"'])", r"\1", value[1:-1]))


def option_values(build: Callable[..., Any], spec: Spec, positional: Collection[str] = ()) -> dict[str, Any]:
    """Return the options of ``spec`` as values of the types that ``build`` annotates its parameters with.

    A parameter without an annotation takes values of its default's type, and where it has no default the text is read
    as a Python literal. Raises InputError for an option that ``build`` has no parameter for, and for a value of another
    type: ``vinet[recurrence=flase]``. ``positional`` names parameters that the caller fills, which are no options.
    """
    parameters = signature(build, spec)
    others = next((found for found in parameters.values() if found.kind is found.VAR_KEYWORD), None)
    options = [name for name, found in parameters.items() if name not in positional and found is not others]
    values = {}
    for option, value in spec.options.items():
        parameter = parameters[option] if option in options else others
        if parameter is None:
            raise InputError(f"{spec.name} has no option {option!r}; its options: {', '.join(options) or 'none'}")
        try:
            values[option] = _converted(value, parameter)
        except ValueError as error:
            shown = one_line(repr(value if isinstance(value, str) else _spelled(value)))
            raise InputError(f"{spec.name}: {option} is {shown}; it must be {error}") from error
        if values[option] == value and _is_bare(value) and str(value).lower() in _WORDS and not str(value).islower():
            # A label spells the word in small letters, so that two folders could get one label.
            raise InputError(f'{spec.name}: {option} is {value}; write {option}="{value}" if that is a text')
    return values


def check_filled(build: Callable[..., Any], spec: Spec, filled: Collection[str]) -> None:
    """Raise InputError where ``build`` needs a parameter that is not among those that are ``filled``."""
    for name, parameter in signature(build, spec).items():
        is_named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if is_named and parameter.default is parameter.empty and name not in filled:
            raise InputError(f"{spec.name} needs the option {name}: write {spec.name}[{name}=...]")


def signature(build: Callable[..., Any], spec: Spec) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a factory by name, with their annotations as types wherever these can be had.

    Raises InputError where Python does not know them, as for some factories that are not written in Python.
    """
    with foreign(f"{spec.name} is not a factory written in Python, so its options are not known"):
        try:
            return inspect.signature(build, eval_str=True).parameters
        except (NameError, AttributeError, SyntaxError, TypeError):
            # An annotation that is there for type checkers alone; the default tells the type instead.
            return inspect.signature(build).parameters


def _converted(value: Option, parameter: inspect.Parameter) -> Any:
    """An option's value as its parameter takes it; ValueError says what would be right."""
    wanted = parameter.annotation
    if wanted is parameter.empty or isinstance(wanted, str) or wanted in (Any, object):
        default = parameter.default
        if default is parameter.empty or not isinstance(default, bool | int | float | str):
            return guessed(value)
        # A default such as 1 is often meant as a number of any kind.
        wanted = int | float if type(default) is int else type(default)
    return _as_type(value, wanted)


def _as_type(value: Option, wanted: Any) -> Any:
    """``value`` as the annotated type ``wanted``; ValueError says what would be right."""
    if typing.get_origin(wanted) is typing.Annotated:
        return _as_type(value, typing.get_args(wanted)[0])
    if hasattr(wanted, "__value__"):  # a `type` statement of Python 3.12
        return _as_type(value, wanted.__value__)
    if typing.get_origin(wanted) is Literal:
        return _choice(value, typing.get_args(wanted))
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return _first_that_fits(value, typing.get_args(wanted))
    if wanted in _TYPES:
        convert, right = _TYPES[wanted]
        found = convert(value)
        if found is None:
            raise ValueError(right)
        return found
    if wanted in (None, type(None)):
        if value is None or (_is_bare(value) and str(value).lower() == "none"):
            return None
        raise ValueError("none")
    return guessed(value)


def _choice(value: Option, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
    for choice in choices:
        if isinstance(value, str) and value == (choice if isinstance(choice, str) else _spelled(choice)):
            return choice
    raise ValueError(f"one of {', '.join(map(str, choices))}")


_ORDER = (type(None), bool, int, float)


def _first_that_fits(value: Option, members: tuple[Any, ...]) -> Any:
    """The value as the narrowest member of a union that takes it; text comes last, unless it stood in quotes."""
    narrow = [one for one in _ORDER if one in members]
    rest = [one for one in members if one not in narrow]
    reasons = []
    for member in (
        [*rest, *narrow] if isinstance(value, Quoted) else [*narrow, *sorted(rest, key=lambda one: one is str)]
    ):
        try:
            return _as_type(value, member)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(" or ".join(sorted(set(reasons), key=reasons.index)))


def _is_bare(value: Option) -> bool:
    """Whether this is a text that did not stand in quotes."""
    return isinstance(value, str) and not isinstance(value, Quoted)


def _as_bool(value: Option) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower()) if isinstance(value, str) else None


def _as_int(value: Option) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value) else None


def _as_float(value: Option) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        number = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value)
        value = float(value) if number else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _as_text(value: Option) -> str | None:
    return str(value) if isinstance(value, str) else None


def _as_path(value: Option) -> Path | None:
    return Path(value) if isinstance(value, str | Path) else None


_TYPES: dict[Any, tuple[Callable[[Option], Any], str]] = {
    bool: (_as_bool, "true or false"),
    int: (_as_int, "a whole number"),
    float: (_as_float, "a number"),
    str: (_as_text, "a text"),
    Path: (_as_path, "a path"),
}
"""Type -> what makes a value of it, or None where that cannot be; and what would be right, in a person's words."""


def guessed(value: Option) -> Option:
    """What a text means where the factory does not say: true, false, none, a number, or else the text itself."""
    if not isinstance(value, str) or isinstance(value, Quoted):
        return value
    lowered = value.lower()
    if lowered in _WORDS:
        return {"true": True, "false": False, "none": None}[lowered]
    number = _as_int(value)
    return number if number is not None else value if (broken := _as_float(value)) is None else broken


def _spelled(value: Option) -> str:
    """An option's value as a label spells it: in quotes where it could not be read back otherwise."""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) or value is None else str(value)
    value = Quoted(shown_name(value)) if isinstance(value, Quoted) else shown_name(value)
    looks_like_no_text = not isinstance(guessed(str(value)), str)
    if looks_like_no_text and not isinstance(value, Quoted):
        return value.lower() if value.lower() in _WORDS else value
    if not looks_like_no_text and _reads_back(value):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _reads_back(value: str) -> bool:
    """Whether an unquoted value comes out of a label as it went in: no blanks around it, no comma outside brackets."""
    depth = 0
    for character in value:
        depth += (character == "[") - (character == "]")
        if depth < 0 or (character == "," and depth == 0):
            return False
    return bool(value) and depth == 0 and value == value.strip() and value[0] not in _QUOTES
