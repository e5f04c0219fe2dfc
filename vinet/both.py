"""A whole clip filled in both directions of time: two passes of the network, merged with pixels followed along flow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vinet import weights
from vinet.errors import MissingWeights, VINetError
from vinet.inference import Frame, Mask
from vinet.large import Pyramid
from vinet.network.merge import LONG, Fills, Merge
from vinet.propagation import NEVER, Frames, Masks, Origin, filled_frame, followed, sampled

Directions = Literal["forward", "both"]
BUNDLED = Path(__file__).parent / "bundled" / "merge.safetensors"
MARGIN_PX = 8
"""What the scores of a hole's pixels look at around it."""
BEGAN: tuple[Literal["first", "last", "nearer"], ...] = ("last", "first", "first", "last", "nearer")
"""The end of the clip that each source's way began at: the passes backward and forward, the pixels from the past and
from the future, and the two of these together, with what no frame shows filled from around it."""


class Passes(NamedTuple):
    """A clip filled twice; [0] backward from its last frame, [1] forward, going on where the first had ended."""

    frames: NDArray[np.uint8]  # (2, T, H, W, 3) RGB
    copied: NDArray[np.uint8]  # (2, T, H, W), the share of other frames' pixels, 255 = all


class Sources(NamedTuple):
    """Everything that a clip's holes can be filled from, S colours for every pixel of every frame."""

    colours: NDArray[np.uint8]  # (S, T, H, W, 3) RGB
    age: NDArray[np.uint8]  # (S, T, H, W), see `Fills`, as for the others
    known: NDArray[np.bool_]  # (S, T, H, W)
    copied: NDArray[np.uint8]  # (S, T, H, W), 255 = 1


class Propagated(NamedTuple):
    """A clip whose hole pixels are what one way through it shows."""

    colours: Frames
    age: NDArray[np.uint8]  # (T, H, W)
    known: Masks


@dataclass(frozen=True)
class Merging:
    """A way to make one clip of both passes: a trained merge, or None for the linear blend."""

    merge: Merge | None = None
    sha256: str | None = None
    """Of the merge's weights."""

    def fill(self, pyramid: Pyramid, frames: Frames, masks: Masks) -> Frames:
        """The clip, whose holes are black, filled in both directions."""
        passed = passes(pyramid, frames, masks)
        if self.merge is None:
            return linear_blend(passed)
        return merged(self.merge, sources(passed, frames, masks), frames, masks)

    def describe(self) -> dict[str, Any]:
        """What belongs into a record."""
        return {"merge": "linear" if self.merge is None else "learned", "content_sha256": self.sha256}


def merging(directions: str, merge: str, warm_up: int | None, device: str) -> Merging | None:
    """The merge that a user asks for by the options of `VINetMethod`; None for one direction. Raises VINetError."""
    if directions not in get_args(Directions):
        raise VINetError(f"directions is {' or '.join(get_args(Directions))}, not {directions!r}")
    if directions == "forward":
        return None
    if warm_up is not None:
        raise VINetError(f"directions=both runs the whole clip in reverse first: leave out warm_up={warm_up}")
    if merge == "linear":
        return Merging()
    path = BUNDLED if merge == "learned" else Path(merge)
    if merge == "learned" and not path.is_file():
        raise MissingWeights("no weights of a merge come with this package: give merge=FILE, or ask for merge=linear")
    file = weights.read(path)
    return Merging(weights.load_into(Merge(), file.tensors, str(path)).to(device).eval(), file.sha256)


def passes(pyramid: Pyramid, frames: Frames, masks: Masks) -> Passes:
    """Run a clip, holes black, backward and then forward again; known pixels stay the input's."""
    clip = list(zip(frames, masks, strict=True))
    filled = list(_filled(pyramid, [*clip[::-1], *clip]))
    images = np.stack([frame for frame, _ in filled])
    copied = np.stack([share for _, share in filled])
    images, copied = (np.stack([part[: len(clip)][::-1], part[len(clip) :]]) for part in (images, copied))
    return Passes(np.where(masks[..., None], images, frames), copied)


def linear_blend(passed: Passes) -> Frames:
    """Both passes, weighted by the frames since the end that each came from."""
    since_first = np.arange(1, passed.frames.shape[1] + 1, dtype=np.float32)[:, None, None, None]
    backward, forward = since_first[::-1], since_first
    mean = (backward * passed.frames[0] + forward * passed.frames[1]) / (backward + forward)
    return np.asarray((mean + 0.5).astype(np.uint8))


