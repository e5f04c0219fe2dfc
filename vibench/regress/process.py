"""The process in which one version of a method is measured: a supervised child whose code is that version's.

**Own environment, same interpreter.** Both versions use the installed packages of this Python; the version's checkout
or unpacked wheel stands first on ``PYTHONPATH``, before an editable install. Thus the only difference between the two
processes is the code under test, a comparison starts in a second instead of reinstalling torch, and nothing is
downloaded. The price is that a version which needs *other dependencies* cannot be compared this way: install both
elsewhere and compare stored baselines instead.

**Any version of the package.** The measured version may be older or newer than the code that measures it. Names of
methods are therefore looked up here, in the version's own ``pyproject.toml`` (or the wheel's list), and the worker
needs of the version's ``vibench`` nothing but ``Holed``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Literal, Self

from vibench.clip import Frames, Holed
from vibench.machine.child import Child
from vibench.machine.worker_process import ChildFailed
from vibench.plugins import Spec, likely_values
from vibench.regress import bursts
from vibench.regress.version import Version

Which = Literal["old", "new"]


class ProcessFailed(Exception):
    """A version could not be measured: it raised or died, or (``timed_out``) the budget ended before it answered.

    ``which`` says whose fault it is, where there are two; ``traceback`` is that of the version's own code, with the end
    of what it had printed.
    """

    def __init__(
        self, reason: str, which: Which | None = None, *, timed_out: bool = False, traceback: str = ""
    ) -> None:
        super().__init__(reason)
        self.which, self.timed_out, self.traceback = which, timed_out, traceback


class VersionProcess:
    """A process that has loaded one version of a method; as a context manager it ends with the block.

    ``clips`` are what it fills; the first is the one that is timed. ``which`` is said of two versions that are
    compared. Every ``until`` is a time of the monotonic clock; ProcessFailed is raised where nothing came before it.
    """

    def __init__(
        self,
        version: Version,
        spec: Spec,
        device: str,
        threads: int,
        clips: Sequence[Holed],
        which: Which | None = None,
    ) -> None:
        self.version, self.spec, self.clips, self.which = version, spec, clips, which
        module, _, attribute = version.factory(spec.name).partition(":")
        options = likely_values("methods", spec) if spec.options else {}
        self._child = Child(module, attribute, options, device, threads, path=(), environment=self._environ())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

    def start(self, until: float) -> None:
        """Start the process, load the method, and fill the first frames of the first clip."""
        with self._limited(until) as left:
            self._child.start(left())
            self._check_origin(Path(self._child.file))
            self._child.hold(self.clips[0])
            self._child.job(bursts.settled, left())

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._child.stop()

    def pin(self, cores: Collection[int]) -> None:
        """Keep every thread of the process on these cores from now on; does nothing where the system cannot."""
        self._child.pin(cores)

    def filled(self, until: float) -> list[Frames]:
        """Fill every clip once."""
        with self._limited(until) as left:
            return [self._child.fill(clip, timed=False, limit_seconds=left())[0] for clip in self.clips]

    def timed(self, until: float, seconds: float) -> tuple[list[list[float]], int]:
        """Fill the first clip again and again for about ``seconds``: the calls (``bursts.timed``), resident bytes."""
        answer = self._job(until, bursts.timed, seconds=seconds)
        return answer["calls"], answer["resident_bytes"]

    def peak(self, until: float) -> tuple[int, int, int]:
        """Fill the first clip once: how far memory grew here and on the device, and resident bytes."""
        answer = self._job(until, bursts.peak)
        return answer["host_bytes"], answer["device_bytes"] or 0, answer["resident_bytes"]

    def _job(self, until: float, function: Any, **arguments: Any) -> dict[str, Any]:
        with self._limited(until) as left:
            return self._child.job(function, left(), **arguments)

    def _environ(self) -> dict[str, str]:
        """Return this environment with the version first on the path, and a fixed hash seed."""
        before = os.environ.get("PYTHONPATH", "")
        path = [*self.version.python_path, *([before] if before else [])]
        fixed = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(path)}
        return {**os.environ, **fixed}

    def _check_origin(self, file: Path) -> None:
        """Raise ProcessFailed where a method that this version has in its tree was loaded from somewhere else."""
        root = self.version.root
        if root is None or not self.version.owns_methods or file.resolve().is_relative_to(root.resolve()):
            return
        raise self._failed(
            f"{self.spec.name} was loaded from {str(file)!r}, not from {self.version.title}: "
            "both versions would be the same code"
        )

    @contextmanager
    def _limited(self, until: float) -> Iterator[Callable[[], float]]:
        """Turn a failure of the child into ProcessFailed; give a function that tells the seconds that are left."""
        try:
            yield lambda: max(0.0, until - monotonic())
        except ChildFailed as failed:
            if failed.kind == "time-out":
                raise self._failed("it did not answer within the budget", timed_out=True) from failed
            raise self._failed(failed.message, traceback=failed.traceback) from failed

    def _failed(self, reason: str, *, timed_out: bool = False, traceback: str = "") -> ProcessFailed:
        told = f"{self.version.title}: {reason}" if self.which else reason
        return ProcessFailed(told, self.which, timed_out=timed_out, traceback=traceback)
