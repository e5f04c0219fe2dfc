"""The process in which a method works: it loads one method and answers orders, one JSON line each.

``vibench.machine.child`` runs this file by its path, so it imports nothing but numpy and the standard library; what
else it needs of the files beside it, it loads by their path. Frames and masks cross in files of raw bytes. Whatever a
method prints goes to the standard streams, never into the answers.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import locale
import os
import random
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

PROTOCOL = 1
"""Version of the orders and answers; a parent of another version says so in a sentence."""
WARM_UP_FRAMES = 2
PROGRESS_SECONDS = 0.5
WANTED = "it must return a numpy array of the input's shape, uint8 or float in 0..255"


def own(name: str) -> Any:
    """The module ``<name>.py`` beside this file, whatever ``vibench`` the method itself imports."""
    spec = importlib.util.spec_from_file_location(f"_worker_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no {name}.py beside {__file__}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


memory, stopwatch = own("memory"), own("stopwatch")


class Holed:
    """What a method sees of a case, where its Python has no vibench: ``name``, ``frames`` and ``masks``."""

    def __init__(self, name: str, frames: Any, masks: Any) -> None:
        self.name, self.frames, self.masks = name, frames, masks


def holed_class() -> Any:
    """The class ``Holed`` of the vibench that the method imports, or ours where it has none."""
    try:
        return importlib.import_module("vibench.clip").Holed
    except Exception:  # noqa: BLE001 - an incomplete vibench is as good as none
        return Holed


def checked_answer(answer: Any) -> Any:
    """What a method returned as a plain array that can be rounded to uint8; ValueError says what it should return.

    Numbers are those of 0..255, of any type. A float array in 0..1 would be taken for black, and what is not finite for
    whatever the processor makes of it.
    """
    if not isinstance(answer, np.ndarray):
        raise TypeError(f"the method returned {type(answer).__module__}.{type(answer).__name__}; {WANTED}")
    plain = np.asarray(answer)
    if plain.dtype == np.uint8 or not plain.size:
        return plain
    if plain.dtype.kind not in "fiu":
        raise ValueError(f"the method returned {plain.dtype} {plain.shape}; {WANTED}")
    low, high = plain.min(), plain.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"the method returned values that are not finite (NaN or infinite); {WANTED}")
    if plain.dtype.kind == "f" and low >= 0 and 0 < high <= 1:
        raise ValueError(f"the method returned {plain.dtype} in {low:.3g}..{high:.3g}, as if white were 1; {WANTED}")
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
    few = slice(WARM_UP_FRAMES)
    warm_up = type(holed)(holed.name, holed.frames[few].copy(), holed.masks[few].copy())
    started = perf_counter()
    method(warm_up)
    synchronise(device)
    warm_up_seconds = perf_counter() - started
    seed_everything(seed)
    gc.collect()
    load, clocks = stopwatch.read_load(), stopwatch.read_clocks()
    with memory.peak_memory(device) as peak:
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
    if not callable(getattr(method, "stream", None)):
        frames = quantised(method(holed), how)
        synchronise(device)
        return frames, [], perf_counter() - started
    frames, frame_seconds = [], []
    for frame in method.stream(iter(holed.frames), iter(holed.masks)):
        frames.append(checked_shape(quantised(frame, how), holed.frames.shape[1:]))
        synchronise(device)
        now = perf_counter()
        frame_seconds.append(now - before)
        before = now
        if progress is not None:
            progress(len(frames))
    shape = (0, *holed.frames.shape[1:])
    return (np.stack(frames) if frames else np.empty(shape, np.uint8)), frame_seconds, perf_counter() - started


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


class Settings:
    """What of this process a method may have changed, put back before the next case."""

    def __init__(self) -> None:
        self.folder, self.environment = os.getcwd(), dict(os.environ)
        self.errors, self.path, self.locale = np.geterr(), list(sys.path), locale.setlocale(locale.LC_ALL)
        self.streams = [os.dup(stream) for stream in (0, 1, 2)]
        torch = sys.modules.get("torch")
        self.torch = torch and (
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_grad_enabled(),
        )

    def restore(self) -> None:
        """Folder, environment, path, standard streams, numpy's error state, torch's default type, threads and flags."""
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.path[:] = self.path
        for stream, kept in enumerate(self.streams):
            os.dup2(kept, stream)
        np.seterr(**self.errors)
        locale.setlocale(locale.LC_ALL, self.locale)
        torch = sys.modules.get("torch")
        if torch and self.torch:
            torch.set_default_dtype(self.torch[0])
            torch.set_num_threads(self.torch[1])
            torch.use_deterministic_algorithms(self.torch[2])
            torch.set_grad_enabled(self.torch[3])


class Worker:
    """A method and the orders that it can be given."""

    def __init__(self, say: Callable[[dict[str, Any]], None]) -> None:
        self.say = say
        self.method: Any = None
        self.settings: Any = None
        self.holed: Any = Holed
        self.device = "cpu"

    def look(self, module: str, attribute: str, path: Sequence[str]) -> dict[str, Any]:
        """Import the module of a factory; the parent imports it only once this process has survived that."""
        sys.path[:0] = [place for place in path if place not in sys.path]
        return {"callable": callable(getattr(importlib.import_module(module), attribute, None))}

    def make(self, module: str, attribute: str, options: dict[str, Any], device: str, threads: int) -> dict[str, Any]:
        """Make the method; what it says of itself comes back as JSON knows it."""
        build = getattr(importlib.import_module(module), attribute)
        given = {key: Path(value["path"]) if isinstance(value, dict) else value for key, value in options.items()}
        self.method, self.device = build(**given), device
        self.holed = holed_class()
        if threads:
            own("processes").pin_threads(threads)
        described = self.method.describe() if callable(getattr(self.method, "describe", None)) else {}
        self.settings = Settings()
        return {
            "described": plain(dict(described)),
            "streams": callable(getattr(self.method, "stream", None)),
            "callable": callable(self.method),
            "file": getattr(sys.modules.get(module), "__file__", None) or "",
        }

    def fill(
        self, name: str, shape: Sequence[int], frames: str, masks: str, output: str, seed: int, how: str, timed: bool
    ) -> dict[str, Any]:
        """Fill the clip in two files of raw bytes and write the answer to a third."""
        self.settings.restore()
        count = int(np.prod(shape[:3]))
        # Copies: a method may write on what it gets, and pages must not be mapped inside the timed region.
        clip = np.array(np.memmap(frames, np.uint8, "r", shape=(3 * count,))).reshape(shape)
        holes = np.array(np.memmap(masks, np.uint8, "r", shape=(count,))).view(bool).reshape(shape[:3])
        seed_everything(seed)
        holed = self.holed(name, clip, holes)
        if timed:
            answer, timing = filled(self.method, holed, how, self.device, seed, self._progress())
        else:
            answer, timing = checked_shape(quantised(self.method(holed), how), shape), None
        np.memmap(output, np.uint8, "r+", shape=(3 * count,))[:] = answer.reshape(-1)
        return {"timing": timing}

    def _progress(self) -> Callable[[int], None]:
        said = perf_counter()

        def progress(done: int) -> None:
            nonlocal said
            if perf_counter() - said >= PROGRESS_SECONDS:
                said = perf_counter()
                self.say({"progress": done})

        return progress


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON knows it: numbers of numpy as Python's, small arrays as lists, anything else as its text."""
    if value is None or isinstance(value, (bool, str)):
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
    if isinstance(value, (int, float, np.number, np.bool_)):
        number = value.item() if isinstance(value, (np.number, np.bool_)) else value
        return number if not isinstance(number, float) or np.isfinite(number) else str(number)
    if isinstance(value, dict) and depth < 8:
        return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)) and depth < 8:
        return [plain(inner, depth + 1) for inner in value]
    if isinstance(value, np.ndarray) and value.size <= 64:
        return plain(value.tolist(), depth + 1)
    return str(value)[:200]


