"""Makes cases: reads a clip, resizes it, draws its holes, as the protocol says and in that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vibench import plugins
from vibench.clip import Case, Clip, Masks
from vibench.data.attributes import attributes_of
from vibench.data.dataset import Dataset
from vibench.errors import InputError
from vibench.masks.chance import Chance
from vibench.protocol import PlannedCase, Protocol, Resize


def check_generators(protocol: Protocol) -> None:
    """InputError where a kind of hole names a generator or an option of one that does not exist."""
    for kind in protocol.holes:
        if kind.generator is not None:
            spec = plugins.Spec(kind.generator, kind.options)
            plugins.checked_options(
                plugins.factory("masks", kind.generator), spec, ("frames", "height", "width", "seed")
            )


def build_case(protocol: Protocol, planned: PlannedCase, clips: Dataset) -> Case:
    """The case behind ``planned``; InputError in one sentence where the clip cannot give it."""
    clip = resized(clips.load(planned.clip, limit_frames=protocol.data.frames), protocol.resize)
    holes = _holes(protocol, planned, clip, clips)
    if not holes.any():
        raise InputError(f"the hole of case {planned.name!r} is empty in every frame, so there is nothing to fill")
    removing = protocol.task == "remove"
    return Case(
        name=planned.name,
        frames=clip.frames,
        holes=holes,
        truth=clip.background if removing else clip.frames,
        flow=clip.background_flow if removing else clip.flow,
        frames_per_second=clip.frames_per_second,
        attributes={
            "clip": planned.clip,
            "hole": planned.holes.name,
            **attributes_of(clip.frames, holes, clip.objects),
        },
    )


def resized(clip: Clip, resize: Resize | None) -> Clip:
    """``clip`` at the protocol's size. Known flow does not survive resampling, so a resized clip has none."""
    if resize is None:
        return clip
    from vibench.media.resize import resize_frames, resize_masks

    size = resize.width_px, resize.height_px
    return replace(
        clip,
        frames=resize_frames(clip.frames, *size, resize.filter),
        objects=None if clip.objects is None else resize_masks(clip.objects, *size),
        background=None if clip.background is None else resize_frames(clip.background, *size, resize.filter),
        flow=None,
        background_flow=None,
    )


def _holes(protocol: Protocol, planned: PlannedCase, clip: Clip, clips: Dataset) -> Masks:
    from vibench.media.resize import dilate

    kind = planned.holes
    frames, height, width = clip.frames.shape[:3]
    if kind.source == "objects":
        holes = _objects(clip, planned.name)
    elif kind.source == "other-objects":
        other = resized(clips.load(_partner(planned, clips.clip_names())), protocol.resize)
        holes = _fitted(_objects(other, planned.name), frames, height, width)
    else:
        draw = plugins.factory("masks", str(kind.generator))
        holes = draw(frames, height, width, planned.seed, **kind.options)
    return dilate(holes, kind.dilation_iterations)


def _objects(clip: Clip, case: str) -> Masks:
    if clip.objects is None:
        raise InputError(f"case {case!r} needs object silhouettes, and clip {clip.name!r} has none")
    return clip.objects


def _partner(planned: PlannedCase, names: list[str]) -> str:
    """The clip whose silhouettes this one gets; its own where it is the only one."""
    place = names.index(planned.clip)
    others = names[place + 1 :] + names[:place]
    if not others:
        return planned.clip
    return others[Chance(planned.seed).whole(0, len(others) - 1) if planned.holes.pairing == "seeded" else 0]


def _fitted(masks: Masks, frames: int, height: int, width: int) -> Masks:
    """Masks of another clip for this one: played forth and back to its length, cut or resized to its size."""
    from vibench.media.resize import resize_masks

    forth_and_back = np.concatenate([np.arange(len(masks)), np.arange(len(masks) - 2, 0, -1)])
    played = masks[np.resize(forth_and_back, frames)]
    return played if played.shape[1:] == (height, width) else resize_masks(played, width, height)


def planned_cases(
    protocol: Protocol,
    clip_names: Sequence[str],
    *,
    cases: Sequence[str] = (),
    seeds: Sequence[int] = (),
    limit: int | None = None,
) -> list[PlannedCase]:
    """The protocol's cases for the clips of a data set, in the protocol's order.

    ``cases`` keeps those whose name holds one of these texts, ``seeds`` those of these seeded repeats, and ``limit``
    the first so many of what is left. InputError where the data set lacks a clip that the protocol names, or nothing
    is left.
    """
    if absent := [name for name in protocol.data.clips if name not in clip_names]:
        raise InputError(f"protocol {protocol.label} names the clip {absent[0]!r}, which the data set has not")
    planned = list(protocol.plan(list(protocol.data.clips) or list(clip_names)))
    if cases:
        planned = [case for case in planned if any(text in case.name for text in cases)]
    if seeds:
        planned = [case for case in planned if case.repeat in seeds]
    planned = planned[:limit]
    if not planned:
        raise InputError(f"no case of {protocol.label} is left by --cases {','.join(cases)}")
    return planned
