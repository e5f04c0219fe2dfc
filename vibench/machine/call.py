"""The call of a method: what it answers is checked and rounded to uint8, and a call may be timed.

``worker.py`` needs this file in the process of a method, whose Python may be another one. So nothing but numpy and the
standard library is imported, and what lies beside it is named relatively.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from . import memory, stopwatch

WARM_UP_FRAMES = 2
WANTED = "it must return a numpy array of the input's shape, uint8 or float in 0..255"
OVERSHOOT = 255
"""So far beyond 0 and 255 a network or a filter may go at an edge, where it is cut off; farther is another range."""


class Held(NamedTuple):
    """A method, the clip that it fills, and the device that it works on: what work beside the method is given."""

    method: Any
    clip: Any
    device: str


def checked_answer(answer: Any) -> Any:
    """What a method returned as a plain array that can be rounded to uint8; ValueError says what it should return.

    Numbers are those of 0..255, of any type. A float array in 0..1 or -1..1 would be taken for black, 16 bits for
    white, and what is not finite for whatever the processor makes of it.
    """
    if not isinstance(answer, np.ndarray):
        raise TypeError(f"the method returned {type(answer).__module__}.{type(answer).__name__}; {WANTED}")
    plain = np.asarray(answer)
    if plain.dtype == np.uint8 or not plain.size:
        return plain
    if plain.dtype.kind not in "fiu":
        raise ValueError(f"the method returned {plain.dtype} {plain.shape}; {WANTED}")
    low, high = float(plain.min()), float(plain.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"the method returned values that are not finite (NaN or infinite); {WANTED}")
    shown = f"the method returned {plain.dtype} in {low:.3g}..{high:.3g}"
    if plain.dtype.kind == "f" and low >= -1 and 0 < high <= 1:
        raise ValueError(f"{shown}, as if white were 1; {WANTED}")
    if low < -OVERSHOOT or high > 255 + OVERSHOOT:
        raise ValueError(f"{shown}, far outside of 0..255; {WANTED}")
    return plain


def quantised(answer: Any, how: str) -> Any:
    """A method's answer as uint8: rounded half away from zero, or cut off where ``how`` is ``truncate``."""
    plain = checked_answer(answer)
    if plain.dtype == np.uint8:
        return plain
    clipped = np.clip(plain, 0, 255)
    return (np.floor(clipped + 0.5) if how == "round" else clipped).astype(np.uint8)


def checked_shape(frames: Any, shape: Sequence[int]) -> Any:
    """``frames``, unless they are of another shape than the input's."""
    if frames.shape != tuple(shape):
        wanted = f"it must return uint8 or float {tuple(shape)}"
        raise ValueError(f"the method returned {frames.dtype} {frames.shape}; {wanted}")
    return frames


def streams(method: Any) -> bool:
    """Whether a method also works frame by frame."""
    return callable(getattr(method, "stream", None))


def flows(method: Any) -> bool:
    """Whether a method also works in memory that does not grow with the clip: frame by frame, or in windows."""
    return streams(method) or callable(getattr(method, "stream_windows", None))


def answered(method: Any, holed: Any, how: str, device: str) -> Any:
    """The frames that a method returns for a whole clip: uint8, of the clip's shape, and the device has done them."""
    frames = checked_shape(quantised(method(holed), how), holed.frames.shape)
    synchronise(device)
    return frames


def streamed(
    method: Any, frames: Iterable[Any], masks: Iterable[Any], shape: Sequence[int], how: str, device: str
) -> Iterator[Any]:
    """The frames that a method gives one by one: each is uint8 of ``shape``, and the device has done it."""
    for answer in (method.stream if streams(method) else method.stream_windows)(frames, masks):
        frame = checked_shape(quantised(answer, how), shape)
        synchronise(device)
        yield frame


def answers(method: Any, holed: Any, how: str, device: str) -> Iterator[Any]:
    """The frames of a clip as a method gives them: one by one where it streams, or else all at once.

    ValueError where the method gives more or fewer than it got.
    """
    if not streams(method):
        yield answered(method, holed, how, device)
        return
    count = 0
    for frame in streamed(method, iter(holed.frames), iter(holed.masks), holed.frames.shape[1:], how, device):
        count += 1
        yield frame
    if count != len(holed.frames):
        raise ValueError(f"the method gave {count} frames of {len(holed.frames)}; it must give one for each")


def warm_up(method: Any, holed: Any, device: str) -> None:
    """Fill the first frames of a clip: what is loaded and compiled by that is there afterwards."""
    few = slice(WARM_UP_FRAMES)
    method(type(holed)(holed.name, holed.frames[few].copy(), holed.masks[few].copy()))
    synchronise(device)


def filled(
    method: Any,
    holed: Any,
    how: str = "round",
    device: str = "cpu",
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Fill a clip and say how long it took: uint8 frames, and the fields of a ``Timing`` that are known here.

    The warm-up fills the first frames of the same clip and is thrown away; random generators are seeded after it,
    since it may be what imports the library that draws, and what it draws must not count. A streaming method is timed
    through its stream, frame by frame; any other through one call. Quantising is inside the timed region. ``progress``
    is told how many frames are done.
    """
    started = perf_counter()
    warm_up(method, holed, device)
    warm_up_seconds = perf_counter() - started
    seed_everything(seed)
    with memory.peak_memory(device) as peak:  # which collects garbage first
        load, clocks = stopwatch.read_load(), stopwatch.read_clocks()
        frames, frame_seconds, seconds = _timed(method, holed, how, device, progress)
        passed = stopwatch.read_clocks().since(clocks)
    return checked_shape(frames, holed.frames.shape), {
        "device": device,
        "seconds": seconds,
        "frames": len(holed.frames),
        "frame_seconds": frame_seconds,
        "first_frame_seconds": frame_seconds[0] if frame_seconds else seconds,
        "warm_up_seconds": warm_up_seconds,
        "peak_host_bytes": peak.host_bytes,
        "peak_device_bytes": peak.device_bytes,
        "threads": thread_count(),
        "cpu_seconds": passed.cpu,
        "involuntary_switches": passed.involuntary,
        "stolen_share": stopwatch.read_load().stolen_share(load),
        "load_average": stopwatch.load_average(),
    }


def _timed(
    method: Any, holed: Any, how: str, device: str, progress: Callable[[int], None] | None
) -> tuple[Any, list[float], float]:
    started = before = perf_counter()
    if not streams(method):
        frames = answered(method, holed, how, device)
        return frames, [], perf_counter() - started
    kept, frame_seconds = [], []
    for frame in streamed(method, iter(holed.frames), iter(holed.masks), holed.frames.shape[1:], how, device):
        kept.append(frame)
        now = perf_counter()
        frame_seconds.append(now - before)
        before = now
        if progress is not None:
            progress(len(kept))
    shape = (0, *holed.frames.shape[1:])
    return (np.stack(kept) if kept else np.empty(shape, np.uint8)), frame_seconds, perf_counter() - started


def synchronise(device: str) -> None:
    """Wait until a CUDA device has done all it was given."""
    if device.startswith("cuda") and "torch" in sys.modules:
        sys.modules["torch"].cuda.synchronize(device)


def thread_count() -> int:
    """How many threads the libraries that the method has loaded give to one operation on the host."""
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    return int(sys.modules["cv2"].getNumThreads()) if "cv2" in sys.modules else 1


def seed_everything(number: int) -> None:
    """Make whatever a method draws the same in every run."""
    random.seed(number)
    np.random.seed(number)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(number)
