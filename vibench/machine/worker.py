"""The process in which a method works: it makes one method and answers orders, one JSON line each.

``vibench.machine.worker_process`` runs this file by its path. The Python that runs it may be another one, and the
method may bring another ``vibench``. So it imports nothing but numpy, the standard library and the files around it,
which it finds as a package under a name of its own. Frames and masks cross in files of raw bytes. Whatever a method
prints goes to the standard streams, never into the answers.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import locale
import os
import platform
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.modules["vibench_of_the_worker"] = ModuleType("vibench_of_the_worker")
    sys.modules["vibench_of_the_worker"].__path__ = [str(Path(__file__).parents[1])]
    __package__ = "vibench_of_the_worker.machine"
    importlib.import_module(__package__)

from . import call, processes
from .ring import MethodEnd, Ring

PROTOCOL = 2
"""Version of the orders and answers; a parent of another version says so in a sentence."""
PROGRESS_SECONDS = 0.5


class Holed:
    """What a method sees of a case, where its Python has no vibench: ``name``, ``frames`` and ``masks``."""

    def __init__(self, name: str, frames: Any, masks: Any) -> None:
        self.name, self.frames, self.masks = name, frames, masks


def holed_class() -> Any:
    """The class ``Holed`` of the vibench that the method imports, or ours where it has none."""
    try:
        return importlib.import_module("vibench").Holed
    except Exception:  # noqa: BLE001 - an incomplete vibench is as good as none
        return Holed


class Settings:
    """What of this process foreign code may have changed, to be put back: before the next order of a method."""

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

    def forget(self) -> None:
        """Let go of the streams that were kept to be put back."""
        for stream in self.streams:
            os.close(stream)


class Worker:
    """A method and the orders that it can be given."""

    def __init__(self, hear: Callable[[], dict[str, Any]], say: Callable[[dict[str, Any]], None]) -> None:
        self.hear, self.say = hear, say
        self.method: Any = None
        self.settings: Any = None
        self.holed: Any = Holed
        self.clip: Any = None
        self.device = "cpu"
        self._maps: dict[str, Any] = {}

    def look(self, module: str, attribute: str, path: Sequence[str]) -> dict[str, Any]:
        """Import the module of a factory; the parent imports it only once this process has survived that."""
        sys.path[:0] = [place for place in path if place not in sys.path]
        return {"callable": callable(getattr(importlib.import_module(module), attribute, None))}

    def make(self, module: str, attribute: str, options: dict[str, Any], device: str, threads: int) -> dict[str, Any]:
        """Make the method; what it says of itself comes back as JSON knows it.

        A factory that has a parameter ``device`` is given the device, unless the options name one.
        """
        build = getattr(importlib.import_module(module), attribute)
        given = {key: Path(value["path"]) if isinstance(value, dict) else value for key, value in options.items()}
        if "device" in parameters_of(build):
            given.setdefault("device", device)
        self.method, self.device = build(**given), device
        self.holed = holed_class()
        if threads:
            processes.pin_threads(threads)
        self.settings = Settings()
        return {
            "described": described(self.method),
            "streams": call.flows(self.method),
            "callable": callable(self.method),
            "file": source_file(build),
            "versions": versions(),
        }

    def sources(self, module: str) -> dict[str, str]:
        """The file of every loaded module that nobody has installed, and of those of the same package as ``module``."""
        importlib.import_module(module)
        home, own = module.partition(".")[0], Path(__file__).parent
        standard = {Path(place) for name, place in sysconfig.get_paths().items() if name in ("stdlib", "platstdlib")}
        found = {}
        for name, loaded in list(sys.modules.items()):
            file = getattr(loaded, "__file__", None)
            if not file or not os.path.isfile(file) or own in Path(file).parents:
                continue
            parts = Path(file).parts
            installed = "site-packages" in parts or "dist-packages" in parts or standard & set(Path(file).parents)
            if name.partition(".")[0] == home or not installed:
                found[name] = os.path.abspath(file)
        return found

    def fill(
        self, name: str, shape: Sequence[int], frames: str, masks: str, output: str, seed: int, how: str, timed: bool
    ) -> dict[str, Any]:
        """Fill the clip in two files of raw bytes and write the answer to a third."""
        self.settings.restore()
        holed = self._read(name, shape, frames, masks)
        call.seed_everything(seed)
        if timed:
            answer, timing = call.filled(self.method, holed, how, self.device, seed, self._progress())
        else:
            answer, timing = call.answered(self.method, holed, how, self.device), None
        self._mapped(output)[: answer.size] = answer.reshape(-1)
        return {"timing": timing}

    def hold(self, name: str, shape: Sequence[int], frames: str, masks: str) -> dict[str, Any]:
        """Keep the clip in two files of raw bytes for jobs to come."""
        self.clip = self._read(name, shape, frames, masks)
        return {}

    def job(self, module: str, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Let a function of this vibench work beside the method, on the clip that was kept."""
        self.settings.restore()
        work = getattr(importlib.import_module(f"..{module}", __package__), function)
        answer: dict[str, Any] = work(call.Held(self.method, self.clip, self.device), **arguments)
        return answer

    def stream(self, ring: str, slots: int, height: int, width: int, seed: int, how: str) -> dict[str, Any]:
        """Fill a video frame by frame, through the ring of slots in a file, until it is over."""
        self.settings.restore()
        call.seed_everything(seed)
        end = MethodEnd(Ring(self._mapped(ring), slots, height, width), self.hear, self.say)
        try:
            frames, masks = end.frames_and_masks()
            for frame in call.streamed(self.method, frames, masks, (height, width, 3), how, self.device):
                end.give(frame)
        finally:
            end.finish()
        return {}

    def _read(self, name: str, shape: Sequence[int], frames: str, masks: str) -> Any:
        """The clip in two files of raw bytes, copied.

        A method may write on what it gets, and pages must not be mapped inside the timed region.
        """
        count = int(np.prod(shape[:3]))
        clip = np.array(self._mapped(frames)[: 3 * count]).reshape(shape)
        holes = np.array(self._mapped(masks)[:count]).view(bool).reshape(shape[:3])
        return self.holed(name, clip, holes)

    def _mapped(self, path: str) -> Any:
        """The bytes of a file, mapped once; a file that was replaced by a larger one has another name."""
        if path not in self._maps:
            self._maps = {known: flat for known, flat in self._maps.items() if os.path.exists(known)}
            self._maps[path] = np.memmap(path, np.uint8, "r+")
        return self._maps[path]

    def _progress(self) -> Callable[[int], None]:
        said = perf_counter()

        def progress(done: int) -> None:
            nonlocal said
            if perf_counter() - said >= PROGRESS_SECONDS:
                said = perf_counter()
                self.say({"progress": done})

        return progress


