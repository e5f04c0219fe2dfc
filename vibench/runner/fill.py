"""One method fills one case: seeded, timed, checked and composited, and whatever it does wrong becomes a result."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibench import plugins
from vibench.clip import Case, Frames, as_frames, as_masks
from vibench.errors import UserError
from vibench.machine.timing import Timing, time_limit, timed_fill
from vibench.method import DescribedMethod, Method
from vibench.plugins import Spec
from vibench.protocol import Scoring, quantise
from vibench.results.record import Failure


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
    filled = fill_case(made_method(method, device), case, Rules(PLAIN), seed)
    if filled.frames is None:
        raise MethodFailed(filled.failure.message if filled.failure else "the method gave nothing", filled.traceback)
    return filled.frames


def made_method(method: str | Spec | Method, device: str = "auto") -> Method:
    """A method that is named, made for ``device`` (``auto``, ``cpu``, ``cuda`` or ``cuda:N``); any other as it is."""
    from vibench.machine.device import resolve

    if not isinstance(method, str | Spec):
        return method
    spec = Spec.parse(method) if isinstance(method, str) else method
    made: Method = plugins.make("methods", spec, device=resolve(device))
    return made


def fill_case(method: Method, case: Case, rules: Rules, seed: int = 0) -> Filled:
    """Let ``method`` fill ``case``: it sees frames whose holes are cut, and what it raises becomes a failure."""
    seed_everything(seed)
    try:
        with time_limit(rules.time_limit_seconds):
            frames, timing = _answer(method, case, rules)
        check_output(frames, case)
    except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises is a result, not our end
        return Filled(failure=failure_of(error), traceback=traceback.format_exc())
    if rules.scoring.composite == "holes":
        frames = composited(frames, case)
    return Filled(frames, timing and timing.model_copy(update={"jobs": rules.jobs}))


PLAIN = Scoring(metrics=("psnr",))
"""Composited in the hole and rounded; no metric is measured."""


class MethodFailed(UserError):
    """A method raised, or gave back something else than frames; ``traceback`` is that of its own code."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(f"the method failed: {message}")
        self.traceback = traceback


def _answer(method: Method, case: Case, rules: Rules) -> tuple[Frames, Timing | None]:
    def to_uint8(answer: Any) -> Frames:
        return quantise(checked_answer(answer), rules.scoring.quantise)

    if isinstance(method, DescribedMethod) and method.describe().get("not_timed"):
        return to_uint8(method(case.holed())), None
    return timed_fill(method, case.holed(), rules.device, to_uint8)


def checked_answer(answer: Any) -> NDArray[Any]:
    """What a method returned as a plain array that can be rounded to uint8; ValueError says what it should return.

    Numbers are those of 0..255, of any type; a float array in 0..1 would be taken for black, and what is not finite for
    whatever the processor makes of it.
    """
    wanted = "it must return a numpy array of the input's shape, uint8 or float in 0..255"
    if not isinstance(answer, np.ndarray):
        raise TypeError(f"the method returned {type(answer).__module__}.{type(answer).__name__}; {wanted}")
    plain = np.asarray(answer)
    if plain.dtype == np.uint8:
        return plain
    if plain.dtype.kind not in "fiu":
        raise ValueError(f"the method returned {plain.dtype} {plain.shape}; {wanted}")
    if not plain.size:
        return plain
    low, high = plain.min(), plain.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"the method returned values that are not finite (NaN or infinite); {wanted}")
    if plain.dtype.kind == "f" and low >= 0 and 0 < high <= 1:
        raise ValueError(f"the method returned {plain.dtype} in {low:.3g}..{high:.3g}, as if white were 1; {wanted}")
    return plain


def composited(filled: Frames, case: Case) -> Frames:
    """The method's pixels in the holes, the input's everywhere else."""
    return np.where(case.holes[..., None], filled, case.frames)


def check_output(frames: Any, case: Case) -> None:
    """Raise ValueError unless a method gave back frames of the case's shape."""
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.shape != case.frames.shape:
        found = f"{frames.dtype} {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise ValueError(f"the method returned {found}; it must return uint8 or float {case.frames.shape}")


def failure_of(error: Exception) -> Failure:
    """What went wrong in a method, in one line."""
    text = f"{type(error).__name__}: {error}".splitlines()[0][:500]
    if isinstance(error, TimeoutError):
        return Failure(kind="time-out", message=str(error))
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return Failure(kind="out-of-memory", message=text)
    if isinstance(error, UserError):
        return Failure(kind="bad-input", message=str(error))
    return Failure(kind="error", message=text)


def seed_everything(seed: int) -> None:
    """Make whatever a method draws the same in every run."""
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
