"""Where a method works: in a process of its own, or, for a debugger, in this one. Both are asked in the same words."""

from __future__ import annotations

import traceback
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from itertools import tee
from typing import Any, Self

from vibench import plugins
from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import MethodFailed, UserError, one_line
from vibench.machine import call
from vibench.machine.child import Child, supervised
from vibench.machine.timing import time_limit
from vibench.machine.worker import described
from vibench.machine.worker_process import ChildFailed
from vibench.method import Method
from vibench.plugins import Spec

__all__ = ["Child", "ChildFailed", "Here", "Host", "hosted", "method_failures"]

_END: Any = object()


class Host(typing.Protocol):
    """A method that can be asked to fill; ``Child`` says what is given and what comes back."""

    @property
    def described(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def streams(self) -> bool: ...  # noqa: D102
    def fill(  # noqa: D102
        self,
        holed: Holed,
        *,
        seed: int = 0,
        how: str = "round",
        timed: bool = True,
        limit_seconds: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Frames, dict[str, Any] | None]: ...
    def stream(  # noqa: D102
        self,
        pairs: Iterator[tuple[Frame, Mask]],
        height: int,
        width: int,
        *,
        seed: int = 0,
        how: str = "round",
        limit_seconds: float | None = None,
    ) -> Iterator[Frame]: ...
    def hold(self, holed: Holed) -> None: ...  # noqa: D102
    def job(  # noqa: D102
        self, function: Callable[..., dict[str, Any]], limit_seconds: float | None = None, **arguments: Any
    ) -> dict[str, Any]: ...
    def close(self) -> None: ...  # noqa: D102
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Here:
    """A method in this process: what it raises comes out as it is, and it is ended where it comes back to Python."""

    def __init__(self, method: Method, device: str = "cpu") -> None:
        self.method, self.device = method, device
        self.described = described(method)
        self.streams = call.flows(method)
        self._clip: Holed | None = None

    def fill(
        self,
        holed: Holed,
        *,
        seed: int = 0,
        how: str = "round",
        timed: bool = True,
        limit_seconds: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Frames, dict[str, Any] | None]:
        """Fill a clip: uint8 frames (T, H, W, 3), and the fields of a Timing."""
        call.seed_everything(seed)
        with chdir("."), time_limit(limit_seconds):  # a method that changes the folder moves no result
            if not timed:
                return call.answered(self.method, holed, how, self.device), None
            return call.filled(self.method, holed, how, self.device, seed, progress)

    def stream(
        self,
        pairs: Iterator[tuple[Frame, Mask]],
        height: int,
        width: int,
        *,
        seed: int = 0,
        how: str = "round",
        limit_seconds: float | None = None,
    ) -> Iterator[Frame]:
        """Fill a video frame by frame, uint8 (H, W, 3); what is read of ``pairs`` is what the method asks for."""
        call.seed_everything(seed)
        # tee holds only what one side has read ahead of the other: the method's look-ahead.
        left, right = tee((frame.copy(), mask.copy()) for frame, mask in pairs)
        frames, masks = (frame for frame, _ in left), (mask for _, mask in right)
        given = call.streamed(self.method, frames, masks, (height, width, 3), how, self.device)
        while True:
            with chdir("."), time_limit(limit_seconds):
                frame = next(given, _END)
            if frame is _END:
                return
            yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hold(self, holed: Holed) -> None:
        """Keep a clip for the jobs to come."""
        self._clip = holed

    def job(
        self, function: Callable[..., dict[str, Any]], limit_seconds: float | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Call a function of vibench with the method, the clip that ``hold`` gave, and ``arguments``."""
        with chdir("."), time_limit(limit_seconds):
            return function(call.Held(self.method, self._clip, self.device), **arguments)

    def close(self) -> None:
        """There is nothing to be ended."""


class HostFactory(typing.Protocol):
    """A factory that says itself where its method works, such as a program that is run for each clip."""

    def host(self, options: Mapping[str, Any], device: str, threads: int) -> Host: ...


def hosted(spec: Spec, device: str, threads: int = 0, *, in_process: bool = False) -> Host:
    """A named method in a process of its own, or in this one where that is asked for or no other could import it.

    ``threads`` is how many its libraries get there (0: as they like). InputError or MissingResource where it cannot be
    made.
    """
    given = plugins.registered("methods", spec.name)
    if given is not None and hasattr(given, "host"):
        build, options = plugins.arguments("methods", spec)
        host: Host = typing.cast(HostFactory, build).host(options, device, threads)
        return host
    if in_process or plugins.target("methods", spec.name).partition(":")[0] == "__main__":
        return Here(plugins.make("methods", spec, device=device), device)
    return supervised(spec, device, threads)


@contextmanager
def method_failures() -> Iterator[None]:
    """Turn whatever a method does in the block into MethodFailed; what is wrong with our own files stays as it is."""
    try:
        yield
    except ChildFailed as failed:
        raise MethodFailed(one_line(failed.message, 500), failed.traceback) from failed
    except (UserError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        words = [type(error).__name__, *str(error).splitlines()[:1]]
        raise MethodFailed(one_line(": ".join(words), 500), traceback.format_exc()) from error
