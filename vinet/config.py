"""What a VINet is made of: sizes, the paper's ablations and the compact network's departures, as one frozen record."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Self

ChannelOrder = Literal["bgr", "rgb"]


@dataclass(frozen=True)
class VINetConfig:
    """The architecture; the defaults are the network that the paper's authors released (CVPR 2019, arXiv 1905.01639).

    Images are float32 in [-1, 1] with holes multiplied to 0, masks 1 in the hole, for every configuration.
    """

    channels: tuple[int, int, int, int] = (32, 64, 96, 128)
    """Feature channels at 1/1, 1/2, 1/4 and 1/8 of the image (of half the image in double mode)."""
    head_channels: tuple[int, ...] = (128, 128, 96, 64, 32)
    """Hidden channels of a flow head's first estimate."""
    context_channels: tuple[int, ...] = (128, 128, 128, 96, 64, 32)
    """Hidden channels of a flow head's dilated refinement, at dilations 1, 2, 4, 8, 16, 1."""
    channel_order: ChannelOrder = "bgr"
    """Order of the colour channels inside the network: the released weights were trained on OpenCV's images."""

    neighbours: int = 4
    """Input frames beside the current one: half of them earlier, the rest later."""
    stride: int = 3
    """Frames between one neighbour and the next."""
    recurrence: bool = True
    """The previous output is one more source and is blended into the new one (eq. 6)."""
    memory: bool = True
    """A ConvLSTM stands between bottleneck and decoder."""
    flow_warping: bool = True
    """Sources are aligned by estimated flow; without it they are used where they are."""
    feature_composition: bool = True
    """A learned mask composes reference and aggregate (eqs. 3 to 5); without it the aggregate is used alone."""
    double: bool = False
    """The encoder halves the image at its first layer and the decoder doubles it: the 512 px network."""

    shared_encoder: bool = False
    """One encoder for reference and sources: features that are to be matched are the same function of the pixels."""
    flow_encoder: bool = False
    """The flow heads have an encoder of their own: they can be trained around a body that stays as it is."""
    normalised_correlation: bool = False
    """Features instance-normalised before the cost volume: products of raw ReLU features taught the heads nothing."""
    soft_argmax: bool = False
    """Soft-argmax of the cost volume as the coarsest estimate: the head starts from a match, not from zero."""
    pixel_composition: bool = False
    """Compose pixels of the neighbours and of the previous output at 1/1, which then replaces eq. 6 and is fed back
    with true pixels around its holes: nothing else carries full-resolution detail into a hole."""
    smooth_composition: bool = False
    """Compose the decoder's image with a smooth continuation of the frame's known pixels: the compact network does not
    learn to carry colours across a hole of a hundred pixels."""
    given_flow: bool = False
    """Flow comes from outside and there are no flow heads: they are three quarters of the cost."""

    def __post_init__(self) -> None:
        if len(self.context_channels) != 6:
            raise ValueError(f"context_channels names six layers, got {self.context_channels}")
        if not self.head_channels or min(self.channels + self.head_channels + self.context_channels) < 2:
            raise ValueError("every layer needs at least two channels")
        if self.neighbours < 0 or self.stride < 1:
            raise ValueError(
                f"neighbours must be at least 0 and stride at least 1, got {self.neighbours}, {self.stride}"
            )
        if self.sources == 0:
            raise ValueError("a network without neighbours and without recurrence has no source to fill holes from")
        if self.pixel_composition and self.neighbours == 0:
            raise ValueError("pixel_composition needs at least one neighbour")
        if self.given_flow and not self.flow_warping:
            raise ValueError("given_flow without flow_warping: the flow would never be used")
        if self.flow_encoder and not self.has_flow_heads:
            raise ValueError("flow_encoder needs flow heads: it goes with flow_warping and without given_flow")
        if self.channel_order not in ("bgr", "rgb"):
            raise ValueError(f"channel_order is 'bgr' or 'rgb', got {self.channel_order!r}")

    @classmethod
    def published(cls, **switches: Any) -> Self:
        """The released network: 14,115,364 parameters in 166 tensors; `switches` change single fields."""
        return cls(**switches)

    @classmethod
    def compact(cls, width: float = 0.25, **switches: Any) -> Self:
        """A network of `width` times the channels, with the departures that make it trainable in hours."""
        departures: dict[str, Any] = dict.fromkeys(
            ("shared_encoder", "normalised_correlation", "soft_argmax", "pixel_composition"), True
        )
        published = cls()
        scaled = {
            field: tuple(max(2, round(width * channels)) for channels in getattr(published, field))
            for field in ("channels", "head_channels", "context_channels")
        }
        return cls(**{**departures, **scaled, "channel_order": "rgb", **switches})

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; raises ValueError for a field or a value that this version does not know."""
        known = {field.name: field.default for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for name, value in fields.items():
            if name not in known:
                raise ValueError(f"unknown field {name!r} in a VINet configuration")
            value = tuple(value) if isinstance(value, list) else value
            numbers = value if isinstance(value, tuple) else ()
            if type(value) is not type(known[name]) or any(type(number) is not int for number in numbers):
                raise ValueError(f"field {name!r} of a VINet configuration cannot be {value!r}")
            values[name] = value
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON knows it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @property
    def sources(self) -> int:
        """Feature maps that are aggregated: the neighbours, then the previous output."""
        return self.neighbours + self.recurrence

    @property
    def neighbour_offsets(self) -> tuple[int, ...]:
        """Frames from the current one to each neighbour, in time order: (-6, -3, 3, 6) as published."""
        before = self.neighbours // 2  # a single neighbour lies ahead: the past arrives through the previous output
        after = self.neighbours - before
        steps = [*range(-before, 0), *range(1, after + 1)]
        return tuple(self.stride * step for step in steps)

    @property
    def lookahead(self) -> int:
        """Frames after the current one that must be known before it can be filled."""
        return max(0, *self.neighbour_offsets) if self.neighbours else 0

    @property
    def size_multiple(self) -> int:
        """Height and width in pixels that the network takes are multiples of this."""
        return 16 if self.double else 8

    @property
    def has_flow_heads(self) -> bool:
        """Whether flow is estimated inside."""
        return self.flow_warping and not self.given_flow