def sources(passed: Passes, frames: Frames, masks: Masks) -> Sources:
    """All sources of a clip, holes black.

    Flow is measured on the blend of both passes: a hole that is filled drags the flow around it along much less than
    one that is smooth.
    """
    greys = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in linear_blend(passed)]
    ways = followed(masks, greys)
    past, future = (_propagated(frames, masks, origins) for origins in ways)
    together = [filled_frame(frames, masks[t], ways.past[t], ways.future[t], t) for t in range(len(frames))]
    everywhere, wholly = np.ones_like(masks), np.full(masks.shape, 255, np.uint8)
    shown = past.known | future.known
    return Sources(
        np.stack([*passed.frames, past.colours, future.colours, np.stack(together)]),
        np.stack([future.age, past.age, past.age, future.age, np.minimum(past.age, future.age)]),
        np.stack([everywhere, everywhere, past.known, future.known, everywhere]),
        np.stack([*passed.copied, wholly, wholly, wholly * shown]),
    )


def fills(found: Sources, masks: Masks, times: list[int], window: tuple[slice, slice]) -> Fills:
    """What the merge is given of the frames at `times`, in a window of rows and columns."""
    length = len(masks)

    def planes(values: NDArray[np.generic]) -> Tensor:
        part = np.ascontiguousarray(values[:, times][:, :, *window])
        return torch.from_numpy(part).transpose(0, 1)[:, :, None].float()  # (B, S, 1, H, W)

    colours = np.ascontiguousarray(found.colours[:, times][:, :, *window])
    ends = [{"first": t, "last": length - 1 - t, "nearer": min(t, length - 1 - t)} for t in times]
    start = [[since[end] for end in BEGAN] for since in ends]
    depth = [cv2.distanceTransform(masks[t][window].astype(np.uint8), cv2.DIST_L2, 3) for t in times]
    return Fills(
        torch.from_numpy(colours).permute(1, 0, 4, 2, 3).float() / 127.5 - 1,
        planes(found.known),
        planes(found.age),
        planes(found.copied) / 255,
        torch.tensor(start, dtype=torch.float32)[..., None, None, None],
        torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0])[:, None, None, None],
        torch.from_numpy(np.stack(depth))[:, None],
    )


@torch.inference_mode()
def merged(merge: Merge, found: Sources, frames: Frames, masks: Masks) -> Frames:
    """The clip with its holes filled by the merge of all sources."""
    filled = frames.copy()
    device = next(merge.parameters()).device
    for t, mask in enumerate(masks):
        if mask.any():
            window = _around(mask)
            colours, _ = merge(Fills(*(part.to(device) for part in fills(found, masks, [t], window))))
            levels = ((colours[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
            filled[t][window] = np.where(mask[window][..., None], levels, frames[t][window])
    return filled


def _filled(pyramid: Pyramid, clip: list[tuple[Frame, Mask]]) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
    """Frames just as they come, and the network's mask, which counts as 1 in frames that are refined."""
    height, width = clip[0][1].shape
    if pyramid.halvings_of(height, width):
        for frame in pyramid.stream(*zip(*clip, strict=True)):
            yield frame, np.full((height, width), 255, np.uint8)
        return
    for frame, step in pyramid.inpainter.run(iter(clip)):
        share = step.output_mask if step.pixel_mask is None else step.pixel_mask
        plane = torch.zeros_like(step.output[:, :1]) if share is None else share
        levels = (255 * plane[0, 0, :height, :width].float()).round().to(torch.uint8)
        yield frame, levels.cpu().numpy()


def _propagated(frames: Frames, masks: Masks, origins: list[Origin]) -> Propagated:
    colours, age, known = frames.copy(), np.zeros(masks.shape, np.uint8), ~masks
    for t, (mask, origin) in enumerate(zip(masks, origins, strict=True)):
        y, x = np.nonzero(mask)
        ages = origin.age
        age[t, y, x] = np.minimum(ages, int(LONG))
        known[t, y, x] = ages != NEVER
        colours[t, y, x] = np.floor(sampled(frames, origin) + 0.5).astype(np.uint8)
    return Propagated(colours, age, known)


def _around(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns of a hole with `MARGIN_PX` around it."""
    rows, columns = (
        slice(max(0, int(at[0]) - MARGIN_PX), int(at[-1]) + 1 + MARGIN_PX)
        for at in (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    )
    return rows, columns
