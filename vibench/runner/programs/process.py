"""One run of a program: its output read, its time limit kept, and an end of all that it has started."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vibench.errors import one_line
from vibench.machine.host import ChildFailed

KEPT_OUTPUT_BYTES = 16_384
"""So much of what a program prints is kept, for the traceback of its failure."""
MOST_OF_A_LINE = 4096
ENDING_SECONDS = 30.0
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "std::bad_alloc", "memoryerror")
_LINE_END = re.compile(rb"[\r\n]")


@dataclass(frozen=True)
class Ended:
    """What came of a run: seconds of the whole process, and those that it printed, where ``seconds`` was looked for.

    ``cpu_seconds``, ``peak_bytes`` (of the largest process) and ``involuntary_switches`` are of the program and of what
    it has started and waited for.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    involuntary_switches: int
    printed_seconds: float | None
    printed: str


def run_program(
    command: Sequence[str],
    job: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    limit_seconds: float | None = None,
    seconds: str = "",
) -> Ended:
    """Run ``command``, a list of arguments that no shell ever sees, in ``folder`` until it has ended.

    ``job`` is the folder that is removed where this process ends before it. ``seconds`` is a regular expression whose
    group of that name is looked for in each line that is printed; what several lines say is added up. Raises
    ChildFailed where the program cannot be started, ends with another status than 0, or takes longer than
    ``limit_seconds``. In every case nothing that it has started is left when this returns or raises.
    """
    file = Path(__file__).with_name("launcher.py")
    report_end, report = os.pipe()
    try:
        launcher = subprocess.Popen(
            [sys.executable, "-I", str(file), str(report), str(job), str(folder), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(report,),
            env=dict(environment),
            start_new_session=True,  # Ctrl-C is ours to answer
        )
    except BaseException:
        os.close(report_end)
        raise
    finally:
        os.close(report)
    printed = _Printed(launcher.stdout, seconds)
    try:
        line = _line(report_end, limit_seconds)
    finally:
        os.close(report_end)
        _end(launcher)
        printed.thread.join(ENDING_SECONDS)
    if line is None:
        raise ChildFailed("time-out", f"took longer than --time-limit {limit_seconds:g} seconds", printed.text)
    return _ended(json.loads(line or b"{}"), printed)


class _Printed:
    """What a program prints: read as it comes, so that it never waits for us, and kept to its end only."""

    def __init__(self, pipe: IO[bytes] | None, seconds: str) -> None:
        self._pattern = re.compile(seconds) if seconds else None
        self._tail = b""
        self._line = b""
        self.seconds: float | None = None
        self.thread = threading.Thread(target=self._drain, args=(pipe,), daemon=True)
        self.thread.start()

    @property
    def text(self) -> str:
        return self._tail.decode("utf-8", "backslashreplace")

    @property
    def last_line(self) -> str:
        lines = [line for line in re.split(r"[\r\n]+", self.text) if line.strip()]
        return one_line(lines[-1]) if lines else "it printed nothing"

    def _drain(self, pipe: IO[bytes]) -> None:
        with pipe:
            while piece := pipe.read1(65_536):  # type: ignore[attr-defined]
                self._tail = (self._tail + piece)[-KEPT_OUTPUT_BYTES:]
                if self._pattern is not None:
                    *lines, self._line = _LINE_END.split(self._line + piece)
                    self._line = self._line[-MOST_OF_A_LINE:]
                    self._look(lines)
        if self._pattern is not None:
            self._look([self._line])

    def _look(self, lines: list[bytes]) -> None:
        for line in lines:
            found = self._pattern.search(line[:MOST_OF_A_LINE].decode("utf-8", "replace")) if self._pattern else None
            if found is not None:
                with suppress(ValueError, TypeError):
                    self.seconds = (self.seconds or 0.0) + float(found["seconds"])


def _line(pipe: int, limit_seconds: float | None) -> bytes | None:
    """What the launcher reports, empty where it ended without a word; None where the time is over."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        if not selector.select(limit_seconds):
            return None
    return os.read(pipe, 65_536)


def _end(launcher: subprocess.Popen[bytes]) -> None:
    """Let the launcher end the program, if that still runs, and itself."""
    if launcher.stdin is not None:
        with suppress(OSError):
            launcher.stdin.close()
    try:
        launcher.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()


def _ended(report: Mapping[str, float | int | str], printed: _Printed) -> Ended:
    if "error" in report:
        raise ChildFailed("bad-input", str(report["error"]))
    if "status" not in report:
        raise ChildFailed("error", "the process that watches the program was ended from outside", printed.text)
    status = int(report["status"])
    is_memory = any(words in printed.text.lower() for words in _OUT_OF_MEMORY)
    if status > 0:
        message = f"the program ended with status {status}: {printed.last_line}"
        raise ChildFailed("out-of-memory" if is_memory else "error", message, printed.text)
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        # The kernel ends what takes too much memory by SIGKILL.
        hint = " (the system does that where memory runs out)" if name == "SIGKILL" else ""
        kind = "out-of-memory" if name == "SIGKILL" or is_memory else "error"
        raise ChildFailed(kind, f"the program was ended by {name}{hint}: {printed.last_line}", printed.text)
    return Ended(
        seconds=float(report["seconds"]),
        cpu_seconds=float(report["cpu_seconds"]),
        peak_bytes=int(report["peak_bytes"]),
        involuntary_switches=int(report["involuntary_switches"]),
        printed_seconds=printed.seconds,
        printed=printed.text,
    )
