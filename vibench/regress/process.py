"""The process in which one version of a method is measured.

**Own environment, same interpreter.** Both versions use the installed packages of this Python; the version's checkout
or unpacked wheel stands first on ``PYTHONPATH``, before an editable install. Thus the only difference between the two
processes is the code under test, a comparison starts in a second instead of reinstalling torch, and nothing is
downloaded. The price is that a version which needs *other dependencies* cannot be compared this way: install both
elsewhere and compare stored baselines instead.

**Any version of the package.** The measured version may be older or newer than the code that measures it. Names of
methods are therefore looked up here, in the version's own ``pyproject.toml`` (or the wheel's list), and ``worker.py``
needs of the version's ``vibench`` nothing but ``Holed``.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO, Any, Literal, Self

import numpy as np

from vibench.clip import Frames
from vibench.machine.processes import THREAD_VARIABLES
from vibench.plugins import Option, Spec, likely_values
from vibench.regress.version import Version


class ProcessFailed(Exception):
    """A version could not be measured: it raised or died, or (``timed_out``) the budget ended before it answered."""

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class VersionFailed(ProcessFailed):
    """One of two versions cannot be used at all; ``which`` says whose fault it is."""

    def __init__(self, which: Literal["old", "new"], reason: str, timed_out: bool = False) -> None:
        super().__init__(reason, timed_out)
        self.which = which


class VersionProcess:
    """A process that has loaded one version of a method; as a context manager it ends with the block."""

    def __init__(self, version: Version, spec: Spec, device: str, threads: int, clips: Path) -> None:
        self.version, self.spec = version, spec
        self._load: dict[str, Any] = {
            "factory": version.factory(spec.name), "options": likely_values("methods", spec) if spec.options else {},
            "device": device, "threads": threads, "clips": str(clips),
        }  # fmt: skip
        self._environment = self._environ(threads)
        self._running: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, until: float) -> dict[str, Any]:
        """Start the process and load the method; returns what the worker says about it."""
        self._rest = b""
        self._running = subprocess.Popen(
            # -P: modules that lie beside the worker must not hide those of the version under test.
            [sys.executable, "-P", str(Path(__file__).with_name("worker.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment,
        )  # fmt: skip
        about = self.ask(until, "load", **self._load)
        self._check_origin(Path(about["file"]))
        return about

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._running is not None:
            self._running.kill()
            self._running.communicate()
            self._running = None

    def ask(self, until: float, verb: str, **order: Option | dict[str, Option]) -> dict[str, Any]:
        """Send one order and return its answer.

        Raises ProcessFailed where none comes before ``until``, a time of the monotonic clock.
        """
        running = self._running
        if running is None or running.stdin is None or running.stdout is None:
            raise ValueError(f"{self.version.title} was not started")
        try:
            running.stdin.write(json.dumps({"do": verb, **order}).encode() + b"\n")
            running.stdin.flush()
            answer: dict[str, Any] = json.loads(self._line(running.stdout, until))
        except BrokenPipeError as error:
            raise ProcessFailed(f"its process ended with status {running.wait()}") from error
        if "error" in answer:
            raise ProcessFailed(str(answer["error"]))
        return answer

    def pin(self, cores: Collection[int]) -> None:
        """Keep every thread of the process on these cores from now on; does nothing where the system cannot."""
        if self._running is None or not hasattr(os, "sched_setaffinity"):
            return
        for task in Path(f"/proc/{self._running.pid}/task").glob("*"):
            with suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(task.name), cores)

    def filled(self, until: float, output: Path) -> list[Frames]:
        """Fill every clip once and return the frames, by way of the file ``output``, an .npz."""
        self.ask(until, "fill", output=str(output))
        with np.load(output) as arrays:
            return [arrays[name] for name in arrays.files]

    def _line(self, pipe: IO[bytes], until: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, until - monotonic())):
                    self.stop()
                    raise ProcessFailed("it did not answer within the budget", timed_out=True)
                received = os.read(pipe.fileno(), 65536)
                if not received:
                    status = self._running.wait() if self._running else "unknown"
                    raise ProcessFailed(f"its process ended with status {status}")
                self._rest += received
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _environ(self, threads: int) -> dict[str, str]:
        """Return this environment with the version first on the path, a fixed hash seed and pinned threads."""
        before = os.environ.get("PYTHONPATH", "")
        path = [*self.version.python_path, *([before] if before else [])]
        pinned = dict.fromkeys(THREAD_VARIABLES, str(threads))
        fixed = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(path)}
        return {**os.environ, **pinned, **fixed}

    def _check_origin(self, file: Path) -> None:
        """Raise ProcessFailed where a method that this version has in its tree was loaded from somewhere else."""
        root = self.version.root
        if root is None or not self.version.owns_methods or file.resolve().is_relative_to(root.resolve()):
            return
        raise ProcessFailed(
            f"{self.spec.name} was loaded from {str(file)!r}, not from {self.version.title}: "
            "both versions would be the same code"
        )
