"""Finds methods, metrics and mask generators by entry-point name or ``module:factory``, and reads their options."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import math
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points, packages_distributions
from pathlib import Path
from typing import Any, Literal

from vibench.errors import InputError, MissingResource, UserError, foreign, one_line, shown_name

Kind = Literal["methods", "metrics", "masks"]
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


_local: dict[tuple[Kind, str], Callable[..., Any]] = {}


def register(kind: Kind, name: str, factory: Callable[..., Any]) -> None:
    """Let ``name`` stand for ``factory`` in this process, before any entry point of that name."""
    _local[kind, name] = factory


def names(kind: Kind) -> list[str]:
    """Registered names of one kind, sorted."""
    return sorted({entry.name for entry in _registered(kind)})


def factory(kind: Kind, name: str) -> Callable[..., Any]:
    """The factory behind an entry-point name or a ``module:attribute`` path; InputError when there is none."""
    if (kind, name) in _local:
        return _local[kind, name]
    found = [entry for entry in _registered(kind) if entry.name == name]
    if len({entry.value for entry in found}) > 1:
        owners = ", ".join(entry.value for entry in found)
        raise InputError(f"{kind[:-1]} {name!r} is registered more than once ({owners}); name one as module:factory")
    module, colon, attribute = (found[0].value if found else name).partition(":")
    if not colon:
        raise InputError(f"no {kind[:-1]} is called {name!r}{_suggestion(name, names(kind))}")
    return _imported(module, attribute, name)


def make(kind: Kind, spec: Spec, **extra: Any) -> Any:
    """Call the factory of ``spec`` with its options, and with those of ``extra`` that it has parameters for.

    Raises InputError where an option is unknown, missing or of another type, and where the factory itself raises or
    ends the program: one sentence that names the plug-in and the reason.
    """
    build = factory(kind, spec.name)
    values = option_values(build, spec)
    parameters = _signature(build, spec)
    given = {key: value for key, value in extra.items() if key in parameters and key not in values}
    required = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    if absent := [name for name in required if name not in {**values, **given}]:
        raise InputError(f"{spec.name} needs the option {absent[0]}: write {spec.name}[{absent[0]}=...]")
    with foreign(f"{spec.label} cannot be made"):
        return build(**values, **given)


def checked_options(
    build: Callable[..., Any], spec: Spec, positional: Collection[str] = ()
) -> Mapping[str, inspect.Parameter]:
    """The parameters of ``build``; InputError where an option of ``spec`` is none of them, or is of another type.

    ``positional`` names parameters that the caller fills, which are no options.
    """
    option_values(build, spec, positional)
    return _signature(build, spec)


def option_values(build: Callable[..., Any], spec: Spec, positional: Collection[str] = ()) -> dict[str, Any]:
    """The options of ``spec`` as values of the types that ``build`` annotates its parameters with.

    A parameter without an annotation takes values of its default's type, and where it has no default the text is read
    as a Python literal. Raises InputError for an option that ``build`` has no parameter for, and for a value of another
    type: ``vinet[recurrence=flase]``. ``positional`` names parameters that the caller fills, which are no options.
    """
    parameters = _signature(build, spec)
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


def likely_values(kind: Kind, spec: Spec) -> dict[str, Any]:
    """The options of ``spec`` as values, for another version of the plug-in than the one that is installed here.

    Options that the plug-in has here are converted as ``option_values`` does it, with its InputError; what it does not
    know, or all of them where there is no such plug-in here, is taken for what it looks like.
    """
    guessed = {name: _guessed(value) for name, value in spec.options.items()}
    try:
        build = factory(kind, spec.name)
        known = _signature(build, spec)
    except UserError:
        return guessed
    mine = {name: value for name, value in spec.options.items() if name in known}
    return {**guessed, **option_values(build, Spec(spec.name, mine))}


def _signature(build: Callable[..., Any], spec: Spec) -> Mapping[str, inspect.Parameter]:
    """The parameters of a factory, with their annotations as types wherever these can be had."""
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
            return _guessed(value)
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
    return _guessed(value)


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


MOST_DESCRIBED_VALUES = 1000
"""Longer arrays are no description of a method."""


def described(method: Any) -> dict[str, Any]:
    """What ``method.describe()`` gives, as JSON knows it; nothing where the method does not describe itself.

    Numbers, texts and arrays of numpy become those of Python, and paths become texts. Raises InputError, which names
    the class and the reason, where it raises or ends the program, where it does not give a mapping with texts as keys,
    and where a value is not finite, has too many parts, or is of a kind that JSON does not have.
    """
    describe = getattr(method, "describe", None)
    if not callable(describe):
        return {}
    name = f"{type(method).__module__}:{type(method).__qualname__}"
    with foreign(f"{name}.describe() cannot be used"):
        found = describe()
        if not isinstance(found, Mapping):
            raise InputError(f"{name}.describe() gives {one_line(repr(found), 80)}, and must give a dictionary")
        made: dict[str, Any] = _as_json(found, "")
        return made


def _as_json(value: Any, place: str) -> Any:
    """A value of a description as JSON knows it; ``place`` says where it stands. Raises ValueError."""
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        if getattr(value, "size", 1) > MOST_DESCRIBED_VALUES:
            raise ValueError(f"{place} is an array of more than {MOST_DESCRIBED_VALUES} values")
        value = value.tolist()
    elif hasattr(value, "numel") and hasattr(value, "tolist"):
        value = value.tolist() if value.numel() <= MOST_DESCRIBED_VALUES else object()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place} is {value}; a description holds finite numbers")
        return float(value)
    if isinstance(value, str | Path):
        return shown_name(str(value))
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"{place or 'it'} has the key {one_line(repr(wrong[0]), 80)}, and a key must be a text")
        return {shown_name(key): _as_json(inner, f"{place}.{key}".strip(".")) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        if len(value) > MOST_DESCRIBED_VALUES:
            raise ValueError(f"{place} has more than {MOST_DESCRIBED_VALUES} parts")
        return [_as_json(inner, f"{place}[{index}]") for index, inner in enumerate(value)]
    raise ValueError(f"{place} is a {type(value).__name__}; give numbers, texts, lists and dictionaries")


def source_digest(build: Callable[..., Any]) -> str:
    """Sha256 of the code that ``build`` reaches: two factories with equal digests run equal code of their authors.

    Counted is every module that the factory's own module imports, directly or through others and inside functions too,
    as far as it belongs to the same distribution or lies in a checkout. The standard library, other installed packages
    and vibench itself do not count: their versions stand in every record. Imports for type checkers alone do not count.

    A metric of vibench is held to the modules of vibench that it reaches, without those that every metric imports. For
    a factory that was defined in a notebook, whose module has no file, its own source text counts. Raises InputError
    where there is neither a file nor a source text.
    """
    build = inspect.unwrap(build)
    module = build.__module__ or ""
    if reached_modules(module):
        return code_digest(module)
    try:
        return hashlib.sha256(inspect.getsource(build).encode()).hexdigest()
    except (OSError, TypeError) as error:
        raise InputError(
            f"the source of {module}:{build.__qualname__} cannot be read, so its results could not be told from "
            "those of another version of it; define it in a file"
        ) from error


def code_digest(module: str) -> str:
    """Sha256 of the names and contents of ``reached_modules``; nothing is imported."""
    hashed = hashlib.sha256()
    for name, file in sorted(reached_modules(module).items()):
        hashed.update(f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return hashed.hexdigest()


def reached_modules(module: str) -> dict[str, Path]:
    """Dotted name -> file of every module that counts for ``source_digest``, ``module`` itself among them."""
    counts = _counted_packages(module.partition(".")[0])
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _module_file(name) if name not in found and counts(name) else None
        if file is None:
            continue
        found[name] = file
        waiting += _imported_names(file, name, (file.stat().st_mtime_ns, file.stat().st_size))
    return found


_OF_EVERY_METRIC = frozenset(
    f"vibench.{name}" for name in ("clip", "document", "errors", "files", "method", "metric", "plugins", "protocol")
)


def _counted_packages(home: str) -> Callable[[str], bool]:
    """Whether a module counts for a factory whose top-level package is ``home``."""
    if home == "vibench":
        return lambda name: name.startswith("vibench.") and name not in _OF_EVERY_METRIC
    same = _packages_beside(home) if _is_installed(home) else None

    def counts(name: str) -> bool:
        package = name.partition(".")[0]
        if package == "vibench" or package in sys.stdlib_module_names:
            return False
        return package in same if same is not None else not _is_installed(package)

    return counts


@cache
def _is_installed(package: str) -> bool:
    """Whether a top-level package lies where pip puts packages, and not in a checkout or a folder on the path."""
    places = [_module_file(package), *_folders(package)]
    return not any(place and not {"site-packages", "dist-packages"} & set(place.parts) for place in places)


def _folders(package: str) -> list[Path]:
    """The folders of a top-level package, several for one that has no file of its own; none for a single module."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec is not None else []


