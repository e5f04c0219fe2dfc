"""A process that takes orders and can be ended whatever it is doing: the parent's side of ``worker.py``."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from vibench.errors import one_line
from vibench.machine.worker import PROTOCOL

PRINTED_SECONDS = 1.0
"""Longest time that a failure waits for what was printed before it."""
LOOK_SECONDS = 1.0
"""So often somebody looks whether the process is still there: what it has started may keep its pipes open."""
MARK = "VIBENCH_WORKER"
"""Environment variable by which a process that a worker has started is known, whoever its parent is by now."""
KEPT_OUTPUT_BYTES = 16_384
"""So much of what a method prints is kept, for its traceback."""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")


class ChildFailed(Exception):
    """A method raised, died or took too long.

    ``kind`` is ``error``, ``out-of-memory``, ``time-out``, ``bad-input`` or ``missing-resource``; ``traceback`` is that
    of the method's own code, with the end of what it had printed. ``classes`` are the names of the classes of what was
    raised.
    """

    def __init__(self, kind: str, message: str, traceback: str = "", classes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.kind, self.message, self.traceback, self.classes = kind, message, traceback, tuple(classes)


class WorkerProcess:
    """A process of ``worker.py`` that runs from here on, under the interpreter ``python``.

    ``environment`` is that of the process, this one's by default. Raises ChildFailed where it cannot be started.
    """

    def __init__(self, python: str = sys.executable, environment: Mapping[str, str] | None = None) -> None:
        order_end, self_orders = os.pipe()
        self_answers, answer_end = os.pipe()
        file = Path(__file__).with_name("worker.py")
        self._mark = f"{os.getpid()}-{secrets.token_hex(8)}"
        command = [python, "-P", str(file), str(order_end), str(answer_end), str(os.getpid())]
        if python != sys.executable:
            command.remove("-P")  # an older Python does not know it
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(order_end, answer_end),
                env={**(os.environ if environment is None else environment), MARK: self._mark},
                start_new_session=True,  # so that all that it starts can be ended with it, and Ctrl-C is ours to answer
            )
        except OSError as error:
            for end in (self_orders, self_answers):
                os.close(end)
            raise ChildFailed("bad-input", f"{python} cannot be run: {error.strerror}") from error
        finally:
            for end in (order_end, answer_end):
                os.close(end)
        self._orders, self._answers = os.fdopen(self_orders, "wb"), os.fdopen(self_answers, "rb")
        self._rest, self._tail = b"", b""
        self._printed = threading.Thread(target=self._drain, args=(self._process.stdout,), daemon=True)
        self._printed.start()

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def ask(
        self,
        verb: str,
        limit_seconds: float | None = None,
        progress: Callable[[int], None] | None = None,
        **order: Any,
    ) -> dict[str, Any]:
        """Give one order and return what came of it.

        Raises ChildFailed where that raised, the process died, or ``limit_seconds`` passed, after which the process is
        ended.
        """
        until = None if limit_seconds is None else monotonic() + limit_seconds
        self.begin(verb, **order)
        while True:
            answer = self.answer(until)
            if "done" in answer:
                done: dict[str, Any] = answer["done"]
                return done
            if progress is not None:
                progress(int(answer["progress"]))

    def begin(self, verb: str, **order: Any) -> None:
        """Give one order; ``answer`` tells what comes of it."""
        self.tell(protocol=PROTOCOL, do=verb, **order)

    def tell(self, **words: Any) -> None:
        """Send a line to the process; ChildFailed where it has died."""
        try:
            self._orders.write(json.dumps(words).encode() + b"\n")
            self._orders.flush()
        except (OSError, ValueError) as error:
            raise self._died() from error

    def answer(self, until: float | None = None) -> dict[str, Any]:
        """The next line from the process; ChildFailed where it says that its order failed.

        That is raised too where the process has died, or where nothing comes ``until`` a time of the monotonic clock,
        after which the process is ended.
        """
        line = self._line(until)
        try:
            answer = json.loads(line)
            if not isinstance(answer, dict):
                raise TypeError("no answer")
        except (TypeError, ValueError) as error:
            self.stop()  # what it says from now on would be taken for answers to other orders
            text = self._printed_text()
            raise ChildFailed("error", "the method wrote into the pipe of its process's answers", text) from error
        if "error" in answer:
            raise _failure(answer["error"], self._printed_text())
        return answer

    def pin(self, cores: Collection[int]) -> None:
        """Keep every thread of the process on these cores from now on; does nothing where the system cannot."""
        if not hasattr(os, "sched_setaffinity"):
            return
        for task in Path(f"/proc/{self._process.pid}/task").glob("*"):
            with suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(task.name), cores)

    def stop(self) -> None:
        """End the process and what it has started, whatever they are doing."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        _end_marked(self._mark)
        for pipe in (self._orders, self._answers):
            with suppress(OSError):  # an order that nobody reads any more
                pipe.close()
        self._printed.join(1.0)

    def _drain(self, pipe: IO[bytes]) -> None:
        """Read what the method prints, so that it never waits for us, and keep the end of it."""
        with pipe:
            while piece := pipe.read1(65_536):  # type: ignore[attr-defined]
                self._tail = (self._tail + piece)[-KEPT_OUTPUT_BYTES:]

    def _line(self, until: float | None) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                left = LOOK_SECONDS if until is None else min(LOOK_SECONDS, until - monotonic())
                ended = not self.runs
                if not selector.select(max(0.0, left)):
                    if ended:
                        raise self._died()
                    if left <= 0:
                        text = self._printed_text()
                        self.stop()
                        raise ChildFailed("time-out", "it did not answer in time", text)
                    continue
                received = os.read(self._answers.fileno(), 65_536)
                if not received:
                    raise self._died()
                self._rest += received
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _died(self) -> ChildFailed:
        """How the process ended: by a signal, or by an exit of its own."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        status = self._process.returncode
        self.stop()
        text = self._printed_text()
        if status is None:
            return ChildFailed("error", "the method's process closed its pipes and stayed", text)
        if status >= 0:
            said = [line for line in text.splitlines() if line.strip()][-1:] if status else []
            last = f": {one_line(said[0])}" if said else ""
            return ChildFailed("error", f"the method ended its process with status {status}{last}", text)
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        # The kernel ends what takes too much memory by SIGKILL, which nobody else here sends unasked.
        kind = "out-of-memory" if name == "SIGKILL" else "error"
        hint = " (the system does that where memory runs out)" if name == "SIGKILL" else ""
        return ChildFailed(kind, f"the method's process was ended by {name}{hint}", text)

    def _printed_text(self) -> str:
        """The end of what the method has printed, once the thread that reads it has caught up."""
        pipe = self._process.stdout
        deadline = monotonic() + PRINTED_SECONDS
        while pipe is not None and not pipe.closed and _waiting_bytes(pipe) and monotonic() < deadline:
            sleep(0.001)
        sleep(0.002)
        return self._tail.decode("utf-8", "backslashreplace")


def _end_marked(mark: str) -> None:
    """End what a worker has started and let go into sessions of its own, until nothing of it is left."""
    import psutil

    found = True
    while found:
        found = False
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):  # it has just ended, or is somebody else's
                if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()
                    found = True


def _waiting_bytes(pipe: IO[bytes]) -> int:
    """How many bytes nobody has read yet; 0 where the system does not say."""
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"\0" * 4), sys.byteorder)
    except (ImportError, OSError, ValueError):
        return 0


def _failure(error: Mapping[str, Any], printed: str) -> ChildFailed:
    classes, message = list(error["classes"]), str(error["message"])
    text = f"{classes[0]}: {message}" if message else classes[0]
    trace = str(error["traceback"]) + (f"\nIt had printed:\n{printed}" if printed.strip() else "")
    if "MemoryError" in classes or any(words in text.lower() for words in _OUT_OF_MEMORY):
        return ChildFailed("out-of-memory", text, trace, classes)
    if "UserError" in classes:
        return ChildFailed("missing-resource" if "MissingResource" in classes else "bad-input", message, trace, classes)
    return ChildFailed("error", text, trace, classes)
