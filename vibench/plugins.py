"""Finds methods, metrics and mask generators by entry-point name or ``module:factory``, and reads their options."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any, Literal

from vibench.errors import InputError, MissingResource

Kind = Literal["methods", "metrics", "masks"]
Option = bool | int | float | str | None

_SPEC = re.compile(r"^(?P<name>[^\[\]]+?)(?:\[(?P<options>.*)\])?$", re.DOTALL)


@dataclass(frozen=True)
class Spec:
    """A plug-in as the user names it: ``vinet[memory=false]``."""

    name: str
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The same text in one canonical spelling: options sorted by name."""
        if not self.options:
            return self.name
        inside = ",".join(f"{key}={_spelled(value)}" for key, value in sorted(self.options.items()))
        return f"{self.name}[{inside}]"

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read ``name`` or ``name[option=value,...]``; raise InputError when it is neither."""
        match = _SPEC.match(text.strip())
        if match is None:
            raise InputError(f"{text!r} is not NAME or NAME[option=value,...]")
        options: dict[str, Option] = {}
        for part in split_outside_brackets(match["options"] or ""):
            key, equals, value = part.partition("=")
            if not equals or not key.strip().isidentifier():
                raise InputError(f"{part!r} in {text!r} is not option=value")
            options[key.strip()] = _parsed(value.strip())
        return cls(match["name"].strip(), options)


def split_outside_brackets(text: str) -> list[str]:
    """Split at commas that are not inside ``[...]``: ``a,b[x=1,y=2]`` -> ``a``, ``b[x=1,y=2]``."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def names(kind: Kind) -> list[str]:
    """Registered names of one kind, sorted."""
    return sorted({entry.name for entry in _registered(kind)})


def factory(kind: Kind, name: str) -> Callable[..., Any]:
    """The factory behind an entry-point name or a ``module:attribute`` path; InputError when there is none."""
    found = [entry for entry in _registered(kind) if entry.name == name]
    if len({entry.value for entry in found}) > 1:
        owners = ", ".join(entry.value for entry in found)
        raise InputError(f"{kind[:-1]} {name!r} is registered more than once ({owners}); name one as module:factory")
    module, colon, attribute = (found[0].value if found else name).partition(":")
    if not colon:
        raise InputError(f"no {kind[:-1]} is called {name!r}{_suggestion(name, names(kind))}")
    return _imported(module, attribute, name)


def make(kind: Kind, spec: Spec, **extra: Any) -> Any:
    """Call the factory of ``spec`` with its options, and with those of ``extra`` that it has parameters for."""
    build = factory(kind, spec.name)
    parameters = checked_options(build, spec)
    given = {key: value for key, value in extra.items() if key in parameters and key not in spec.options}
    required = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    if absent := [name for name in required if name not in {**spec.options, **given}]:
        raise InputError(f"{spec.name} needs the option {absent[0]}: write {spec.name}[{absent[0]}=...]")
    return build(**spec.options, **given)


def checked_options(
    build: Callable[..., Any], spec: Spec, positional: Collection[str] = ()
) -> Mapping[str, inspect.Parameter]:
    """The parameters of ``build``; InputError where ``spec`` has an option that is none of them.

    ``positional`` names parameters that the caller fills, which are no options.
    """
    try:
        parameters = inspect.signature(build).parameters
    except ValueError as error:
        raise InputError(f"{spec.name} is not a factory written in Python, so its options are not known") from error
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    options = [name for name in parameters if name not in positional]
    for option in spec.options:
        if option not in options and not takes_any:
            raise InputError(f"{spec.name} has no option {option!r}; its options: {', '.join(options) or 'none'}")
    return parameters


def source_digest(build: Callable[..., Any]) -> str:
    """Sha256 over the Python files of the package that ``build`` comes from: changed code is a different method.

    A single module counts alone; a package of more than 1,000 files is identified by its installed version.
    """
    top_level = (build.__module__ or "").partition(".")[0]
    module = importlib.import_module(top_level)
    hashed = hashlib.sha256()
    folders = list(getattr(module, "__path__", []))
    files = sorted(file for folder in folders for file in Path(folder).rglob("*.py"))
    if not folders and getattr(module, "__file__", None):
        files = [Path(str(module.__file__))]
    if len(files) > 1000:
        return hashlib.sha256(f"{top_level} {version(top_level)}".encode()).hexdigest()
    for file in files:
        hashed.update(file.name.encode() + file.read_bytes())
    return hashed.hexdigest()


def _registered(kind: Kind) -> list[EntryPoint]:
    return list(entry_points(group=f"vibench.{kind}"))


def _imported(module: str, attribute: str, name: str) -> Callable[..., Any]:
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.startswith(error.name):
            raise InputError(f"{name!r}: there is no module {module!r} on the Python path") from error
        raise MissingResource(f"{name!r} needs the Python package {error.name!r}, which is not installed") from error
    made = getattr(imported, attribute, None)
    if not callable(made):
        raise InputError(f"{name!r}: module {module!r} has no callable {attribute!r}")
    return made  # type: ignore[no-any-return]


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _parsed(text: str) -> Option:
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if lowered in ("none", ""):
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float | str) else text


def _spelled(value: Option) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
