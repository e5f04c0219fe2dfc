"""A flame picture: where a thread was, sampled a thousand times a second, drawn as one bar a call, callers below.

The process of a method samples itself with this file, so nothing but Python's own library is imported at the top.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

INTERVAL_SECONDS = 0.001
SMALLEST_SHARE = 0.005
"""Bars narrower than this part of the whole are left out; nobody could read them."""
LABELLED_SHARE = 0.04
PLUMBING = frozenset({"torch.nn.modules.module", "torch.utils._contextlib", "contextlib"})
"""Modules whose functions only call the next one, and which are left out."""


@dataclass
class Call:
    """A function as called from its callers: ``samples`` counts those in it or in what it called."""

    name: str
    samples: int = 0
    called: dict[str, Call] = field(default_factory=dict)

    @classmethod
    def read(cls, name: str, lines: Iterable[str]) -> Call:
        """Read what ``collapsed`` has written; ``name`` is that of the whole."""
        root = cls(name)
        for line in lines:
            path, _, samples = line.rpartition(" ")
            root.add(path.split(";")[1:], int(samples))
        return root

    def add(self, stack: Sequence[str], samples: int = 1) -> None:
        """Count samples whose functions are ``stack``, outermost first."""
        call = self
        call.samples += samples
        for name in stack:
            call = call.called.setdefault(name, Call(name))
            call.samples += samples

    def depth(self) -> int:
        """How many bars lie above one another."""
        return 1 + max((call.depth() for call in self.called.values()), default=0)

    def collapsed(self, before: str = "") -> Iterator[str]:
        """Yield lines ``a;b;c samples``, the format that other programs for flame pictures read."""
        path = f"{before};{self.name}" if before else self.name
        own = self.samples - sum(call.samples for call in self.called.values())
        if own:
            yield f"{path} {own}"
        for call in self.called.values():
            yield from call.collapsed(path)


@contextmanager
def sampled(name: str) -> Iterator[Call]:
    """Sample this thread inside the block. Native code counts for the Python function that called it."""
    root, stop, watched = Call(name), threading.Event(), threading.get_ident()
    base = sys._getframe(2)  # whoever wrote the with statement

    def sample() -> None:
        while not stop.wait(INTERVAL_SECONDS):
            stack = _stack(sys._current_frames().get(watched), base)
            if stack:
                root.add(stack)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield root
    finally:
        stop.set()
        thread.join()


def draw(root: Call, path: Path) -> None:
    """Write the picture; the suffix of ``path`` says whether SVG or PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 1 + 0.32 * root.depth()))
    axes = figure.add_subplot()
    _bar(axes, root, 0.0, 0, root.samples)
    axes.set(xlim=(0, 1), ylim=(0, root.depth()), yticks=[], xlabel=f"share of {root.samples} samples")
    axes.spines[["top", "left", "right"]].set_visible(False)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else None)


def _bar(axes: Any, call: Call, left: float, level: int, whole: int) -> None:
    width = call.samples / whole if whole else 0.0
    if width < SMALLEST_SHARE:
        return
    warmth = sum(call.name.encode()) % 7 / 7
    axes.barh(level + 0.5, width, 0.96, left, color=(0.95, 0.55 + 0.3 * warmth, 0.3), edgecolor="white", linewidth=0.5)
    if width > LABELLED_SHARE:
        text = call.name[: max(3, int(width * 170))]
        axes.text(left + 0.003, level + 0.5, text, va="center", fontsize=7, clip_on=True, parse_math=False)
    for inner in sorted(call.called.values(), key=lambda call: -call.samples):
        _bar(axes, inner, left, level + 1, whole)
        left += inner.samples / whole


def _stack(frame: FrameType | None, base: FrameType) -> list[str]:
    names = []
    while frame is not None and frame is not base:
        module = frame.f_globals.get("__name__", "?")
        if module not in PLUMBING:
            code = frame.f_code
            names.append(f"{getattr(code, 'co_qualname', code.co_name)} ({module})")  # Python 3.10 has the name only
        frame = frame.f_back
    return names[::-1] if frame is base else []
