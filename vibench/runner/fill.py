"""One method fills one case: seeded, timed, checked and composited, and whatever it does wrong becomes a result."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from vibench import plugins
from vibench.clip import Case, Frames, as_frames, as_masks
from vibench.errors import UserError
from vibench.machine.child import Child, ChildFailed
from vibench.machine.timing import Timing, time_limit, timing_of
from vibench.machine.worker import checked_answer, checked_shape, filled, quantised, seed_everything
from vibench.method import DescribedMethod, Method
from vibench.plugins import Spec
from vibench.protocol import Scoring
from vibench.results.record import Failure, FailureKind

__all__ = [
    "Filled", "MethodFailed", "Rules", "checked_answer", "composited", "failure_of", "fill", "fill_case", "made_method",
    "seed_everything", "supervised",
]  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """How a method's answer becomes frames: the protocol's decisions, the device, and the longest time it may take.

    ``jobs`` is how many cases run side by side; the timing says it, since times are then those of a busy machine.
    """

    scoring: Scoring
    device: str = "cpu"
    time_limit_seconds: float | None = None
    jobs: int = 1


@dataclass(frozen=True)
class Filled:
    """What came of it.

    ``frames`` are uint8 (T, H, W, 3) and ``timing`` is theirs, None where time would mean nothing; or else there is a
    ``failure``, with the ``traceback`` of what the method raised.
    """

    frames: Frames | None = None
    timing: Timing | None = None
    failure: Failure | None = None
    traceback: str = ""


def fill(method: str | Spec | Method, frames: Any, holes: Any, *, device: str = "auto", seed: int = 0) -> Frames:
    """Fill the holes of one clip with a method, and keep every pixel outside of them.

    Args:
        method: as ``--methods`` takes it, ``"vinet[memory=false]"``, or a method itself.
        frames: uint8 (T, H, W, 3) RGB.
        holes: bool (T, H, W), True = hole, or (H, W) for all frames.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``, for a method that is named.
        seed: of the random generators that a method may draw from.

    Returns:
        uint8 (T, H, W, 3).

    Raises:
        InputError: where the arrays are not of this kind, or the method is not to be had.
        MethodFailed: where the method raises, or gives back something else than frames of this shape.
    """
    shown = as_frames(frames, "frames")
    case = Case("clip", shown, as_masks(holes, shown), None)
    done = fill_case(made_method(method, device), case, Rules(PLAIN), seed)
    if done.frames is None:
        raise MethodFailed(done.failure.message if done.failure else "it gave nothing", done.traceback)
    return done.frames


def supervised(spec: Spec, device: str, threads: int = 0) -> Child:
    """A named method, made in a process of its own; InputError or MissingResource where it cannot be.

    The module of its factory is imported there first, so that one which ends its process ends no other.
    """
    module, _, attribute = plugins.target("methods", spec.name).partition(":")
    child = Child(module, attribute, device=device, threads=threads)
    child.look()
    _, child.options = plugins.arguments("methods", spec, device=device)
    child.load()
    return child


def made_method(method: str | Spec | Method, device: str = "auto") -> Method:
    """A method that is named, made for ``device`` (``auto``, ``cpu``, ``cuda`` or ``cuda:N``); any other as it is."""
    from vibench.machine.device import resolve

    if not isinstance(method, str | Spec):
        return method
    spec = Spec.parse(method) if isinstance(method, str) else method
    made: Method = plugins.make("methods", spec, device=resolve(device))
    return made


def fill_case(
    method: Method | Child, case: Case, rules: Rules, seed: int = 0, progress: Callable[[int], None] | None = None
) -> Filled:
    """Let ``method`` fill ``case``: it sees frames whose holes are cut, and what it raises becomes a failure.

    A ``Child`` can be ended whatever it does; a method in this process only where it comes back to Python. ``progress``
    is told how many frames a streaming method has filled.
    """
    try:
        frames, fields = _answer(method, case, rules, seed, progress)
    except ChildFailed as failed:
        return Filled(failure=_failure(failed.kind, failed.message), traceback=failed.traceback)
    except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises is a result, not our end
        return Filled(failure=failure_of(error), traceback=traceback.format_exc())
    if rules.scoring.composite == "holes":
        frames = composited(frames, case)
    return Filled(frames, None if fields is None else timing_of(fields, rules.jobs))


PLAIN = Scoring(metrics=("psnr",))
"""Composited in the hole and rounded; no metric is measured."""


class MethodFailed(UserError):
    """A method raised, or gave back something else than frames; ``traceback`` is that of its own code."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(f"the method failed: {message}")
        self.traceback = traceback


def _answer(
    method: Method | Child, case: Case, rules: Rules, seed: int, progress: Callable[[int], None] | None
) -> tuple[Frames, dict[str, Any] | None]:
    how = rules.scoring.quantise
    if isinstance(method, Child):
        timed = not method.described.get("not_timed")
        limit = rules.time_limit_seconds
        return method.fill(case.holed(), seed=seed, how=how, timed=timed, limit_seconds=limit, progress=progress)
    seed_everything(seed)
    with time_limit(rules.time_limit_seconds):
        if isinstance(method, DescribedMethod) and method.describe().get("not_timed"):
            return checked_shape(quantised(method(case.holed()), how), case.frames.shape), None
        return filled(method, case.holed(), how, rules.device, seed, progress)


def composited(filled: Frames, case: Case) -> Frames:
    """The method's pixels in the holes, the input's everywhere else."""
    return np.where(case.holes[..., None], filled, case.frames)


def _failure(kind: str, message: str) -> Failure:
    """A failure of one of the kinds that a record knows, its message on one line that any file can hold."""
    known = kind if kind in get_args(FailureKind) else "bad-input"
    line = " ".join(message.split())[:500].encode("utf-8", "backslashreplace").decode()
    return Failure(kind=known, message=line)


def failure_of(error: BaseException) -> Failure:
    """What went wrong in a method, in one line."""
    text = (f"{type(error).__name__}: {error}".splitlines() or [""])[0]
    if isinstance(error, TimeoutError):
        return _failure("time-out", str(error))
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return _failure("out-of-memory", text)
    if isinstance(error, UserError):
        return _failure("bad-input", str(error))
    return _failure("error", text)
