"""Where a method's time goes: by part of its network, with FLOP, by torch operator, and by Python function."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibench.clip import Holed
from vibench.data.probe import Probe
from vibench.errors import naming
from vibench.files import disk_errors, replacing, slug, write_atomically
from vibench.machine.device import resolve
from vibench.machine.host import Host, hosted, method_failures
from vibench.machine.processes import exit_on_termination
from vibench.plugins import Spec
from vibench.speed import passes
from vibench.speed.flame import Call, draw

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
    time_limit_seconds: float | None = None,
    in_process: bool = False,
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
        time_limit_seconds: the longest time that filling the clip may take, which it is some six times.
        in_process: let the method work in this process instead of one of its own, for a debugger.

    Raises:
        InputError: where the method has no such name or option or cannot be made, the device is not there, or
            ``output`` cannot be written.
        MethodFailed: where the method raises, dies, takes too long or gives back something else than frames.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # torch's profiler else tells that there is no GPU
    spec, where = Spec.parse(method), resolve(device)
    holed = Probe.make(*size, frames).cases[0].holed()
    with exit_on_termination(), naming(spec.label), hosted(spec, where, threads, in_process=in_process) as host:
        found = profile(host, holed, spec.label, time_limit_seconds)
    if output is not None:
        folder, stem = Path(output), slug(spec.label)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(folder / f"{stem}.svg") as partial:
                draw(found.flame, partial)
            write_atomically(folder / f"{stem}.stacks.txt", ("\n".join(found.flame.collapsed()) + "\n").encode())
    return found


def profile(host: Host, holed: Holed, name: str, limit_seconds: float | None = None) -> Profile:
    """Fill the clip for a warm-up, plainly, sampled, with hooks and counted by torch, and with torch's profiler.

    Each time pays for one way of looking only, so that neither the ``seconds`` of the plain one nor the shares of the
    others contain the cost of another.
    """
    with method_failures():
        host.hold(holed)

        def ask(work: Any, **arguments: Any) -> dict[str, Any]:
            return host.job(work, limit_seconds, **arguments)

        ask(passes.repeated, seconds=0.0)
        plain = ask(passes.repeated, seconds=0.0)
        flame = Call.read(name, ask(passes.flame, name=name)["stacks"])
        looked = ask(passes.parts)
        operators = () if looked["parts"] is None else ask(passes.operators, most=OPERATORS)["operators"]
    frames, height, width = holed.masks.shape
    return Profile(
        name, width, height, frames, plain["ended"] - plain["began"], _parts(looked),
        tuple(Operator(*row) for row in operators), flame,
    )  # fmt: skip


def _parts(looked: dict[str, Any]) -> tuple[Part, ...]:
    """The parts of a network, the longest first, and what is outside of them; none where there is no network."""
    if looked["parts"] is None:
        return ()
    parts = [Part(*row) for row in looked["parts"]]
    rest = max(0.0, looked["seconds"] - sum(part.seconds for part in parts))
    parts.append(Part(REST, 1, rest, max(0, looked["flop"] - sum(part.flop for part in parts))))
    return tuple(sorted(parts, key=lambda part: -part.seconds))
