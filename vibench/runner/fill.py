"""One method fills one case: seeded, timed, checked and composited, and whatever it does wrong becomes a result."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from vibench import plugins
from vibench.clip import Case, Frames, as_frames, as_masks
from vibench.errors import MethodFailed, UserError, said_by
from vibench.machine.device import resolve
from vibench.machine.host import ChildFailed, Here, Host
from vibench.machine.timing import Timing, timing_of
from vibench.method import Method
from vibench.plugins import Spec
from vibench.protocol import Scoring
from vibench.results.record import Failure, FailureKind


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
    notes: tuple[str, ...] = ()


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
    done = fill_case(_here(method, device), case, Rules(PLAIN), seed)
    if done.frames is None:
        raise MethodFailed(done.failure.message if done.failure else "it gave nothing", done.traceback)
    return done.frames


def _here(method: str | Spec | Method, device: str) -> Here:
    """A method that is named, made for ``device`` (``auto``, ``cpu``, ``cuda`` or ``cuda:N``); any other as it is."""
    if not isinstance(method, str | Spec):
        return Here(method)
    where = resolve(device)
    spec = Spec.parse(method) if isinstance(method, str) else method
    return Here(plugins.make("methods", spec, device=where), where)


def fill_case(
    host: Host, case: Case, rules: Rules, seed: int = 0, progress: Callable[[int], None] | None = None
) -> Filled:
    """Let a method fill ``case``: it sees frames whose holes are cut, and what it raises becomes a failure.

    A ``Child`` can be ended whatever it does; a method in this process only where it comes back to Python. ``progress``
    is told how many frames a streaming method has filled.
    """
    timed, how = not host.described.get("not_timed"), rules.scoring.quantise
    try:
        frames, fields = host.fill(
            case.holed(), seed=seed, how=how, timed=timed, limit_seconds=rules.time_limit_seconds, progress=progress
        )
    except ChildFailed as failed:
        return Filled(failure=_failure(failed.kind, failed.message), traceback=failed.traceback)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises is a result, not our end
        return Filled(failure=failure_of(error), traceback=traceback.format_exc())
    if rules.scoring.composite == "holes":
        frames = composited(frames, case)
    timing = None if fields is None else timing_of(fields, rules.jobs)
    return Filled(frames, timing, notes=tuple(getattr(host, "notes", ())))


PLAIN = Scoring(metrics=("psnr",))
"""Composited in the hole and rounded; no metric is measured."""


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
    text = (f"{type(error).__name__}: {said_by(error)}".splitlines() or [""])[0]
    if isinstance(error, TimeoutError):
        return _failure("time-out", str(error))
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return _failure("out-of-memory", text)
    if isinstance(error, UserError):
        return _failure("bad-input", str(error))
    return _failure("error", text)
