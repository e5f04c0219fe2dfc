"""A whole video through the network, frame by frame, in memory that does not grow with the video."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vinet.dis import HoledGrey, dis_flow, holed_grey
from vinet.errors import VINetError
from vinet.network.encoder import Features
from vinet.network.memory import State
from vinet.network.pixels import Neighbours
from vinet.network.vinet import Previous, Step, VINet, beside

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
    """Arithmetic of the convolutions; other than float32 only on CUDA."""
    compile: bool = False
    """Run `torch.compile` on what lies behind the encoders."""
    cuda_graphs: bool = False
    """Replay CUDA graphs of the compiled part."""
    winograd: bool = True
    """On a CPU, wide convolutions by Winograd's minimal filtering: half the time, equal to rounding. Not with
    `compile`."""


class Known(NamedTuple):
    """A frame that has been read: everything about it that does not depend on which frame is being filled."""

    image: Tensor  # (1, 3, H, W) in the network's range and channel order, padded, holes at 0
    mask: Tensor  # (1, 1, H, W)
    features: Features  # as a source
    size: tuple[int, int]  # before padding
    grey: HoledGrey | None  # for flow from outside, where the network wants it


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
        if self.settings.winograd and wide and self.device.type == "cpu" and not self.settings.compile:
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
        if self.settings.compile or self.settings.cuda_graphs:
            mode = "reduce-overhead" if self.settings.cuda_graphs else "default"
            self._fill = torch.compile(self.network.fill, mode=mode)

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Filled frames in order, each as soon as the frames that its neighbours need have been read."""
        return (filled.frame for filled in self.steps(frames, masks))

    def steps(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Filled]:
        """The same, with everything that the network computed on the way."""
        pairs = zip(frames, masks, strict=True)
        start = list(islice(pairs, self.settings.warm_up))
        everything = chain(reversed(start), start, pairs)
        return islice(self._run(everything), len(start), None)

    def _run(self, pairs: Iterator[tuple[Frame, Mask]]) -> Iterator[Filled]:
        window: deque[Known] = deque()
        first = 0  # index of window[0]
        before: Known | None = None
        previous: Previous | None = None
        memory: State | None = None
        now = 0
        while True:
            while first + len(window) <= now + self.config.lookahead and (pair := next(pairs, None)) is not None:
                window.append(self._read(*pair, like=window[-1] if window else None))
            known = first + len(window)
            if now == known:
                return
            # Fewer frames than the look-ahead asks for: the end is known, and what is reflected there is in the window.
            nearby = [window[reflect(now + offset, known) - first] for offset in self.config.neighbour_offsets]
            current = window[now - first]
            step = self._step(current, nearby, before, previous, memory)
            yield Filled(self._to_frame(step.output, current.size), step)
            before = current
            previous = None
            if self.settings.recurrence:
                with torch.inference_mode():
                    previous = self.network.feed_back(current.image, current.mask, step.output)
            memory = step.memory if self.settings.memory else None
            now += 1
            while first < now - self.config.lookahead:
                window.popleft()
                first += 1

    @torch.inference_mode()
    def _read(self, frame: Frame, mask: Mask, like: Known | None) -> Known:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or mask.shape != frame.shape[:2]:
            raise ValueError(f"a frame is uint8 (H, W, 3) with a mask (H, W), not {frame.shape} with {mask.shape}")
        height, width = mask.shape
        if like is not None and like.size != (height, width):
            raise ValueError(f"all frames of a video have one size, {like.size}, got {(height, width)}")
        hole = torch.from_numpy(np.ascontiguousarray(mask)).to(self.device)[None, None].float()
        colours = torch.from_numpy(np.ascontiguousarray(frame)).to(self.device).permute(2, 0, 1)[None]
        if self.config.channel_order == "bgr":
            colours = colours.flip(1)
        image = self._padded((colours / 127.5 - 1) * (1 - hole)).contiguous(memory_format=torch.channels_last)
        hole = self._padded(hole)
        with self._precision():
            features = _channels_last(self.network.encode_source(image, hole))
        if not self.config.shared_encoder:  # nobody looks at a neighbour at full scale, and that is half the memory
            features = features._replace(full=features.full[..., :0, :0].clone())
        grey = holed_grey(frame, mask) if self.config.given_flow else None
        return Known(image, hole, features, (height, width), grey)

    @torch.inference_mode()
    def _step(
        self, now: Known, nearby: list[Known], before: Known | None, previous: Previous | None, memory: State | None
    ) -> Step:
        with self._precision():
            # With one encoder for everything, the reference was encoded when its frame was read.
            shared = self.config.shared_encoder
            reference = now.features if shared else _channels_last(self.network.encode_reference(now.image, now.mask))
            sources = [known.features for known in nearby]
            if self.config.recurrence:
                sources.append(_channels_last(self.network.encode_previous(now.image, now.mask, previous)))
            around = _planes(nearby) if self.config.pixel_composition else None
            flows = self._outside_flows(now, nearby, before) if self.config.given_flow else None
            return self._fill(now.image, now.mask, reference, beside(sources, 1), around, previous, memory, flows)

    def _outside_flows(self, now: Known, nearby: list[Known], before: Known | None) -> Tensor:
        """Flow to every source, (1, S, 2, H, W), padded as the images are; no motion where there is no frame before."""
        targets = [*nearby, before or now] if self.config.recurrence else nearby
        flows = [dis_flow(_grey(now), _grey(target)) for target in targets]
        planes = torch.from_numpy(np.stack(flows)).to(self.device).permute(0, 3, 1, 2)
        return self._padded(planes)[None]

    def _precision(self) -> AbstractContextManager[object]:
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.settings.precision))

    def _padded(self, planes: Tensor) -> Tensor:
        """Right and bottom repeated up to the next multiple; at least two of them, which instance norm needs."""
        multiple = self.config.size_multiple
        height, width = planes.shape[-2:]
        bottom, right = (max(-size % multiple, 2 * multiple - size) for size in (height, width))
        return functional.pad(planes, (0, right, 0, bottom), mode="replicate") if bottom or right else planes

    def _to_frame(self, output: Tensor, size: tuple[int, int]) -> Frame:
        colours = output[0, :, : size[0], : size[1]].float()
        if self.config.channel_order == "bgr":
            colours = colours.flip(0)
        levels = ((colours + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        frame: Frame = levels.permute(1, 2, 0).contiguous().cpu().numpy()
        return frame


def _channels_last(features: Features) -> Features:
    return features.each(lambda scale: scale.contiguous(memory_format=torch.channels_last))


def _planes(nearby: list[Known]) -> Neighbours:
    return Neighbours(
        torch.stack([known.image for known in nearby], dim=1), torch.stack([known.mask for known in nearby], dim=1)
    )


def _grey(known: Known) -> HoledGrey:
    if known.grey is None:
        raise ValueError("this frame was read for a network that estimates flow itself")
    return known.grey


def _check(settings: Settings, device: torch.device) -> None:
    """Raise VINetError for settings that this device cannot honour."""
    if settings.warm_up < 0:
        raise VINetError(f"warm_up is a number of frames, at least 0, not {settings.warm_up}")
    if settings.precision not in ("float32", "bfloat16", "float16"):
        raise VINetError(f"precision is float32, bfloat16 or float16, not {settings.precision!r}")
    if device.type != "cuda" and (settings.precision != "float32" or settings.cuda_graphs):
        raise VINetError(f"precision={settings.precision} and cuda_graphs need a CUDA device, not {device.type!r}")