@cache
def _packages_beside(package: str) -> frozenset[str]:
    """The top-level packages of the distributions that installed ``package``, itself among them."""
    owners = packages_distributions()
    mine = set(owners.get(package, ()))
    return frozenset(name for name, others in owners.items() if mine & set(others)) | {package}


def _module_file(name: str) -> Path | None:
    """The file of a module, found without importing it; None for one that is built in, a namespace or nowhere."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        return Path(file) if file and Path(file).is_file() else None
    package, *inner = name.split(".")
    try:
        spec = importlib.util.find_spec(package)
        for depth, _ in enumerate(inner, start=2):
            if spec is None or spec.submodule_search_locations is None:
                return None
            path = list(spec.submodule_search_locations)
            spec = importlib.machinery.PathFinder.find_spec(".".join(name.split(".")[:depth]), path)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin and Path(spec.origin).is_file() else None


@lru_cache(maxsize=4096)
def _imported_names(file: Path, name: str, _changed: tuple[int, int]) -> tuple[str, ...]:
    """Every dotted name that the module's source may import, and the packages around the module, which run before it.

    ``from a import b`` gives ``a`` and ``a.b``, since only a look at the files tells whether ``b`` is a module. What an
    ``if TYPE_CHECKING`` holds is passed over. ``_changed`` is the file's time and size: an edited file is read anew.
    """
    parts = name.split(".")
    found = [".".join(parts[:depth]) for depth in range(1, len(parts))]
    if file.suffix != ".py":
        return tuple(found)
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return tuple(found)
    here = parts if file.name == "__init__.py" else parts[:-1]
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            around = here[: len(here) - node.level + 1] if node.level else []
            base = ".".join([*around, *([node.module] if node.module else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and _loads_by_name(node):
            found.append(str(ast.literal_eval(node.args[0])))
        waiting += ast.iter_child_nodes(node)
    return tuple(found)


def _loads_by_name(call: ast.Call) -> bool:
    """Whether this is ``import_module("a.b")`` or ``__import__("a.b")`` with the name written out."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = bool(call.args) and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    return named and called in ("import_module", "__import__")


def _registered(kind: Kind) -> list[EntryPoint]:
    return list(entry_points(group=f"vibench.{kind}"))


def _imported(module: str, attribute: str, name: str) -> Callable[..., Any]:
    with foreign(f"{name!r} cannot be imported"):
        try:
            imported = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and f"{module}.".startswith(f"{error.name}."):
                raise InputError(f"{name!r}: there is no module {module!r} on the Python path") from error
            raise MissingResource(
                f"{name!r} needs the Python package {error.name!r}, which is not installed"
            ) from error
        made = getattr(imported, attribute, None)
    if not callable(made):
        raise InputError(f"{name!r}: module {module!r} has no callable {attribute!r}")
    return made  # type: ignore[no-any-return]


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _guessed(value: Option) -> Option:
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
    looks_like_no_text = not isinstance(_guessed(str(value)), str)
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
