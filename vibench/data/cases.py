"""Cases: a clip is read, resized and given its holes, as the protocol says and in that order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vibench import plugins
from vibench.clip import Case, Clip, Frames, Masks
from vibench.data.attributes import attributes_of
from vibench.data.dataset import Dataset
from vibench.data.layouts import open_clips
from vibench.errors import InputError, foreign
from vibench.files import write_atomically
from vibench.masks.chance import Chance
from vibench.protocol import Given, Holes, PlannedCase, Protocol, Resize

DRAWN_FROM = ("frames", "height", "width", "seed")
"""What a mask generator is given by the harness; its other parameters are options."""

SAME_LEVELS = 2
"""Pixels of the input and the truth that differ by no more in any channel count as the same: codecs do that much."""

MOST_SHOWN = 0.5
"""The largest share of a hole in which the input may be the truth where methods see everything."""


def check_generators(protocol: Protocol) -> None:
    """Raise InputError where a kind of hole names a mask generator, or an option of one, that does not exist."""
    for kind in protocol.holes:
        if kind.generator is not None:
            spec = plugins.Spec(kind.generator, kind.options)
            plugins.option_values(plugins.factory("masks", kind.generator), spec, DRAWN_FROM)


def build_case(protocol: Protocol, planned: PlannedCase, clips: Dataset) -> Case:
    """Make the case that ``planned`` describes; raise InputError with one sentence where the clip cannot give it."""
    from vibench.media.resize import dilate, kept_regions

    kind = planned.holes
    with foreign(f"case {planned.name!r} cannot be made"):
        clip = _clip(protocol, kind, planned.clip, clips, protocol.data.frames)
        silhouettes, pasted = _silhouettes(protocol, planned, clip, clips)
        holes = dilate(silhouettes, kind.dilation_iterations)
        given = None if kind.given is None else worse(holes, kind.given, planned.seed)
    if not holes.any():
        raise InputError(f"the hole of case {planned.name!r} is empty in every frame, so there is nothing to fill")
    behind = protocol.task == "remove" and pasted is None
    put_back = protocol.scoring.composite == "holes"
    # Of a hole that is drawn or pasted in nothing else changes.
    effect = clip.effects & ~holes if behind and kind.source == "objects" and clip.effects is not None else None
    changed = holes if effect is None else holes | effect
    frames = clip.frames if pasted is None else pasted
    truth = clip.background if behind else clip.frames
    if protocol.sees == "everything" and truth is not None:
        _check_hidden(planned.name, frames, truth, holes)
    return Case(
        name=planned.name,
        frames=frames,
        holes=holes,
        truth=truth,
        flow=clip.background_flow if behind else clip.flow,
        frames_per_second=clip.frames_per_second,
        attributes={
            **clip.attributes,
            "clip": planned.clip,
            "hole": kind.name,
            **attributes_of(clip.frames, holes, clip.objects),
        },
        sees_everything=protocol.sees == "everything",
        kept={} if put_back else kept_regions(changed, protocol.scoring.kept_margin_px or 0),
        given=given,
        effect=None if put_back else effect,
    )


def _clip(protocol: Protocol, kind: Holes, name: str, clips: Dataset, limit: int | None = None) -> Clip:
    """A clip at the protocol's size; where its objects matter, with those that count and in every frame."""
    clip = clips.load(name, limit_frames=limit)
    if kind.source != "generator":
        clip = _every_frame_annotated(_with_instances(clip, kind.instances), protocol.data.sparse)
    return resized(clip, protocol.resize)


def _with_instances(clip: Clip, instances: tuple[int, ...]) -> Clip:
    """The clip with the objects of these numbers only; InputError where it has none of them."""
    if not instances:
        return clip
    if clip.labels is None:
        raise InputError(f"the objects of clip {clip.name!r} have no numbers, so no instances can be chosen among them")
    chosen = np.isin(clip.labels, instances)
    if not chosen.any():
        there = ", ".join(str(label) for label in np.unique(clip.labels) if label) or "none"
        wanted = ", ".join(map(str, instances))
        raise InputError(f"clip {clip.name!r} has no object {wanted} in the frames that are used; there are {there}")
    return replace(clip, objects=chosen)


