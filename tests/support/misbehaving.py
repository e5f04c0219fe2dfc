"""Methods that do what foreign code has been seen to do. Each says what must become of it; ``telea`` must go on."""

from __future__ import annotations

import ctypes
import locale
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from vibench.clip import Frame, Frames, Holed, Mask

FAILED, SCORED = "failed", "scored"
LIMIT = "took longer than --time-limit"


class Unsayable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class NoException(BaseException):
    pass


def grey(holed: Holed) -> Frames:
    filled = holed.frames.copy()
    filled[holed.masks] = 128
    return filled


def raising(error: BaseException) -> Any:
    raise error


def endless() -> None:
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001, S112 - that is the point
            continue


def changed(holed: Holed, *changes: Any) -> Frames:
    return grey(holed)


def deeper(further: Any) -> Any:
    return further(further)


def close_output() -> None:
    for stream in (1, 2):
        with suppress(OSError):  # the second time
            os.close(stream)


def start_process() -> None:
    # Whoever runs the method looks for it by its own number: other tests may run beside.
    subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(600)  # left-over-of-{os.getppid()}."])


def fork_and_exit() -> None:
    if os.fork():
        os._exit(3)
    time.sleep(600)  # it holds the pipes that it has inherited


def write_everywhere() -> None:
    for stream in range(3, 512):
        with suppress(OSError):
            os.write(stream, b"no answer\n")


def start_session() -> None:
    """A process that leaves our group of processes, as daemons and launchers of jobs do."""
    words = [sys.executable, "-c", "import time; time.sleep(600)  # vibench-left-over"]
    subprocess.Popen(words, start_new_session=True)


