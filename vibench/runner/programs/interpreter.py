"""A Python method under another interpreter: another Python, numpy or torch, in an environment of its own."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibench import plugins
from vibench.errors import InputError, MissingResource
from vibench.machine.host import Child, ChildFailed

NOT_INHERITED = frozenset({"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"})
"""What the Python of this process was told, which is wrong for another one."""


@dataclass(frozen=True)
class InterpreterFactory:
    """Makes ``module:attribute`` in a process of ``python``; ``path`` are folders in which it looks for modules first.

    What the method needs must be installed there; of vibench it needs nothing, but numpy must be there.
    """

    target: str
    python: str
    path: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "__qualname__", self.target)  # what a class or a function would be called by

    def __call__(self, **_: Any) -> Any:
        """Raise InputError: this process runs another interpreter."""
        raise InputError(f"{self.target} works under {self.python}, so it cannot work in this process")

    @property
    def __signature__(self) -> inspect.Signature:
        """Any option, as what its text looks like, since only the other interpreter can import the factory."""
        return inspect.Signature([inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)])

    def host(self, options: Mapping[str, Any], device: str, threads: int) -> Child:
        """Make the method in its process; InputError or MissingResource, in one sentence, where that cannot be."""
        child = self._child(options, device, threads)
        try:
            child.load()
        except BaseException:
            child.close()
            raise
        child.described = {"interpreter": self.python, "versions": child.versions, **child.described}
        return child

    @property
    def source_sha256(self) -> str:
        """Of the code that the factory reaches, the same under any interpreter, where this one finds its module.

        Else it is of all modules that are loaded with the factory's own and that nobody has installed.
        """
        module = self.target.partition(":")[0]
        if plugins.reached_modules(module):
            return plugins.code_digest(module)
        with self._child({}, "cpu", 0) as child:
            try:
                files = child.sources()
            except ChildFailed as failed:
                raise InputError(f"{self.target} cannot be imported by {self.python}: {failed.message}") from failed
        found = {name: hashlib.sha256(Path(file).read_bytes()).hexdigest() for name, file in files.items()}
        return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()

    def _child(self, options: Mapping[str, Any], device: str, threads: int) -> Child:
        if shutil.which(self.python) is None:
            raise MissingResource(f"there is no Python at {self.python}; name the interpreter, ENVIRONMENT/bin/python")
        module, _, attribute = self.target.partition(":")
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        return Child(
            module, attribute, {**dict(self.options), **options}, device=device, threads=threads, python=self.python,
            path=[*self.path, *_own_places()], environment=inherited,
        )  # fmt: skip


def _own_places() -> list[str]:
    """Where this process looks for modules, without its standard library and what is installed for its own version."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places = [os.path.abspath(place) for place in sys.path]
    return [
        place
        for place in places
        if not any(place == each or place.startswith(f"{each}{os.sep}") for each in own)
        and not {"site-packages", "dist-packages", "lib-dynload"} & set(Path(place).parts)
        and not place.endswith(".zip")
    ]