def _every_frame_annotated(clip: Clip, how: Literal["annotated", "nearest"] | None) -> Clip:
    """The clip with silhouettes in every frame, as the protocol's ``sparse`` says; InputError where it says nothing."""
    if clip.objects is None or clip.annotated is None or clip.annotated.all():
        return clip
    marked = np.flatnonzero(clip.annotated)
    if how is None or not len(marked):
        count = f"{len(marked)} of its {len(clip.frames)} frames"
        hint = 'use these frames only with sparse = "annotated" in the protocol\'s [data], or sparse = "nearest"'
        raise InputError(f"clip {clip.name!r} has masks for {count}" + (f"; {hint}" if len(marked) else ""))
    if how == "nearest":
        distances = np.abs(np.arange(len(clip.frames))[:, None] - marked)
        return replace(clip, objects=clip.objects[marked[distances.argmin(axis=1)]], annotated=None)
    return replace(
        clip,
        frames=clip.frames[marked],
        frames_per_second=clip.frames_per_second * len(marked) / len(clip.frames),
        objects=clip.objects[marked],
        labels=None if clip.labels is None else clip.labels[marked],
        background=None if clip.background is None else clip.background[marked],
        effects=None if clip.effects is None else clip.effects[marked],
        # Motion is known from one frame to the next, and these are no neighbours any more.
        flow=None,
        background_flow=None,
        annotated=None,
    )


def worse(holes: Masks, given: Given, seed: int) -> Masks:
    """The masks that a method is given in the place of ``holes``; see ``vibench.protocol.Given``."""
    from vibench.masks import loose

    made = {
        "eroded": lambda: loose.eroded(holes, given.px or 0),
        "dilated": lambda: loose.dilated(holes, given.px or 0),
        "shifted": lambda: loose.shifted(holes, given.px or 0, seed),
        "box": lambda: loose.boxed(holes),
        "late": lambda: loose.late(holes, given.frames or 0),
        "missing": lambda: loose.missing(holes, given.share or 0, seed),
    }
    return made[given.how]()


def _check_hidden(case: str, frames: Frames, truth: Frames, holes: Masks) -> None:
    """Raise InputError where the input shows the truth in most of the hole: seeing it, no method would fill anything.

    A dilated hole shows some of the truth around the object.
    """
    difference = np.abs(frames[holes].astype(np.int16) - truth[holes]).max(axis=-1)
    if (shown := float((difference <= SAME_LEVELS).mean())) > MOST_SHOWN:
        raise InputError(
            f'case {case!r} cannot be shown to methods as sees = "everything": its input is the truth in {shown:.0%} '
            'of the hole; use sees = "holed", or an input with the object in it'
        )


def resized(clip: Clip, resize: Resize | None) -> Clip:
    """Return ``clip`` at the protocol's size. A resized clip has no known flow, since resampling makes it inexact."""
    if resize is None:
        return clip
    from vibench.media.resize import resize_frames, resize_masks

    size = resize.width_px, resize.height_px
    frames = resize_frames(clip.frames, *size, resize.filter)
    objects = None if clip.objects is None else resize_masks(clip.objects, *size)
    background = None if clip.background is None else resize_frames(clip.background, *size, resize.filter)
    effects = None
    if clip.effects is not None and background is not None:
        # A filter carries side effects further than the nearest pixel would.
        effects = (frames != background).any(axis=-1) & (True if objects is None else ~objects)
    return replace(
        clip,
        frames=frames,
        objects=objects,
        background=background,
        effects=effects,
        flow=None,
        background_flow=None,
    )


