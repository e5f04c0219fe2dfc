"""Method files among the methods: a file by its path, or one that comes with vibench by its name, as a factory."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from vibench import plugins
from vibench.document import first_fault
from vibench.errors import InputError
from vibench.plugins import Spec
from vibench.runner.programs.interpreter import InterpreterFactory
from vibench.runner.programs.method_file import INSTALLED, MethodFile, Option, load_method_file, located, shipped
from vibench.runner.programs.program import Program


@dataclass(frozen=True)
class ProgramFactory:
    """Makes the method that a method file describes; its options are those of the file, with their types."""

    file: MethodFile

    def __call__(self, device: str = "cpu", **options: Option) -> Program:
        """Make the program ready to be run; MissingResource where it is not on this machine."""
        return Program(self.file, options, device)

    def host(self, options: Mapping[str, Any], device: str, threads: int) -> Program:
        """Make it as ``vibench.machine.host.hosted`` wants it."""
        return Program(self.file, options, device, threads)

    def __post_init__(self) -> None:
        object.__setattr__(self, "__qualname__", self.file.name)  # what a class or a function would be called by

    @property
    def __signature__(self) -> inspect.Signature:
        """The options of the file as parameters, so that they are read and checked like those of any factory."""
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature(
            [
                inspect.Parameter(name, keyword, default=value, annotation=type(value))
                for name, value in self.file.options.items()
            ]
        )

    @property
    def source_sha256(self) -> str:
        """What stands for its code: what the file decides, and what the program is (``identity.py``)."""
        identity = self().identity
        return hashlib.sha256(f"{self.file.decisions} {identity.sha256}".encode()).hexdigest()


class NamedMethod(NamedTuple):
    """A method that is no installed one: its name in tables with its options, and what makes it."""

    spec: Spec
    factory: ProgramFactory | InterpreterFactory


def named_method(spec: Spec, python: str = "", *, in_process: bool = False) -> NamedMethod | None:
    """The method that a name with options means, where it is a method file, or is for the interpreter ``python``.

    A method file is named by its path, which ends in ``.toml``, or by the name of one that comes with vibench, unless a
    method of that name is installed. The options ``checkout`` and ``python`` say where it lies on this machine, and
    ``name`` what it shall be called; they are no part of its name. ``python`` is for methods that are named as
    ``module:factory``. None for any other name. Raises InputError where the file is no method file, or calls itself
    like an installed method.
    """
    if python and ":" in spec.name:
        if in_process:
            raise InputError(f"{spec.name} cannot work in this process under {python}: drop --in-process or --python")
        return NamedMethod(spec, InterpreterFactory(spec.name, located(python, Path.cwd(), is_command=True)))
    installed = plugins.names("methods")
    path = Path(spec.name) if spec.name.endswith(".toml") else None
    if path is None and spec.name not in installed:
        path = next((file for file in shipped() if file.stem == spec.name), None)
    if path is None:
        return None
    places = {name: str(spec.options[name]) for name in (*INSTALLED, "name") if name in spec.options}
    for name in places.keys() & set(INSTALLED):
        places[name] = located(places[name], Path.cwd(), is_command=name == "python")
    file = _placed(load_method_file(path), places)
    if file.name in installed:
        raise InputError(f"{path} calls itself {file.name!r}, like an installed method; give it another name")
    named = Spec(file.name, {name: value for name, value in spec.options.items() if name not in places})
    if file.factory:
        preset = tuple(sorted(file.options.items()))
        return NamedMethod(named, InterpreterFactory(file.factory, file.python, file.path, preset))
    return NamedMethod(named, ProgramFactory(file))


def _placed(file: MethodFile, places: Mapping[str, str]) -> MethodFile:
    """The file with other places, and perhaps another name, which is looked at as if it stood in the file."""
    try:
        return MethodFile.model_validate({**file.model_dump(), **places})
    except ValidationError as error:
        raise InputError(f"{file.name}: {first_fault(error)}") from error