def fork_twice() -> None:
    """A process whose parent is gone: nobody's child."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)  # vibench-left-over"])
        os._exit(0)


def torch_changed() -> None:
    import torch

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(7)
    torch.use_deterministic_algorithms(True)
    torch.set_grad_enabled(False)


def a_tensor(holed: Holed) -> Any:
    import torch

    return torch.from_numpy(grey(holed))


BEHAVIOURS: dict[str, tuple[Any, str, str]] = {
    # name: (what it does with the holed clip, what becomes of it, a word of the reason)
    "raises": (lambda h: raising(RuntimeError("no weights\nsecond line")), FAILED, "RuntimeError: no weights"),
    "base_exception": (lambda h: raising(NoException("not an Exception")), FAILED, "NoException"),
    "keyboard_interrupt": (lambda h: raising(KeyboardInterrupt()), FAILED, "KeyboardInterrupt"),
    "sys_exit_0": (lambda h: sys.exit(0), FAILED, "SystemExit: 0"),
    "sys_exit_text": (lambda h: sys.exit("give me a GPU"), FAILED, "give me a GPU"),
    "os_exit_0": (lambda h: os._exit(0), FAILED, "ended its process with status 0"),
    "os_exit_3": (lambda h: os._exit(3), FAILED, "ended its process with status 3"),
    "fork_and_exit": (lambda h: fork_and_exit(), FAILED, "ended its process with status 3"),
    "segfault": (lambda h: ctypes.string_at(0), FAILED, "ended by SIGSEGV"),
    "abort": (lambda h: os.abort(), FAILED, "ended by SIGABRT"),
    "killed": (lambda h: os.kill(os.getpid(), signal.SIGKILL), FAILED, "ended by SIGKILL"),
    "terminated": (lambda h: os.kill(os.getpid(), signal.SIGTERM), FAILED, "ended by SIGTERM"),
    "memory_error": (lambda h: np.empty(2**62, np.uint8), FAILED, "Unable to allocate"),
    "out_of_memory_text": (lambda h: raising(RuntimeError("CUDA out of memory")), FAILED, "out of memory"),
    "recursion": (lambda h: deeper(deeper), FAILED, "RecursionError"),
    "unsayable": (lambda h: raising(Unsayable()), FAILED, "Unsayable"),
    "surrogates": (lambda h: raising(ValueError("caf\udce9")), FAILED, "ValueError"),
    "long_message": (lambda h: raising(ValueError("x" * 10**6)), FAILED, "ValueError: xxx"),
    "endless": (lambda h: endless(), FAILED, LIMIT),
    "c_loop": (lambda h: 7 ** (7**9), FAILED, LIMIT),
    "writes_into_pipes": (lambda h: changed(h, write_everywhere()), FAILED, "into the pipe of its process's answers"),
    "closed_pipes": (lambda h: os.closerange(3, 512), FAILED, "its process"),
    "nothing": (lambda h: None, FAILED, "NoneType"),
    "a_list": (lambda h: list(grey(h)), FAILED, "builtins.list"),
    "a_generator": (lambda h: (frame for frame in grey(h)), FAILED, "generator"),
    "a_tensor": (a_tensor, FAILED, "torch.Tensor"),
    "objects": (lambda h: grey(h).astype(object), FAILED, "returned object"),
    "booleans": (lambda h: grey(h) > 100, FAILED, "returned bool"),
    "complex_numbers": (lambda h: grey(h).astype(complex), FAILED, "complex128"),
    "not_a_number": (lambda h: np.full(h.frames.shape, np.nan), FAILED, "not finite"),
    "infinite": (lambda h: np.full(h.frames.shape, np.inf, np.float16), FAILED, "not finite"),
    "white_is_one": (lambda h: np.full(h.frames.shape, 0.5), FAILED, "as if white were 1"),
    "black_is_minus_one": (lambda h: np.linspace(-1, 1, h.frames.size).reshape(h.frames.shape), FAILED, "as if white"),
    "sixteen_bits": (lambda h: h.frames.astype(np.uint16) * 257, FAILED, "far outside of 0..255"),
    "far_below": (lambda h: grey(h).astype(np.float32) - 900, FAILED, "far outside of 0..255"),
    "fewer_frames": (lambda h: grey(h)[:-1], FAILED, "must return uint8 or float"),
    "no_frames": (lambda h: grey(h)[:0], FAILED, "must return uint8 or float"),
    "channels_first": (lambda h: grey(h).transpose(0, 3, 1, 2), FAILED, "must return uint8 or float"),
    "smaller": (lambda h: grey(h)[:, ::2, ::2], FAILED, "must return uint8 or float"),
    "a_subclass": (lambda h: grey(h).view(np.recarray), SCORED, ""),
    "overshoots": (lambda h: np.where(h.masks[..., None], 128, h.frames * 1.8 - 190), SCORED, ""),
    "half_floats": (lambda h: grey(h).astype(np.float16), SCORED, ""),
    "big_integers": (lambda h: grey(h).astype(np.int64), SCORED, ""),
    "changes_folder": (lambda h: changed(h, os.chdir("/")), SCORED, ""),
    "changes_locale": (lambda h: changed(h, locale.setlocale(locale.LC_ALL, "C")), SCORED, ""),
    "closes_output": (lambda h: changed(h, close_output()), SCORED, ""),
    "prints_much": (lambda h: changed(h, [print("line", number) for number in range(300_000)]), SCORED, ""),
    "prints_answers": (lambda h: changed(h, print('{"done": {}}', flush=True)), SCORED, ""),
    "reads_input": (lambda h: changed(h, sys.stdin.read()), SCORED, ""),
    "leaves_thread": (lambda h: changed(h, threading.Thread(target=endless).start()), SCORED, ""),
    "leaves_process": (lambda h: changed(h, start_process()), SCORED, ""),
    "leaves_session": (lambda h: changed(h, start_session()), SCORED, ""),
    "leaves_daemon": (lambda h: changed(h, fork_twice()), SCORED, ""),
    "daemon_then_dies": (lambda h: changed(h, fork_twice(), os._exit(3)), FAILED, "ended its process with status 3"),
    "changes_environment": (lambda h: changed(h, os.environ.clear(), sys.path.clear()), SCORED, ""),
    "changes_torch": (lambda h: changed(h, torch_changed()), SCORED, ""),
    "ignores_signals": (lambda h: changed(h, signal.signal(signal.SIGTERM, signal.SIG_IGN)), SCORED, ""),
    "writes_on_input": (lambda h: changed(h, h.frames.fill(0), h.masks.fill(True)), SCORED, ""),
}


class Misbehaving:
    """Fill a hole with grey, or do what ``how`` says."""

    def __init__(self, *, how: str) -> None:
        self.how = how

    def __call__(self, holed: Holed) -> Frames:
        if len(holed.frames) <= 2 and BEHAVIOURS[self.how][1] == FAILED and LIMIT not in BEHAVIOURS[self.how][2]:
            return grey(holed)  # the warm-up passes: the timed call is what fails
        answer: Frames = BEHAVIOURS[self.how][0](holed)
        return answer


STREAMS = {
    "few": "must return uint8 or float", "many": "must return uint8 or float", "small": "must return uint8 or float",
    "raises": "the third frame", "endless": LIMIT, "empty": "NoneType",
}  # fmt: skip


class Streaming:
    """Streams wrongly in the way that ``how`` says: one of ``STREAMS``, or of ``BEHAVIOURS`` in the fourth frame."""

    def __init__(self, *, how: str) -> None:
        self.how = how

    def __call__(self, holed: Holed) -> Frames:
        return grey(holed)

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Any]:
        for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
            one = Holed("one", frame[None], mask[None])
            if index == 3:
                if self.how == "few":
                    return
                if self.how == "raises":
                    raise RuntimeError("the third frame")
                if self.how == "endless":
                    endless()
                if self.how in BEHAVIOURS and self.how not in STREAMS:
                    yield BEHAVIOURS[self.how][0](one)[0]
                    continue
            yield {"small": frame[::2], "empty": None}.get(self.how, grey(one)[0])
            if self.how == "many":
                yield frame
