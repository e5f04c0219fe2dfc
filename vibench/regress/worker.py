"""The process of one version: it loads the version's method and answers orders, one JSON line each.

``vibench.regress.process`` runs it as a file. The version under test may bring its own ``vibench``, older or newer than
this file, and both versions must be measured by the same stopwatch. So this file needs only Python, numpy and three
modules of the package around it, ``stopwatch``, ``memory`` and ``processes`` of ``machine/``, which it loads by path.
Of the version's ``vibench`` it needs nothing but ``Holed``, which every method gets.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

WARM_UP_FRAMES = 2


def own(name: str) -> ModuleType:
    """The module ``machine/<name>.py`` of the package around this file, whatever ``vibench`` is on the path."""
    file = Path(__file__).parents[1] / "machine" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"_regress_{name}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


stopwatch, memory, processes = own("stopwatch"), own("memory"), own("processes")


def made(factory: str, options: dict[str, Any], device: str) -> tuple[Any, str]:
    """The method that ``module:attribute`` makes with ``options``, and the file where that factory is written.

    As ``vibench.plugins.make`` does it: a factory that has a parameter ``device`` gets the device too.
    """
    module, _, attribute = factory.partition(":")
    build = getattr(importlib.import_module(module), attribute)
    given = {"device": device} if "device" in inspect.signature(build).parameters else {}
    return build(**(given | options)), inspect.getsourcefile(inspect.unwrap(build)) or ""


def quantised(frames: Any) -> Any:
    """Frames in 0..255 of any type as uint8, half away from zero, as the benchmark itself quantises them."""
    if getattr(frames, "dtype", None) == np.uint8:
        return frames
    return np.floor(np.clip(frames, 0, 255) + 0.5).astype(np.uint8)


class Loaded:
    """A method of one version and the clips that it fills."""

    def __init__(self, factory: str, options: dict[str, Any], device: str, threads: int, clips: str) -> None:
        from vibench import Holed

        self.method, self.file = made(factory, options, device)
        self.device = device
        processes.pin_threads(threads)
        with np.load(clips) as arrays:
            count = len(arrays.files) // 2
            self.clips = [Holed(f"probe-{i}", arrays[f"frames{i}"], arrays[f"masks{i}"]) for i in range(count)]
        self.streams = callable(getattr(self.method, "stream", None))
        few = self.clips[0]
        self.method(Holed("warm-up", few.frames[:WARM_UP_FRAMES].copy(), few.masks[:WARM_UP_FRAMES].copy()))
        gc.collect()
        gc.freeze()  # what is loaded stays; later collections are quick

    def about(self) -> dict[str, Any]:
        """Where the method's code really came from, and whether it works frame by frame."""
        return {"file": self.file, "streams": self.streams}

    def fill(self, output: str) -> dict[str, Any]:
        """Fill every clip once and write the frames to the file ``output``, an .npz."""
        np.savez(output, *[quantised(self.method(clip)) for clip in self.clips])
        return {}

    def time(self, seconds: float) -> dict[str, Any]:
        """Fill the first clip again and again for about ``seconds``.

        Each call is a list: wall and cpu seconds, voluntary and involuntary context switches, and wall and cpu seconds
        to the first frame.
        """
        gc.collect()
        gc.disable()
        try:
            started = stopwatch.read_clocks().wall
            calls: list[list[float]] = []
            while not calls or stopwatch.read_clocks().wall - started < seconds:
                calls.append(self._timed())
        finally:
            gc.enable()
        return {"calls": calls, "resident_bytes": memory.resident_bytes()}

    def peak(self) -> dict[str, Any]:
        """Fill the first clip once: how far memory grew meanwhile, in bytes."""
        with memory.peak_memory(self.device) as peak:
            self._timed()
        return {"host_bytes": peak.host_bytes, "device_bytes": peak.device_bytes,
                "resident_bytes": memory.resident_bytes()}  # fmt: skip

    def _timed(self) -> list[float]:
        clip, first, kept = self.clips[0], None, []
        start = stopwatch.read_clocks()
        if self.streams:
            for frame in self.method.stream(iter(clip.frames), iter(clip.masks)):
                kept.append(quantised(frame))
                self._synchronise()
                first = first or stopwatch.read_clocks()
        else:
            kept.append(quantised(self.method(clip)))
            self._synchronise()
        end = stopwatch.read_clocks()
        to_first = (first or end).since(start)
        return [*end.since(start), to_first.wall, to_first.cpu]

    def _synchronise(self) -> None:
        if self.device.startswith("cuda"):
            sys.modules["torch"].cuda.synchronize(self.device)


def main() -> None:
    """Answer orders from standard input until it ends; answers leave by a private copy of standard output."""
    processes.die_with(os.getppid())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a method prints must not be taken for an answer
    loaded: Loaded | None = None
    for line in sys.stdin:
        order = json.loads(line)
        verb = order.pop("do")
        try:
            if verb == "load":
                loaded = Loaded(**order)
                answer = loaded.about()
            elif loaded is None or verb not in ("fill", "time", "peak"):
                answer = {"error": f"nothing to {verb}: load comes first"}
            else:
                answer = getattr(loaded, verb)(**order)
        except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises is an answer, not our end
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
