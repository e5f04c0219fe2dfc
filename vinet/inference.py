"""A whole video through the network, frame by frame, in memory that does not grow with the video."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vinet.dis import HoledGrey, dis_flow, holed_grey
from vinet.errors import VINetError
from vinet.kernels import HAS_NUMBA
from vinet.network.encoder import Features
from vinet.network.flow import enlarge_flow
from vinet.network.memory import State
from vinet.network.pixels import Neighbours
from vinet.network.vinet import Previous, Step, VINet, beside

T = TypeVar("T")
END: Any = object()
"""What a sequence gives after its last item."""
Frame = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Mask = NDArray[np.bool_]
"""(H, W), True = hole."""
Precision = Literal["float32", "bfloat16", "float16"]
WIDE = 64
"""Channels at 1/8 from which `Settings.winograd` makes a network faster."""


@dataclass(frozen=True)
class Settings:
    """How the network is run; every one of them can change the numbers that come out, so all are recorded."""

    recurrence: bool = True
    """Feed the previous output back; without it every frame is treated as the first."""
    memory: bool = True
    """Carry the ConvLSTM's state; the released inference resets it at every frame."""
    warm_up: int = 0
    """Frames from the start that are first run in reverse; the published demo took 30."""
    precision: Precision = "float32"
    """Arithmetic of the convolutions; float16 only on CUDA."""
    compile: bool = False
    """Run `torch.compile` on what lies behind the encoders."""
    cuda_graphs: bool = False
    """Replay CUDA graphs of the compiled part."""
    winograd: bool = True
    """On a CPU, wide convolutions by Winograd's minimal filtering: half the time, equal to rounding. Not with
    `compile`."""


class Seen(NamedTuple):
    """A frame as the network sees it."""

    image: Tensor  # (1, 3, H, W) in the network's range and channel order, padded, holes at 0
    mask: Tensor  # (1, 1, H, W)
    size: tuple[int, int]  # before padding
    grey: HoledGrey | None  # for flow from outside, where the network wants it


class Known(NamedTuple):
    """A frame that has been read: everything about it that does not depend on which frame is being filled."""

    seen: Seen
    features: Features  # as a source


class Filled(NamedTuple):
    """A filled frame and how it came about."""

    frame: Frame
    step: Step


def reflect(index: int, length: int) -> int:
    """`index` brought into 0..length - 1 by reflection at both ends, as often as it takes."""
    if length == 1:
        return 0
    index %= 2 * (length - 1)
    return min(index, 2 * (length - 1) - index)


def neighbourhoods(items: Iterable[T], offsets: tuple[int, ...]) -> Iterator[tuple[T, list[T]]]:
    """Each item of a sequence with those at `offsets` from it, as soon as the farthest has come; the ends reflect."""
    window: deque[T] = deque()
    coming, ahead = iter(items), max(0, *offsets, 0)
    first = 0  # index of window[0]
    for now in count():
        while first + len(window) <= now + ahead and (item := next(coming, END)) is not END:
            window.append(item)
        known = first + len(window)
        if now == known:
            return
        # Fewer items than are looked ahead to: the end is known, and what is reflected there is in the window.
        yield window[now - first], [window[reflect(now + offset, known) - first] for offset in offsets]
        while first <= now - ahead:
            window.popleft()
            first += 1


