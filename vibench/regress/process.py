"""One version of a method, and the process in which it is measured.

**Own environment, same interpreter.** Both versions use the site-packages of this Python; the version's checkout (or unpacked wheel)
stands first on ``PYTHONPATH``, before an editable install. Thus the only difference between the two processes is the code
under test, a comparison starts in a second instead of reinstalling torch, and nothing is downloaded. The price: a version
that needs *other dependencies* cannot be compared this way; install both elsewhere and compare stored baselines instead.
Entry-point names are resolved to ``module:factory`` with the version's own ``pyproject.toml`` (or the wheel's list).
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tomllib
from collections.abc import Collection, Mapping
from configparser import ConfigParser
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from time import monotonic
from typing import IO, Any, Self

import numpy as np

from vibench.clip import Frames
from vibench.errors import InputError
from vibench.plugins import Option, Spec

GROUP = "vibench.methods"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class SideFailed(Exception):
    """A version could not be measured: it raised or died, or (``timed_out``) the budget ended before it answered."""

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


@dataclass(frozen=True)
class Version:
    """Where one version's code is. ``root`` None is the code that is installed; ``title`` is for people.

    ``owns_methods``: a method loaded from elsewhere than ``root`` is an error, since both versions would be the same code.
    """

    title: str
    root: Path | None = None
    owns_methods: bool = True

    @property
    def python_path(self) -> list[str]:
        """What stands first on the path of this version: its root, and ``src`` inside it."""
        if self.root is None:
            return []
        return [str(folder) for folder in (self.root, self.root / "src") if folder.is_dir()]

    def factory(self, name: str) -> str:
        """The ``module:factory`` behind a method's name in this version; InputError where it has none."""
        if ":" in name:
            return name
        own = self._entry_points()
        installed = {entry.name: entry.value for entry in entry_points(group=GROUP)}
        if name in own:
            return own[name]
        if name in installed and (self.root is None or not own or not self.owns_methods):
            return installed[name]
        raise InputError(f"{self.title} has no method {name!r}; it has {', '.join(sorted(own or installed)) or 'none'}")

    def _entry_points(self) -> Mapping[str, str]:
        if self.root is None:
            return {}
        if (project := self.root / "pyproject.toml").is_file():
            table = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
            return dict(table.get("entry-points", {}).get(GROUP, {}))
        for listed in self.root.glob("*.dist-info/entry_points.txt"):
            parser = ConfigParser(delimiters=("=",))
            parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
            parser.read(listed, encoding="utf-8")
            if parser.has_section(GROUP):
                return dict(parser[GROUP])
        return {}


class Side:
    """A running process of one version; a context manager that ends it."""

    def __init__(self, version: Version, spec: Spec, device: str, threads: int, clips: Path) -> None:
        self.version, self.spec = version, spec
        self._load: dict[str, Any] = {
            "factory": version.factory(spec.name), "options": dict(spec.options),
            "device": device, "threads": threads, "clips": str(clips),
        }  # fmt: skip
        self._environment = self._environ(threads)
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, until: float) -> dict[str, Any]:
        """Start the process and load the method; returns what the worker says about it."""
        self._rest = b""
        self._process = subprocess.Popen(
            # -P: modules that lie beside the worker must not hide those of the version under test.
            [sys.executable, "-P", str(Path(__file__).with_name("worker.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment,
        )  # fmt: skip
        about = self.ask(until, "load", **self._load)
        self._check_origin(Path(about["file"]))
        return about

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def ask(self, until: float, verb: str, **order: Option | dict[str, Option]) -> dict[str, Any]:
        """One order, one answer, before ``until`` on the monotonic clock; SideFailed where there is none."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ValueError(f"{self.version.title} was not started")
        try:
            process.stdin.write(json.dumps({"do": verb, **order}).encode() + b"\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._line(process.stdout, until))
        except BrokenPipeError as error:
            raise SideFailed(f"its process ended with status {process.wait()}") from error
        if "error" in answer:
            raise SideFailed(str(answer["error"]))
        return answer

    def pin(self, cores: Collection[int]) -> None:
        """Keep every thread of the process on these cores from now on; does nothing where the system cannot."""
        if self._process is None or not hasattr(os, "sched_setaffinity"):
            return
        for task in Path(f"/proc/{self._process.pid}/task").glob("*"):
            with suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(task.name), cores)

    def filled(self, until: float, output: Path) -> list[Frames]:
        """Every clip filled once, by way of the file ``output``, an .npz."""
        self.ask(until, "fill", output=str(output))
        with np.load(output) as arrays:
            return [arrays[name] for name in arrays.files]

    def _line(self, pipe: IO[bytes], until: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, until - monotonic())):
                    self.stop()
                    raise SideFailed("it did not answer within the budget", timed_out=True)
                received = os.read(pipe.fileno(), 65536)
                if not received:
                    status = self._process.wait() if self._process else "unknown"
                    raise SideFailed(f"its process ended with status {status}")
                self._rest += received
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _environ(self, threads: int) -> dict[str, str]:
        """This process's environment with the version first on the path, a fixed hash seed and pinned threads."""
        before = os.environ.get("PYTHONPATH", "")
        path = [*self.version.python_path, *([before] if before else [])]
        pinned = dict.fromkeys(THREAD_VARIABLES, str(threads))
        fixed = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(path)}
        return {**os.environ, **pinned, **fixed}

    def _check_origin(self, file: Path) -> None:
        """SideFailed where a method that this version has in its tree was loaded from somewhere else."""
        root = self.version.root
        if root is None or not self.version.owns_methods or file.resolve().is_relative_to(root.resolve()):
            return
        raise SideFailed(
            f"{self.spec.name} was loaded from {str(file)!r}, not from {self.version.title}: "
            "both versions would be the same code"
        )
