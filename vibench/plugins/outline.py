"""The outline of a plug-in: its options and what it says of itself, read from its source without importing it.

Importing a method or a metric may load torch, which takes seconds; a list of names and a check of options need neither.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional, Union

_TYPES = {"Literal": Literal, "Optional": Optional, "Union": Union, "Path": Path, "Any": Any}
_TYPES |= {kind.__name__: kind for kind in (bool, int, float, str)}
"""What annotations of options are made of; another name says nothing here."""


@dataclass(frozen=True)
class Outline:
    """Stands for a factory wherever only its options and its docstring are asked for."""

    parameters: tuple[inspect.Parameter, ...]
    doc: str

    def __call__(self, **options: Any) -> None:
        """Refuse: an outline makes nothing."""
        raise ValueError("an outline of a plug-in cannot make it")

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.Signature(self.parameters)


def outline_of(file: Path, attribute: str) -> Outline | None:
    """Return the outline of the function or class ``attribute`` at the top of a Python file.

    None where a look at the source does not tell: it is made by a call or a decorator, inherits its options, says
    nothing of itself, or its module imports a package that is not installed.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == attribute]
    doc = ast.get_docstring(found[-1]) if found else None
    if not found or not doc or found[-1].decorator_list or not all(map(_is_installed, _imported_packages(tree))):
        return None
    parameters = _parameters(found[-1])
    return None if parameters is None else Outline(parameters, doc)


def _parameters(node: ast.FunctionDef | ast.ClassDef) -> tuple[inspect.Parameter, ...] | None:
    if isinstance(node, ast.FunctionDef):
        return tuple(_of_arguments(node.args))
    made = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name in ("__init__", "__new__")]
    if node.bases or node.keywords or any(one.decorator_list for one in made):
        return None
    return tuple(_of_arguments(made[0].args))[1:] if made else ()


def _of_arguments(given: ast.arguments) -> Iterator[inspect.Parameter]:
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    for argument, default in zip(plain, [*defaults, *given.defaults], strict=True):
        yield _parameter(argument, default, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if given.vararg:
        yield inspect.Parameter(given.vararg.arg, inspect.Parameter.VAR_POSITIONAL)
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _parameter(argument, default, inspect.Parameter.KEYWORD_ONLY)
    if given.kwarg:
        yield inspect.Parameter(given.kwarg.arg, inspect.Parameter.VAR_KEYWORD)


def _parameter(argument: ast.arg, default: ast.expr | None, kind: Any) -> inspect.Parameter:
    """A parameter whose type and default are known as far as the source tells; what it does not tell fits anything."""
    value: Any = inspect.Parameter.empty
    if default is not None:
        try:
            value = ast.literal_eval(default)
        except ValueError:
            value = None
    annotation: Any = inspect.Parameter.empty if argument.annotation is None else Any
    if argument.annotation is not None:
        names = {node.id for node in ast.walk(argument.annotation) if isinstance(node, ast.Name)}
        if names <= set(_TYPES) and not any(isinstance(node, ast.Call) for node in ast.walk(argument.annotation)):
            annotation = eval(ast.unparse(argument.annotation), {"__builtins__": {}}, dict(_TYPES))
        else:
            value = None if value is not inspect.Parameter.empty else value
    return inspect.Parameter(argument.arg, kind, default=value, annotation=annotation)


def _imported_packages(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports when it is imported itself."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _is_installed(package: str) -> bool:
    if package in sys.modules or package in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