def _silhouettes(protocol: Protocol, planned: PlannedCase, clip: Clip, clips: Dataset) -> tuple[Masks, Frames | None]:
    """What the holes are before dilation, and the frames with another clip's object in them where one is pasted."""
    kind = planned.holes
    frames, height, width = clip.frames.shape[:3]
    if kind.source == "objects":
        return _objects(clip, planned.name), None
    if kind.source == "other-objects":
        other = _clip(protocol, kind, partner_of(planned, clips.clip_names()), clips)
        masks = _fitted(_objects(other, planned.name), frames, height, width)
        if not kind.paste:
            return masks, None
        return masks, np.where(masks[..., None], _fitted(other.frames, frames, height, width), clip.frames)
    draw = plugins.factory("masks", str(kind.generator))
    options = plugins.option_values(draw, plugins.Spec(str(kind.generator), kind.options), DRAWN_FROM)
    return draw(frames, height, width, planned.seed, **options), None


def _objects(clip: Clip, case: str) -> Masks:
    if clip.objects is None:
        raise InputError(
            f"case {case!r} needs object silhouettes, and clip {clip.name!r} has none; --masks FOLDER names some"
        )
    return clip.objects


def partner_of(planned: PlannedCase, names: list[str]) -> str:
    """Return the clip whose silhouettes this one gets; that is the clip itself where there is no other."""
    place = names.index(planned.clip)
    others = names[place + 1 :] + names[:place]
    if not others:
        return planned.clip
    return others[Chance(planned.seed).whole(0, len(others) - 1) if planned.holes.pairing == "seeded" else 0]


def _fitted(pictures: NDArray[Any], frames: int, height: int, width: int) -> NDArray[Any]:
    """Fit masks or frames of another clip to this one: played forth and back to its length, resized to its size."""
    from vibench.media.resize import resize_frames, resize_masks

    forth_and_back = np.concatenate([np.arange(len(pictures)), np.arange(len(pictures) - 2, 0, -1)])
    played = pictures[np.resize(forth_and_back, frames)]
    if played.shape[1:3] == (height, width):
        return played
    is_mask = played.dtype == np.bool_
    return resize_masks(played, width, height) if is_mask else resize_frames(played, width, height, "area")


def planned_cases(
    protocol: Protocol,
    clip_names: Sequence[str],
    *,
    cases: Sequence[str] = (),
    seeds: Sequence[int] = (),
    limit: int | None = None,
) -> list[PlannedCase]:
    """Return the protocol's cases for the clips of a data set, in the protocol's order.

    ``cases`` keeps those whose name contains one of these texts, ``seeds`` those whose repeat has one of these numbers,
    and ``limit`` the first so many of what is left. Raises InputError where the data set lacks a clip that the protocol
    names, or where no case is left.
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


def export_cases(protocol: Protocol, output: Path, data: Path | None, limit: int | None) -> Iterator[tuple[str, int]]:
    """Write each case as images under ``output/<case>/``, and yield its name and number of frames.

    The images are for programs that vibench cannot call. ``frames/00000.png`` are RGB, with 0 inside the hole;
    ``masks/00000.png`` are grey, 255 inside the hole and 0 outside. The truth is not written. ``README.md`` says so,
    and how the filled frames must lie.
    """
    from vibench.media.images import write_pictures

    write_atomically(output / "README.md", _README.format(protocol=protocol.label).encode())
    clips = open_clips(protocol, data)
    for planned in planned_cases(protocol, clips.clip_names(), limit=limit):
        holed = build_case(protocol, planned, clips).holed()
        folder = output / planned.name
        write_pictures(folder / "masks", (np.where(mask, 255, 0).astype(np.uint8) for mask in holed.masks))
        yield planned.name, write_pictures(folder / "frames", holed.frames)


_README = """# Cases of {protocol}, to be filled by another program

    CASE/frames/00000.png   one frame, RGB, 0 (black) inside the hole
    CASE/masks/00000.png    its hole, grey: 255 inside, 0 outside

CASE is a clip and the kind of its hole, such as `blackswan/stationary-square`. Frames are numbered from 00000. A
program that fills them writes as many frames of the same size:

    FILLED/CASE/00000.png, 00001.png, ...    images, in natural order of their names
    FILLED/CASE.mp4                          or a video file, if it must (what its coding loses is counted too)

They are scored like any other method, but never timed:

    vibench run --protocol {protocol} --methods 'from_disk[path=FILLED]'

(and `--data FOLDER`, where the data set is not bundled). `vibench list methods from_disk` says what else it takes.
"""
