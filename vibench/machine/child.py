"""A method in a process of its own, which can be ended whatever it is doing: the parent's side of ``worker.py``."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frames, Holed
from vibench.errors import InputError, MissingResource, UserError

PROTOCOL = 1
START_SECONDS = 900.0
"""Longest time that a method may take to load: some download and compile."""
PRINTED_SECONDS = 1.0
"""Longest time that a failure waits for what was printed before it."""
KEPT_OUTPUT_BYTES = 16_384
"""So much of what a method prints is kept, for its traceback."""

_PREFIX = "vibench-frames-"
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


@dataclass
class Child:
    """One method in a process of its own: started when it is first needed, and again after it has died.

    ``module`` and ``attribute`` name the factory, ``options`` are its arguments, and ``threads`` is how many threads
    its libraries get (0: as they like). ``python`` is the interpreter, this one by default.
    """

    module: str
    attribute: str
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    threads: int = 0
    python: str = sys.executable
    described: dict[str, Any] = field(default_factory=dict)
    streams: bool = False
    _process: subprocess.Popen[bytes] | None = None
    _folder: Path | None = None
    _maps: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def look(self) -> None:
        """Import the factory's module there, before anybody imports it here.

        InputError where that ends the process or fails; of a missing module the import here will tell better.
        """
        try:
            self._ask(None, "look", module=self.module, attribute=self.attribute, path=_search_path())
        except ChildFailed as failed:
            if "ModuleNotFoundError" in failed.classes:
                return
            self.stop()
            raise _as_user_error(self.name, "cannot be imported", failed) from failed

    @property
    def name(self) -> str:
        """``module:attribute``."""
        return f"{self.module}:{self.attribute}"

    def load(self) -> None:
        """Make the method; InputError or MissingResource, naming it, where it cannot be made."""
        try:
            self._load()
        except ChildFailed as failed:
            self.stop()
            raise _as_user_error(self.name, "cannot be made", failed) from failed

    def _load(self) -> None:
        self._ask(None, "look", module=self.module, attribute=self.attribute, path=_search_path())
        made = self._ask(
            None, "make", module=self.module, attribute=self.attribute, options=_as_json(self.options),
            device=self.device, threads=self.threads,
        )  # fmt: skip
        if not made["callable"]:
            raise ChildFailed("bad-input", f"it makes no method: what {self.name} gives cannot be called")
        self.described, self.streams = made["described"], bool(made["streams"])

    def fill(
        self,
        holed: Holed,
        *,
        seed: int = 0,
        how: str = "round",
        timed: bool = True,
        limit_seconds: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Frames, dict[str, Any] | None]:
        """Fill a clip: uint8 frames (T, H, W, 3), and the fields of a Timing.

        Raises ChildFailed where the method raises, dies, or takes longer than ``limit_seconds``, warm-up included; the
        process is then ended if it must be, and the next call starts another.
        """
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._load()
        frames, masks = self._given("frames", holed.frames), self._given("masks", holed.masks)
        output = self._given("output", np.empty(0, np.uint8), size=holed.frames.size)
        until = None if limit_seconds is None else monotonic() + limit_seconds
        try:
            answer = self._ask(
                until, "fill", name=holed.name, shape=list(holed.frames.shape), frames=str(frames), masks=str(masks),
                output=str(output), seed=seed, how=how, timed=timed, progress=progress,
            )  # fmt: skip
        except ChildFailed as failed:
            if failed.kind == "time-out":
                message = f"took longer than --time-limit {limit_seconds:g} seconds"
                raise ChildFailed("time-out", message, failed.traceback) from failed
            raise
        filled = np.array(self._maps["output"][: holed.frames.size]).reshape(holed.frames.shape)
        return filled, answer["timing"]

    def stop(self) -> None:
        """End the process and what it has started, whatever they are doing."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (self._orders, self._answers):
            pipe.close()
        self._printed.join(1.0)

    def close(self) -> None:
        """End the process and remove the folder through which frames crossed."""
        self.stop()
        self._maps.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _given(self, name: str, array: NDArray[Any], size: int = 0) -> Path:
        """A file that both processes map, with the bytes of ``array``; kept, so that its memory is taken only once."""
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        path = self._exchange() / name
        kept = self._maps.get(name)
        if kept is None or len(kept) < max(size, len(flat)):
            kept = self._maps[name] = np.memmap(path, np.uint8, "w+", shape=(max(1, size, len(flat)),))
        kept[: len(flat)] = flat
        return path

    def _exchange(self) -> Path:
        if self._folder is None:
            memory = Path("/dev/shm")  # a folder in memory, where the system has one with room
            room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30
            place = memory if room else Path(tempfile.gettempdir())
            _sweep(place)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
        return self._folder

    def _start(self) -> None:
        order_end, self_orders = os.pipe()
        self_answers, answer_end = os.pipe()
        file = Path(__file__).with_name("worker.py")
        command = [self.python, "-P", str(file), str(order_end), str(answer_end), str(os.getpid())]
        if self.python != sys.executable:
            command.remove("-P")  # an older Python does not know it
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(order_end, answer_end),
                start_new_session=True,  # so that all that it starts can be ended with it, and Ctrl-C is ours to answer
            )
        except OSError as error:
            for end in (self_orders, self_answers):
                os.close(end)
            raise ChildFailed("bad-input", f"{self.python} cannot be run: {error.strerror}") from error
        finally:
            for end in (order_end, answer_end):
                os.close(end)
        self._orders, self._answers = os.fdopen(self_orders, "wb"), os.fdopen(self_answers, "rb")
        self._rest, self._tail = b"", b""
        stdout = self._process.stdout
        if stdout is None:
            raise ValueError("the worker was started without a pipe")
        self._printed = threading.Thread(target=self._drain, args=(stdout,), daemon=True)
        self._printed.start()

    def _drain(self, pipe: IO[bytes]) -> None:
        """Read what the method prints, so that it never waits for us, and keep the end of it."""
        with pipe:
            while piece := pipe.read1(65_536):  # type: ignore[attr-defined]
                self._tail = (self._tail + piece)[-KEPT_OUTPUT_BYTES:]

    def _ask(
        self, until: float | None, verb: str, progress: Callable[[int], None] | None = None, **order: Any
    ) -> dict[str, Any]:
        if self._process is None:
            self._start()
        until = monotonic() + START_SECONDS if until is None and verb != "fill" else until
        try:
            self._orders.write(json.dumps({"protocol": PROTOCOL, "do": verb, **order}).encode() + b"\n")
            self._orders.flush()
        except OSError as error:
            raise self._died() from error
        while True:
            answer = json.loads(self._line(until))
            if "progress" in answer:
                if progress is not None:
                    progress(int(answer["progress"]))
                continue
            if "error" in answer:
                raise _failure(answer["error"], self._printed_text())
            done: dict[str, Any] = answer["done"]
            return done

    def _line(self, until: float | None) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                left = None if until is None else max(0.0, until - monotonic())
                if not selector.select(left):
                    text = self._printed_text()
                    self.stop()
                    raise ChildFailed("time-out", "it did not answer in time", text)
                received = os.read(self._answers.fileno(), 65_536)
                if not received:
                    raise self._died()
                self._rest += received
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _died(self) -> ChildFailed:
        """How the process ended: by a signal, or by an exit of its own."""
        process = self._process
        with suppress(subprocess.TimeoutExpired):
            if process is not None:
                process.wait(10)
        status = None if process is None else process.returncode
        self.stop()
        text = self._printed_text()
        if status is None:
            return ChildFailed("error", "the method's process closed its pipes and stayed", text)
        if status >= 0:
            return ChildFailed("error", f"the method ended its process with status {status}", text)
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        # The kernel ends what takes too much memory by SIGKILL, which nobody else here sends unasked.
        kind = "out-of-memory" if name == "SIGKILL" else "error"
        hint = " (the system does that where memory runs out)" if name == "SIGKILL" else ""
        return ChildFailed(kind, f"the method's process was ended by {name}{hint}", text)

    def _printed_text(self) -> str:
        """The end of what the method has printed, once the thread that reads it has caught up."""
        pipe = None if self._process is None else self._process.stdout
        deadline = monotonic() + PRINTED_SECONDS
        while pipe is not None and not pipe.closed and _waiting_bytes(pipe) and monotonic() < deadline:
            sleep(0.001)
        sleep(0.002)
        return self._tail.decode("utf-8", "backslashreplace")


def _as_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON knows them; a path is told apart from a text."""
    return {key: {"path": str(value)} if isinstance(value, Path) else value for key, value in options.items()}


def _sweep(place: Path) -> None:
    """Remove the folders of processes that were killed before they could do it themselves."""
    for folder in place.glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


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


def _as_user_error(name: str, what: str, failed: ChildFailed) -> UserError:
    if failed.kind == "missing-resource":
        return MissingResource(failed.message)
    if failed.kind == "bad-input":
        return InputError(failed.message)
    return InputError(f"the method {name} {what}: {failed.message}")


def _search_path() -> list[str]:
    """Where this process looks for modules, as absolute paths."""
    return [os.path.abspath(place) for place in sys.path]