def parameters_of(build: Any) -> Sequence[str]:
    """The names of a factory's parameters; none where it does not say."""
    try:
        return tuple(inspect.signature(build).parameters)
    except (TypeError, ValueError):
        return ()


def source_file(build: Any) -> str:
    """The file in which a factory is written; empty where it is in none."""
    try:
        return inspect.getsourcefile(inspect.unwrap(build)) or ""
    except TypeError:
        return ""


def described(method: Any) -> dict[str, Any]:
    """What a method says of itself, as JSON knows it: its facts, and ``knows`` where that is an attribute."""
    facts = dict(method.describe()) if callable(getattr(method, "describe", None)) else {}
    if isinstance(knows := getattr(method, "knows", None), str):
        facts.setdefault("knows", knows)
    return dict(plain(facts))


def versions() -> dict[str, str]:
    """The versions of this Python, and of those packages that are loaded whose arithmetic is in a method's frames."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "torch", "cv2"):
        if name in sys.modules:
            found[name] = str(getattr(sys.modules[name], "__version__", "unknown"))
    return found


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
    processes.die_with(int(sys.argv[3]))
    here = str(Path(__file__).parent)
    sys.path[:] = [place for place in sys.path if place != here]  # our neighbours are no modules of the method's
    saying = threading.Lock()

    def hear() -> dict[str, Any]:
        order: dict[str, Any] = json.loads(orders.readline() or "null") or os._exit(0)
        return order

    def say(answer: dict[str, Any]) -> None:
        with saying:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    worker = Worker(hear, say)
    while True:
        order = hear()
        try:
            if (asked := order.pop("protocol", None)) != PROTOCOL:
                told = f"version {PROTOCOL} of the orders, and vibench asks in version {asked}"
                raise RuntimeError(f"the worker speaks {told}: one of them was updated meanwhile, so start again")
            answer = getattr(worker, order.pop("do"))(**order)
        except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises is an answer, not our end
            answer = failure(error)
        say({"done": answer} if "error" not in answer else answer)


if __name__ == "__main__":
    main()