def failure(error: BaseException) -> dict[str, Any]:
    """What went wrong in foreign code: the names of the error's classes, one line of text, and the traceback."""
    try:
        first = (str(error).splitlines() or [""])[0]
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except BaseException:  # noqa: BLE001 - an error that cannot even be put into words
        first, trace = "(it cannot say what)", ""
    return {
        "error": {
            "classes": [each.__name__ for each in type(error).__mro__],
            "message": first[:500].encode("utf-8", "backslashreplace").decode(),
            "traceback": trace[-20_000:].encode("utf-8", "backslashreplace").decode(),
        }
    }


def main() -> None:
    """Answer orders until they end. Both ends of the pipes are private: what a method prints is no answer."""
    orders = os.fdopen(int(sys.argv[1]), "r", encoding="utf-8")
    answers = os.fdopen(int(sys.argv[2]), "w", encoding="utf-8")
    own("processes").die_with(int(sys.argv[3]))
    here = str(Path(__file__).parent)
    sys.path[:] = [place for place in sys.path if place != here]  # our neighbours are no modules of the method's

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    worker = Worker(say)
    for line in orders:
        order = json.loads(line)
        try:
            if order.get("protocol") != PROTOCOL:
                raise RuntimeError(f"this worker speaks version {PROTOCOL} of the orders, not {order.get('protocol')}")
            del order["protocol"]
            answer = getattr(worker, order.pop("do"))(**order)
        except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises is an answer, not our end
            answer = failure(error)
        say({"done": answer} if "error" not in answer else answer)
    os._exit(0)  # threads that a method has left behind must not keep this process


if __name__ == "__main__":
    main()
