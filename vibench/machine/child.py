"""A method in a process of its own, which can be ended whatever it is doing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Self

import numpy as np

from vibench import plugins
from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import InputError, MissingResource, UserError
from vibench.machine.exchange import Exchange
from vibench.machine.processes import THREAD_VARIABLES
from vibench.machine.ring import Ring, slots_for
from vibench.machine.worker_process import ChildFailed, WorkerProcess
from vibench.plugins import Spec

START_SECONDS = 900.0
"""Longest time that a method may take to load: some download and compile."""


@dataclass
class Child:
    """One method in a process of its own: started when it is first needed, and again after it has died.

    ``module`` and ``attribute`` name the factory, ``options`` are its arguments, and ``threads`` is how many threads
    its libraries get (0: as they like). ``python`` is the interpreter, this one by default. ``path`` are the folders in
    which it looks for modules first, those of this process by default. ``environment`` is its environment, to which the
    number of threads is added; this process's by default. Once it is made, ``streams`` says whether it can fill a video
    in memory that does not grow with it, and ``versions`` are those of its Python and of what it has loaded.
    """

    module: str
    attribute: str
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    threads: int = 0
    python: str = sys.executable
    described: dict[str, Any] = field(default_factory=dict)
    streams: bool = False
    path: Sequence[str] | None = None
    environment: Mapping[str, str] | None = None
    file: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    _process: WorkerProcess | None = None
    _exchange: Exchange = field(default_factory=Exchange)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """``module:attribute``."""
        return f"{self.module}:{self.attribute}"

    def look(self) -> None:
        """Import the factory's module there, before anybody imports it here.

        InputError where that ends the process or fails; of a missing module the import here will tell better.
        """
        try:
            self._look(START_SECONDS)
        except ChildFailed as failed:
            if "ModuleNotFoundError" in failed.classes:
                return
            self.stop()
            raise _as_user_error(self.name, "cannot be imported", failed) from failed

    def load(self) -> None:
        """Make the method; InputError or MissingResource, naming it, where it cannot be made."""
        try:
            self.start()
        except ChildFailed as failed:
            raise _as_user_error(self.name, "cannot be made", failed) from failed

    def start(self, limit_seconds: float = START_SECONDS) -> None:
        """Make the method, and say what it is; ChildFailed where it cannot be made."""
        until = monotonic() + limit_seconds
        try:
            self._look(limit_seconds)
            made = self._running().ask(
                "make", max(0.0, until - monotonic()), module=self.module, attribute=self.attribute,
                options=_as_json(self.options), device=self.device, threads=self.threads,
            )  # fmt: skip
            if not made["callable"]:
                raise ChildFailed("bad-input", f"it makes no method: what {self.name} gives cannot be called")
        except ChildFailed:
            self.stop()
            raise
        self.described, self.streams, self.file = made["described"], bool(made["streams"]), str(made["file"])
        self.versions = made["versions"]

    def sources(self) -> dict[str, str]:
        """The files, by the names of their modules, that importing the factory's module loads there (``worker.py``)."""
        self._look(START_SECONDS)
        return dict(self._running().ask("sources", START_SECONDS, module=self.module))

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
        size = holed.frames.size
        frames, masks = self._exchange.give("frames", holed.frames), self._exchange.give("masks", holed.masks)
        output, filled = self._exchange.room("output", size)
        with _told_of_limit(limit_seconds):
            answer = self._made().ask(
                "fill", limit_seconds, progress, name=holed.name, shape=list(holed.frames.shape), frames=str(frames),
                masks=str(masks), output=str(output), seed=seed, how=how, timed=timed,
            )  # fmt: skip
        return np.array(filled[:size]).reshape(holed.frames.shape), answer["timing"]

    def stream(
        self,
        pairs: Iterator[tuple[Frame, Mask]],
        height: int,
        width: int,
        *,
        seed: int = 0,
        how: str = "round",
        limit_seconds: float | None = None,
    ) -> Iterator[Frame]:
        """Fill a video frame by frame: frames uint8 (H, W, 3) with their masks in, uint8 frames (H, W, 3) out.

        Memory does not grow with the video: what is read of ``pairs`` is at most a ring of slots ahead of what the
        method has asked for. Raises ChildFailed as ``fill`` does; ``limit_seconds`` is how long the next frame may be
        waited for.
        """
        process, slots = self._made(), slots_for(height, width)
        file, flat = self._exchange.room("ring", Ring.size(slots, height, width))
        ring = Ring(flat, slots, height, width)
        process.begin("stream", ring=str(file), slots=slots, height=height, width=width, seed=seed, how=how)
        over = False
        try:
            with _told_of_limit(limit_seconds, " for a frame"):
                yield from _crossing(process, ring, pairs, limit_seconds)
            over = True
        finally:
            if not over:
                self.stop()  # in the midst of a video it takes no other order

    def hold(self, holed: Holed) -> None:
        """Give the process a clip for the jobs to come; ChildFailed where it has ended."""
        frames, masks = self._exchange.give("frames", holed.frames), self._exchange.give("masks", holed.masks)
        self._alive().ask(
            "hold", START_SECONDS, name=holed.name, shape=list(holed.frames.shape), frames=str(frames), masks=str(masks)
        )  # fmt: skip

    def job(
        self, function: Callable[..., dict[str, Any]], limit_seconds: float | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Let a function of vibench work beside the method, on the clip that ``hold`` gave, and return its answer.

        It gets a ``call.Held`` and the arguments; these and its answer must be such as JSON has. Its module may import
        nothing but the standard library, numpy, and relatively what lies in vibench. Raises ChildFailed as ``fill``
        does; a process that has ended is not started again, since it would hold no clip.
        """
        module = function.__module__.partition(".")[2]
        with _told_of_limit(limit_seconds):
            return self._alive().ask(
                "job", limit_seconds, module=module, function=function.__name__, arguments=arguments
            )  # fmt: skip

    def pin(self, cores: Collection[int]) -> None:
        """Keep every thread of the process on these cores from now on; does nothing where the system cannot."""
        self._alive().pin(cores)

    def stop(self) -> None:
        """End the process and what it has started, whatever they are doing."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """End the process and remove the folder through which frames crossed."""
        self.stop()
        self._exchange.close()

    def _running(self) -> WorkerProcess:
        """The process; a new one where there is none, or where it has ended."""
        if self._process is None or not self._process.runs:
            self.stop()
            pinned = dict.fromkeys(THREAD_VARIABLES, str(self.threads)) if self.threads else {}
            environment = os.environ if self.environment is None else self.environment
            self._process = WorkerProcess(self.python, {**environment, **pinned})
        return self._process

    def _made(self) -> WorkerProcess:
        """The process, with the method in it."""
        if self._process is None or not self._process.runs:
            self.start()
        return self._running()

    def _alive(self) -> WorkerProcess:
        if self._process is None:
            raise ChildFailed("error", "the method's process has ended")
        return self._process

    def _look(self, limit_seconds: float) -> None:
        path = [os.path.abspath(place) for place in sys.path] if self.path is None else list(self.path)
        self._running().ask("look", limit_seconds, module=self.module, attribute=self.attribute, path=path)


def supervised(spec: Spec, device: str, threads: int = 0) -> Child:
    """A named method, made in a process of its own; InputError or MissingResource where it cannot be.

    The module of its factory is imported there first, so that one which ends its process ends no other.
    """
    module, _, attribute = plugins.target("methods", spec.name).partition(":")
    child = Child(module, attribute, device=device, threads=threads)
    try:
        child.look()
        _, child.options = plugins.arguments("methods", spec, device=device)
        child.load()
    except BaseException:
        child.close()
        raise
    return child


def _crossing(
    process: WorkerProcess, ring: Ring, pairs: Iterator[tuple[Frame, Mask]], limit_seconds: float | None
) -> Iterator[Frame]:
    """Lay frames into the ring and fetch what the method lays there, until it has finished."""
    laid = taken = fetched = 0
    waited, last = 0.0, False
    while True:
        while not last and laid - taken < ring.slots:
            pair = next(pairs, None)
            if pair is None:
                last = True
                process.tell(last=laid)
                break
            ring.frames[laid % ring.slots], ring.masks[laid % ring.slots] = pair
            laid += 1
            process.tell(laid=laid)
        began = monotonic()
        answer = process.answer(None if limit_seconds is None else began + limit_seconds - waited)
        waited += monotonic() - began
        if "taken" in answer:
            taken = answer["taken"]
        elif "given" in answer:
            frame = np.array(ring.answers[fetched % ring.slots])
            fetched, waited = fetched + 1, 0.0
            process.tell(fetched=fetched)
            yield frame
        elif "finished" in answer:
            process.tell(over=True)
        else:
            return


@contextmanager
def _told_of_limit(limit_seconds: float | None, what: str = "") -> Iterator[None]:
    """Let a method that took too long in the block say how long it was allowed to take."""
    try:
        yield
    except ChildFailed as failed:
        if failed.kind != "time-out" or limit_seconds is None:
            raise
        message = f"took longer than --time-limit {limit_seconds:g} seconds{what}"
        raise ChildFailed("time-out", message, failed.traceback) from failed


def _as_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON knows them; a path is told apart from a text."""
    return {key: {"path": str(value)} if isinstance(value, Path) else value for key, value in options.items()}


def _as_user_error(name: str, what: str, failed: ChildFailed) -> UserError:
    if failed.kind == "missing-resource":
        return MissingResource(failed.message)
    if failed.kind == "bad-input":
        return InputError(failed.message)
    error = InputError(f"the method {name} {what}: {failed.message}")
    error.traceback = failed.traceback
    return error