class Inpainter:
    """A network on a device, ready for any number of videos."""

    def __init__(self, network: VINet, device: torch.device | str = "cpu", settings: Settings | None = None) -> None:
        self.device = torch.device(device)
        self.settings = settings or Settings()
        _check(self.settings, self.device)
        self.config = network.config
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.winograd_layers = 0
        """Convolutions that are computed by `vinet.winograd`."""
        exact: tuple[str, ...] = ()
        wide = self.config.channels[-1] >= WIDE
        if HAS_NUMBA and self.settings.winograd and wide and self.device.type == "cpu" and not self.settings.compile:
            from vinet.winograd import (  # numba takes its time, and narrow networks have no use for it
                EXACT,
                accelerate,
            )

            self.winograd_layers, exact = accelerate(self.network), EXACT
        for name, kernel in self.network.named_parameters():
            # Fastest with channels last, but oneDNN then rounds twice as much.
            if kernel.dim() == 4 and name.partition(".")[0] not in exact:
                kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)
        self._fill: Callable[..., Step] = self.network.fill
        if self.settings.cuda_graphs:
            self._fill = lasting(torch.compile(self.network.fill, mode="reduce-overhead"))
        elif self.settings.compile:
            self._fill = torch.compile(self.network.fill)

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Filled frames in order, each as soon as the frames that its neighbours need have been read."""
        return (filled.frame for filled in self.steps(frames, masks))

    def steps(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Filled]:
        """The same, with everything that the network computed on the way."""
        pairs = zip(frames, masks, strict=True)
        start = list(islice(pairs, self.settings.warm_up))
        everything = chain(reversed(start), start, pairs)
        return islice(self.run(everything), len(start), None)

    def run(self, pairs: Iterator[tuple[Frame, Mask]]) -> Iterator[Filled]:
        """Steps over frames and their masks just as they come, without a warm-up."""
        before: Known | None = None
        previous: Previous | None = None
        memory: State | None = None
        for current, nearby in neighbourhoods(self._read_all(pairs), self.config.neighbour_offsets):
            step = self._step(current, nearby, before, previous, memory)
            yield Filled(self.to_frame(step.output, current.seen.size), step)
            before = current
            previous = None
            if self.settings.recurrence:
                with torch.inference_mode():
                    previous = self.network.feed_back(current.seen.image, current.seen.mask, step.output)
            memory = step.memory if self.settings.memory else None

    def _read_all(self, pairs: Iterator[tuple[Frame, Mask]]) -> Iterator[Known]:
        size: tuple[int, int] | None = None
        for frame, mask in pairs:
            if size not in (None, mask.shape):
                raise ValueError(f"all frames of a video have one size, {size}, got {mask.shape}")
            size = mask.shape
            yield self._read(frame, mask)

    @torch.inference_mode()
    def look(self, frame: Frame, mask: Mask) -> Seen:
        """A frame for the network, holes at 0 whatever they hold."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or mask.shape != frame.shape[:2]:
            raise ValueError(f"a frame is uint8 (H, W, 3) with a mask (H, W), not {frame.shape} with {mask.shape}")
        hole = torch.from_numpy(np.ascontiguousarray(mask)).to(self.device)[None, None].float()
        colours = torch.from_numpy(np.ascontiguousarray(frame)).to(self.device).permute(2, 0, 1)[None]
        if self.config.channel_order == "bgr":
            colours = colours.flip(1)
        image = self.padded((colours / 127.5 - 1) * (1 - hole)).contiguous(memory_format=torch.channels_last)
        grey = holed_grey(frame, mask) if self.config.given_flow else None
        return Seen(image, self.padded(hole), mask.shape, grey)

    @torch.inference_mode()
    def _read(self, frame: Frame, mask: Mask) -> Known:
        seen = self.look(frame, mask)
        with self.precision():
            features = _channels_last(self.network.encode_source(seen.image, seen.mask))
        if not self.config.shared_encoder:  # nobody looks at a neighbour at full scale, and that is half the memory
            features = features._replace(full=features.full[..., :0, :0].clone())
        return Known(seen, features)

    @torch.inference_mode()
    def _step(
        self, now: Known, nearby: list[Known], before: Known | None, previous: Previous | None, memory: State | None
    ) -> Step:
        with self.precision():
            # With one encoder for everything, the reference was encoded when its frame was read.
            shared = self.config.shared_encoder
            image, mask = now.seen.image, now.seen.mask
            reference = now.features if shared else _channels_last(self.network.encode_reference(image, mask))
            sources = [known.features for known in nearby]
            if self.config.recurrence:
                sources.append(_channels_last(self.network.encode_previous(image, mask, previous)))
            around = planes([known.seen for known in nearby]) if self.config.pixel_composition else None
            # There is no motion where there is no frame before.
            targets = [*nearby, before or now] if self.config.recurrence else nearby
            flows = self._outside_flows(now.seen, [known.seen for known in targets]) if self.config.given_flow else None
            return self._fill(image, mask, reference, beside(sources, 1), around, previous, memory, flows)

    def flows(self, now: Seen, targets: list[Seen]) -> Tensor:
        """Flow from a frame to others, (1, S, 2, H, W), padded as the images are: DIS's or the network's own."""
        if self.config.given_flow:
            return self._outside_flows(now, targets)
        reference, *sources = (self.network.encode_source(seen.image, seen.mask) for seen in (now, *targets))
        half = self.network.estimate_flows(reference, beside(sources, 1)).half
        return enlarge_flow(half, 4 if self.config.double else 2)[None]

    def _outside_flows(self, now: Seen, targets: list[Seen]) -> Tensor:
        flows = [dis_flow(_grey(now), _grey(target)) for target in targets]
        return self.padded(torch.from_numpy(np.stack(flows)).to(self.device).permute(0, 3, 1, 2))[None]

    def precision(self) -> AbstractContextManager[object]:
        """The arithmetic that the settings ask for, as a context."""
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.settings.precision))

    def padded(self, planes: Tensor) -> Tensor:
        """Right and bottom repeated up to the next multiple; at least two of them, which instance norm needs."""
        multiple = self.config.size_multiple
        height, width = planes.shape[-2:]
        bottom, right = (max(-size % multiple, 2 * multiple - size) for size in (height, width))
        return functional.pad(planes, (0, right, 0, bottom), mode="replicate") if bottom or right else planes

    def to_frame(self, output: Tensor, size: tuple[int, int]) -> Frame:
        """An output (1, 3, H, W) as a frame of the size before padding."""
        colours = output[0, :, : size[0], : size[1]].float()
        if self.config.channel_order == "bgr":
            colours = colours.flip(0)
        levels = ((colours + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        frame: Frame = levels.permute(1, 2, 0).contiguous().cpu().numpy()
        return frame


def lasting(replayed: Callable[..., Step]) -> Callable[..., Step]:
    """The same, with what the next step needs copied: a CUDA graph writes every result over the last one."""

    def fill(*arguments: Any) -> Step:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        step = replayed(*arguments)
        memory = None if step.memory is None else State(*(part.clone() for part in step.memory))
        return replace(step, output=step.output.clone(), memory=memory)

    return fill


def _channels_last(features: Features) -> Features:
    return features.each(lambda scale: scale.contiguous(memory_format=torch.channels_last))


def planes(nearby: list[Seen]) -> Neighbours:
    """Frames as pixel sources of one item."""
    images, masks = ([seen.image for seen in nearby], [seen.mask for seen in nearby])
    return Neighbours(torch.stack(images, dim=1), torch.stack(masks, dim=1))


def _grey(seen: Seen) -> HoledGrey:
    if seen.grey is None:
        raise ValueError("this frame was read for a network that estimates flow itself")
    return seen.grey


def _check(settings: Settings, device: torch.device) -> None:
    """Raise VINetError for settings that this device cannot honour."""
    if settings.warm_up < 0:
        raise VINetError(f"warm_up is a number of frames, at least 0, not {settings.warm_up}")
    if settings.precision not in ("float32", "bfloat16", "float16"):
        raise VINetError(f"precision is float32, bfloat16 or float16, not {settings.precision!r}")
    if device.type != "cuda" and (settings.precision == "float16" or settings.cuda_graphs):
        raise VINetError(f"cuda_graphs and precision=float16 need CUDA, not the device {device.type!r}")
