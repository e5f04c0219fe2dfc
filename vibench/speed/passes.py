"""What is measured beside a method in its own process: fills for so many seconds, operations, and where time goes.

``vibench.machine.worker`` runs these functions beside the method, whose Python and ``vibench`` may be others. So
nothing but the standard library, and torch where the method uses it, is imported, and what lies in this ``vibench`` is
named relatively. Each pass pays for one way of looking only, so that none contains the cost of another.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..machine import call
from .flame import sampled

if TYPE_CHECKING:
    from torch import nn

SEARCH_DEPTH = 3


def repeated(held: call.Held, seconds: float) -> dict[str, Any]:
    """Fill the clip once, and again until ``seconds`` have passed.

    The answer has the ``fills``, and when they ``began`` and ``ended`` on a clock that all processes share.
    """
    began, fills = time.monotonic(), 0
    while fills == 0 or time.monotonic() - began < seconds:
        _fill(held)
        fills += 1
    return {"fills": fills, "began": began, "ended": time.monotonic()}


def operations(held: call.Held) -> dict[str, Any]:
    """``flop``: how many operations torch counts while the clip is filled; 0 where the method does not use torch."""
    if "torch" not in sys.modules:
        return {"flop": 0}
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        _fill(held)
    return {"flop": int(counter.get_total_flops())}


def flame(held: call.Held, name: str) -> dict[str, Any]:
    """``stacks``: where the method was, as ``Call.collapsed`` writes it."""
    with sampled(name) as root:
        _fill(held)
    return {"stacks": list(root.collapsed())}


def parts(held: call.Held) -> dict[str, Any]:
    """The ``seconds`` of a fill, and of each direct part of the network the calls, seconds and operations.

    ``parts`` is None where the method has no network; ``flop`` counts the operations of the whole fill.
    """
    network = network_of(held.method)
    if network is None:
        return {"parts": None}
    with timed_parts(network, held.device) as times:
        began = time.perf_counter()
        _fill(held)
        seconds = time.perf_counter() - began
    flop = counted_parts(network, lambda: _fill(held))
    rows = [[name, calls, spent, flop.get(name, 0)] for name, (calls, spent) in times.items() if calls]
    return {"parts": rows, "seconds": seconds, "flop": flop["Global"]}


def operators(held: call.Held, most: int) -> dict[str, Any]:
    """``operators``: name, calls and seconds of its own, of the ``most`` torch operators that took longest."""
    import torch
    from torch.profiler import ProfilerActivity

    on_device = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_device else [])
    with torch.profiler.profile(activities=activities) as recorded:
        _fill(held)
    found = [
        [str(row.key), int(row.count), (row.self_device_time_total if on_device else row.self_cpu_time_total) / 1e6]
        for row in recorded.key_averages()
    ]
    return {"operators": sorted(found, key=lambda row: -row[2])[:most]}


def _fill(held: call.Held) -> None:
    call.answered(held.method, held.clip, "round", held.device)


def network_of(method: object, depth: int = SEARCH_DEPTH) -> nn.Module | None:
    """The network with most parameters that a method holds in its attributes; None where there is none."""
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
            call.synchronise(device)
            starts[name] = time.perf_counter()

        return hook

    def after(name: str) -> Any:
        def hook(*_: object) -> None:
            call.synchronise(device)
            calls, seconds = times[name]
            times[name] = calls + 1, seconds + time.perf_counter() - starts[name]

        return hook

    with _hooked(network, before, after):
        yield times


def counted_parts(network: nn.Module, fill: Callable[[], None]) -> dict[str, int]:
    """The operations of every direct part of ``network`` while it fills; ``Global`` is the whole."""
    from torch.utils.flop_counter import FlopCounterMode

    counts: dict[str, int] = {}
    counter = FlopCounterMode(display=False)
    before: dict[str, int] = {}

    def enter(name: str) -> Any:
        return lambda *_: before.__setitem__(name, counter.get_total_flops())

    def leave(name: str) -> Any:
        return lambda *_: counts.__setitem__(name, counts.get(name, 0) + counter.get_total_flops() - before[name])

    with _hooked(network, enter, leave), counter:
        fill()
    return {**counts, "Global": counter.get_total_flops()}


@contextmanager
def _hooked(network: nn.Module, enter: Callable[[str], Any], leave: Callable[[str], Any]) -> Iterator[None]:
    """Let what ``enter`` and ``leave`` give for a part's name be called around each of its calls in the block."""
    hooks = []
    for name, part in network.named_children():
        hooks += [part.register_forward_pre_hook(enter(name)), part.register_forward_hook(leave(name))]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
