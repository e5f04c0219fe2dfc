"""Where a method's time goes: by part of its network, with FLOP, by torch operator, and by Python function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from vibench.clip import Holed
from vibench.machine.device import synchronise
from vibench.method import Method
from vibench.speed.flame import Call, sampled

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
    """One torch operator's own time over the clip."""

    name: str
    calls: int
    seconds: float


@dataclass(frozen=True)
class Profile:
    """The profile of a method on one clip of ``frames`` frames.

    ``parts`` and ``operators`` are empty where the method uses no torch network.
    """

    frames: int
    seconds: float
    parts: tuple[Part, ...]
    operators: tuple[Operator, ...]
    flame: Call

    @property
    def flop(self) -> int:
        """The operations of the whole clip, as torch counts them."""
        return sum(part.flop for part in self.parts)


def profile(method: Method, holed: Holed, device: str, name: str) -> Profile:
    """Fill the clip for a warm-up, plainly, sampled, with hooks, counted by torch, and with torch's profiler.

    Each time pays for one way of looking only, so that neither the ``seconds`` of the plain one nor the shares of the
    others contain the cost of another.
    """
    network = network_of(method)

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
        return Profile(len(holed.frames), seconds, (), (), flame)
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
    return Profile(len(holed.frames), seconds, tuple(parts), operators, flame)


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
