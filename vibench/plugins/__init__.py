"""Finds methods, metrics and mask generators by entry-point name or ``module:factory``, and reads their options."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points, packages_distributions
from pathlib import Path
from typing import Any, Literal

from vibench.errors import InputError, MissingResource, UserError, foreign
from vibench.plugins.options import (
    Option,
    Spec,
    check_filled,
    guessed,
    option_values,
    signature,
    split_outside_brackets,
)
from vibench.plugins.outline import outline_of

Kind = Literal["methods", "metrics", "masks"]

__all__ = [
    "Kind",
    "Option",
    "Spec",
    "arguments",
    "checked_options",
    "code_digest",
    "factory",
    "likely_values",
    "make",
    "names",
    "option_values",
    "outlined",
    "reached_modules",
    "register",
    "registered",
    "signature",
    "source_digest",
    "split_outside_brackets",
    "target",
]

_local: dict[tuple[Kind, str], Callable[..., Any]] = {}


def register(kind: Kind, name: str, factory: Callable[..., Any]) -> None:
    """Let ``name`` stand for ``factory`` in this process, before any entry point of that name."""
    _local[kind, name] = factory


def registered(kind: Kind, name: str) -> Callable[..., Any] | None:
    """Return the factory that ``register`` was given for ``name`` in this process; None where there is none."""
    return _local.get((kind, name))


def names(kind: Kind) -> list[str]:
    """Registered names of one kind, sorted."""
    return sorted({entry.name for entry in _registered(kind)})


def factory(kind: Kind, name: str) -> Callable[..., Any]:
    """Return the factory behind an entry-point name or a ``module:attribute`` path.

    Raises InputError where there is none, and MissingResource where it needs a package that is not installed.
    """
    if (kind, name) in _local:
        return _local[kind, name]
    module, _, attribute = target(kind, name).partition(":")
    return _imported(module, attribute, name)


def target(kind: Kind, name: str) -> str:
    """Return the ``module:attribute`` behind an entry-point name, or such a path itself; nothing is imported.

    Raises InputError where there is none.
    """
    if (kind, name) in _local:
        build = _local[kind, name]
        return f"{build.__module__}:{build.__qualname__}"
    found = [entry for entry in _registered(kind) if entry.name == name]
    if len({entry.value for entry in found}) > 1:
        owners = ", ".join(entry.value for entry in found)
        raise InputError(f"{kind[:-1]} {name!r} is registered more than once ({owners}); name one as module:factory")
    path = found[0].value if found else name
    if ":" not in path:
        raise InputError(f"no {kind[:-1]} is called {name!r}{_suggestion(name, names(kind))}")
    return path


def outlined(kind: Kind, name: str) -> Callable[..., Any]:
    """Return what has the options and the docstring of a factory: its outline, or itself where only an import tells.

    Raises what ``factory`` raises.
    """
    return outlined_unrun(kind, name) or factory(kind, name)


def outlined_unrun(kind: Kind, name: str) -> Callable[..., Any] | None:
    """Return the same without running code of a module that was not imported yet; None where only an import tells.

    Raises what ``factory`` raises where there is no such module.
    """
    module, _, attribute = target(kind, name).partition(":")
    if (kind, name) in _local or module in sys.modules:
        return factory(kind, name)
    file = _module_file(module)
    if file is None and "." not in module:
        return factory(kind, name)
    return outline_of(file, attribute) if file is not None and file.suffix == ".py" else None


def make(kind: Kind, spec: Spec, **extra: Any) -> Any:
    """Call the factory of ``spec`` with its options, and with those of ``extra`` that it has parameters for.

    Raises InputError where an option is unknown, missing or of another type, and where the factory itself raises or
    ends the program: one sentence that names the plug-in and the reason.
    """
    build, options = arguments(kind, spec, **extra)
    with foreign(f"{spec.label} cannot be made"):
        return build(**options)


def arguments(kind: Kind, spec: Spec, **extra: Any) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the factory of ``spec`` and the arguments that ``make`` calls it with; InputError for a wrong option."""
    build = factory(kind, spec.name)
    values = option_values(build, spec)
    parameters = signature(build, spec)
    given = {key: value for key, value in extra.items() if key in parameters and key not in values}
    filled = {**values, **given}
    check_filled(build, spec, filled)
    return build, filled


def checked_options(
    build: Callable[..., Any], spec: Spec, positional: Collection[str] = ()
) -> Mapping[str, inspect.Parameter]:
    """The parameters of ``build``; InputError where an option of ``spec`` is none of them, or is of another type.

    ``positional`` names parameters that the caller fills, which are no options.
    """
    option_values(build, spec, positional)
    return signature(build, spec)


def likely_values(kind: Kind, spec: Spec) -> dict[str, Any]:
    """The options of ``spec`` as values, for another version of the plug-in than the one that is installed here.

    Options that the plug-in has here are converted as ``option_values`` does it, with its InputError; what it does not
    know, or all of them where there is no such plug-in here, is taken for what it looks like.
    """
    looks = {name: guessed(value) for name, value in spec.options.items()}
    try:
        build = factory(kind, spec.name)
        known = signature(build, spec)
    except UserError:
        return looks
    mine = {name: value for name, value in spec.options.items() if name in known}
    return {**looks, **option_values(build, Spec(spec.name, mine))}


def source_digest(build: Callable[..., Any]) -> str:
    """Sha256 of the code that ``build`` reaches: two factories with equal digests run equal code of their authors.

    Counted is every module that the factory's own module imports, directly or through others and inside functions too,
    as far as it belongs to the same distribution or lies in a checkout. The standard library, other installed packages
    and vibench itself do not count: their versions stand in every record. Imports for type checkers alone do not count.

    A metric of vibench is held to the modules of vibench that it reaches, without those that every metric imports. For
    a factory that was defined in a notebook, whose module has no file, its own source text counts. Raises InputError
    where there is neither a file nor a source text.

    A factory with an attribute ``source_sha256``, such as that of a program, says it itself.
    """
    if isinstance(own := getattr(build, "source_sha256", None), str):
        return own
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
        return lambda name: name.startswith("vibench.") and ".".join(name.split(".")[:2]) not in _OF_EVERY_METRIC
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
