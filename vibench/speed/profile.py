"""Where a method's time goes: by part of its network, with FLOP, by torch operator, and by Python function."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from vibench import plugins
from vibench.clip import Holed
from vibench.data.probe import Probe
from vibench.files import disk_errors, slug, write_atomically
from vibench.machine.device import resolve, synchronise
from vibench.machine.processes import pin_threads
from vibench.method import Method
from vibench.plugins import Spec
from vibench.speed.flame import Call, draw, sampled

if TYPE_CHECKING:
    from torch import nn

SEARCH_DEPTH = 3
OPERATORS = 15
REST = "(outside its parts)"


@dataclass(frozen=True)
class Part:
    """One part of a network: its calls, seconds and operations over the clip, those of its inner parts included."""

    name: str
    calls: int
    seconds: float
    flop: int


@dataclass(frozen=True)
class Operator:
    """One torch operator: its calls, and the seconds that it took itself, without what it called, over the clip."""

    name: str
    calls: int
    seconds: float


@dataclass(frozen=True)
class Profile:
    """The profile of a method on one clip, which it filled in ``seconds``.

    ``method`` is its name with options. The clip has ``frames`` frames of ``width_px`` x ``height_px`` pixels.
    ``parts`` and ``operators`` are empty where the method uses no torch network. ``flame`` counts the samples of where
    the method was.
    """

    method: str
    width_px: int
    height_px: int
    frames: int
    seconds: float
    parts: tuple[Part, ...]
    operators: tuple[Operator, ...]
    flame: Call

    @property
    def flop(self) -> int:
        """The operations of the whole clip, as torch counts them."""
        return sum(part.flop for part in self.parts)


def profile_method(
    method: str,
    *,
    size: tuple[int, int] = (256, 256),
    frames: int = 8,
    device: str = "cpu",
    threads: int = 1,
    output: str | Path | None = None,
) -> Profile:
    """Say where a method's time goes: in the parts of its network, torch's operators and Python's functions.

    Args:
        method: a name of ``list_methods`` or ``module:factory``, with options in brackets: ``"vinet[memory=false]"``.
        size: width and height in pixels of the clip that is made for it.
        frames: frames of that clip.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: threads of torch and OpenCV.
        output: folder into which a flame picture (SVG) and the samples behind it (text) are written; nothing is
            written without it.

    Raises:
        InputError: where the method has no such name or option, the device is not there, or ``output`` cannot be
            written.
        UserError: where the method cannot be made.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # torch's profiler else tells that there is no GPU
    spec, where = Spec.parse(method), resolve(device)
    made: Method = plugins.make("methods", spec, device=where)
    pin_threads(threads)
    found = profile(made, Probe.make(*size, frames).cases[0].holed(), where, spec.label)
    if output is not None:
        folder, stem = Path(output), slug(spec.label)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            draw(found.flame, folder / f"{stem}.svg")
            write_atomically(folder / f"{stem}.stacks.txt", ("\n".join(found.flame.collapsed()) + "\n").encode())
    return found


def profile(method: Method, holed: Holed, device: str, name: str) -> Profile:
    """Fill the clip for a warm-up, plainly, sampled, with hooks, counted by torch, and with torch's profiler.

    Each time pays for one way of looking only, so that neither the ``seconds`` of the plain one nor the shares of the
    others contain the cost of another.
    """
    network = network_of(method)
    frames, height, width = holed.masks.shape
    clip = name, width, height, frames

    def fill() -> None:
        method(holed)
        synchronise(device)

    fill()
    started = perf_counter()
    fill()
    seconds = perf_counter() - started
    with sampled(name) as flame:
        fill()
    if network is None:
        return Profile(*clip, seconds, (), (), flame)
    with timed_parts(network, device) as times:
        started = perf_counter()
        fill()
        whole = perf_counter() - started
    flop, operators = _counted(network, fill)
    parts = [Part(part, calls, spent, flop.get(part, 0)) for part, (calls, spent) in times.items() if calls]
    rest = whole - sum(part.seconds for part in parts)
    counted = sum(part.flop for part in parts)
    parts.append(Part(REST, 1, max(0.0, rest), max(0, flop["Global"] - counted)))
    parts.sort(key=lambda part: -part.seconds)
    return Profile(*clip, seconds, tuple(parts), operators, flame)


def network_of(method: object, depth: int = SEARCH_DEPTH) -> nn.Module | None:
    """The network with most parameters that a method holds in its attributes; None where there is none."""
    import sys

    if "torch" not in sys.modules:
        return None
    from torch import nn

    if isinstance(method, nn.Module):
        return method
    if depth == 0 or not hasattr(method, "__dict__"):
        return None
    found = [network_of(value, depth - 1) for value in vars(method).values()]
    return max((net for net in found if net is not None), key=_size, default=None)


@contextmanager
def timed_parts(network: nn.Module, device: str) -> Iterator[dict[str, tuple[int, float]]]:
    """Collect the calls and seconds of every direct part of ``network`` in the block, by hooks that synchronise."""
    times: dict[str, tuple[int, float]] = dict.fromkeys((name for name, _ in network.named_children()), (0, 0.0))
    starts: dict[str, float] = {}

    def before(name: str) -> Any:
        def hook(*_: object) -> None:
            synchronise(device)
            starts[name] = perf_counter()

        return hook

    def after(name: str) -> Any:
        def hook(*_: object) -> None:
            synchronise(device)
            calls, seconds = times[name]
            times[name] = calls + 1, seconds + perf_counter() - starts[name]

        return hook

    hooks = []
    for name, part in network.named_children():
        hooks += [part.register_forward_pre_hook(before(name)), part.register_forward_hook(after(name))]
    try:
        yield times
    finally:
        for hook in hooks:
            hook.remove()


def _counted(network: nn.Module, fill: Any) -> tuple[dict[str, int], tuple[Operator, ...]]:
    """The operations of every part (``Global`` is the whole), and the operators that took longest."""
    from torch.utils.flop_counter import FlopCounterMode

    counts: dict[str, int] = {}
    counter = FlopCounterMode(display=False)
    before: dict[str, int] = {}

    def enter(name: str) -> Any:
        return lambda *_: before.__setitem__(name, counter.get_total_flops())

    def leave(name: str) -> Any:
        return lambda *_: counts.__setitem__(name, counts.get(name, 0) + counter.get_total_flops() - before[name])

    hooks = []
    for name, part in network.named_children():
        hooks += [part.register_forward_pre_hook(enter(name)), part.register_forward_hook(leave(name))]
    with counter:
        fill()
    for hook in hooks:
        hook.remove()
    return counts | {"Global": counter.get_total_flops()}, _operators(fill)


def _operators(fill: Any) -> tuple[Operator, ...]:
    import torch
    from torch.profiler import ProfilerActivity

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])
    with torch.profiler.profile(activities=activities) as recorded:
        fill()
    on_device = torch.cuda.is_available()
    found = [
        Operator(
            str(row.key), int(row.count), (row.self_device_time_total if on_device else row.self_cpu_time_total) / 1e6
        )
        for row in recorded.key_averages()
    ]
    return tuple(sorted(found, key=lambda operator: -operator.seconds)[:OPERATORS])


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
