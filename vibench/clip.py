"""Clips, cases and what a method may see of them: the arrays that methods, metrics and the harness exchange.

Arrays that come from a user go through ``as_frames``, ``as_masks`` and their like, which raise InputError with one
sentence that says what was given and what to pass instead. The constructors of ``Clip`` and ``Case`` raise ValueError,
since arrays that reach them were made by vibench itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibench.errors import InputError

Frame = NDArray[np.uint8]
"""(H, W, 3) RGB, 0..255."""

Mask = NDArray[np.bool_]
"""(H, W), True = hole."""

Frames = NDArray[np.uint8]
"""(T, H, W, 3) RGB, 0..255."""

Masks = NDArray[np.bool_]
"""(T, H, W), True = hole."""

Labels = NDArray[np.uint8]
"""(T, H, W): 0 is background, every other number is one object."""

Flows = NDArray[np.float32]
"""(T - 1, H, W, 2): (u, v) in pixels, from each frame to its neighbour."""


@dataclass(frozen=True)
class ExactFlow:
    """Known motion of a synthetic clip.

    ``forward[t]`` maps pixels of frame t to frame t + 1, and ``backward[t]`` maps pixels of frame t + 1 to frame t;
    both are float32 (T - 1, H, W, 2) in pixels. ``visible[t]``, bool (T - 1, H, W), is True where the pixel of frame t
    is also seen in frame t + 1. Some data sets give the flow forward only, together with the occlusions; so one of
    ``backward`` and ``visible`` may be None, but not both.
    """

    forward: Flows
    backward: Flows | None
    visible: Masks | None = None

    def __post_init__(self) -> None:
        if self.backward is None and self.visible is None:
            raise ValueError("exact flow needs the backward flow or the visible pixels")


@dataclass(frozen=True)
class Clip:
    """A short video and what is known about it.

    ``objects`` are the silhouettes of moving objects, bool (T, H, W), True on the object, and ``labels`` tell one
    object from the other. ``annotated``, bool (T,), says which frames have silhouettes of their own, where not all
    have. ``background`` is what is really behind the objects, uint8 (T, H, W, 3). ``flow`` is the exact motion of
    ``frames``, and ``background_flow`` is that of ``background``. Each of them is None where it is not known.
    ``effects``, bool (T, H, W), are the pixels outside ``objects`` that these change, by a shadow or a reflection for
    example. ``attributes`` say what else the data set knows of the clip, such as the group that it belongs to.
    """

    name: str
    frames: Frames
    frames_per_second: float = 24.0
    objects: Masks | None = None
    flow: ExactFlow | None = None
    background: Frames | None = None
    background_flow: ExactFlow | None = None
    labels: Labels | None = None
    annotated: NDArray[np.bool_] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    effects: Masks | None = None

    def __post_init__(self) -> None:
        check_frames(self.frames)
        for masks in (self.objects, self.effects):
            if masks is not None:
                check_masks(masks, self.frames)


@dataclass(frozen=True)
class Holed:
    """All that a method sees of a case: the frames, whose pixels inside the holes are 0, and the masks of the holes.

    Under a protocol that says ``sees = "everything"`` no pixel is cut: inside the holes is what is to be removed.
    """

    name: str
    frames: Frames
    masks: Masks


@dataclass(frozen=True)
class Case:
    """One unit of work: frames with holes to fill, and the truth behind the holes where it is known.

    ``frames`` are the input, of which only the pixels outside ``holes`` are shown to a method, or all where it
    ``sees_everything``. ``truth`` is what a perfect method returns; it is None for object removal on real video.
    ``flow`` is the exact motion of the truth, where it is known. ``attributes`` describe the case (hole size, motion
    and so on), so that results can be grouped by them. ``given`` are the masks that a method gets where these are not
    the holes: it is scored in ``holes`` all the same. ``kept`` has the regions that a method should leave alone, by
    name, each bool (T, H, W); it is empty where the input's own pixels are put back there, since nothing can then be
    wrong with them. ``effect``, bool (T, H, W), is what lies outside the holes and must change all the same, since a
    shadow, a reflection or light of the object is there; it is None where nobody knows, or where pixels are put back.
    """

    name: str
    frames: Frames
    holes: Masks
    truth: Frames | None
    flow: ExactFlow | None = None
    frames_per_second: float = 24.0
    attributes: Mapping[str, str | float] = field(default_factory=dict)
    sees_everything: bool = False
    kept: Mapping[str, Masks] = field(default_factory=dict)
    given: Masks | None = None
    effect: Masks | None = None

    def __post_init__(self) -> None:
        check_frames(self.frames)
        for masks in (self.holes, *self.kept.values(), self.given, self.effect):
            if masks is not None:
                check_masks(masks, self.frames)
        if self.truth is not None and self.truth.shape != self.frames.shape:
            raise ValueError(f"truth has shape {self.truth.shape}, frames have {self.frames.shape}")

    def holed(self) -> Holed:
        """Return what the method gets: copies of the masks and of the frames, in which pixels inside the masks are 0.

        The masks are those that are ``given``, or else the holes. Pixels are left where the method ``sees_everything``.
        """
        frames, masks = self.frames.copy(), (self.holes if self.given is None else self.given).copy()
        if not self.sees_everything:
            frames[masks] = 0
        return Holed(self.name, frames, masks)

    @cached_property
    def truth_digest(self) -> str:
        """Sha256 of the truth, or of the frames where there is no truth; caches use it as their key."""
        return digest(self.truth if self.truth is not None else self.frames)


def check_frames(frames: Frames) -> None:
    """Raise ValueError unless ``frames`` are uint8 (T, H, W, 3) with at least one frame."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise ValueError(f"frames must be uint8 (T, H, W, 3) with T >= 1, not {frames.dtype} {frames.shape}")


def check_masks(masks: Masks, frames: Frames) -> None:
    """Raise ValueError unless ``masks`` are bool (T, H, W) of the same clip as ``frames``."""
    if masks.dtype != np.bool_ or masks.shape != frames.shape[:3]:
        raise ValueError(f"masks must be bool {frames.shape[:3]}, not {masks.dtype} {masks.shape}")


def as_frames(value: Any, name: str = "frames") -> Frames:
    """Return ``value`` itself where it is a clip, uint8 (T, H, W, 3) in 0..255 with at least one frame.

    Otherwise raise InputError with one sentence that says what ``value`` is and which expression turns it into a clip.
    Nothing is converted silently: a wrong range or a wrong order of axes gives numbers that look right. ``name`` is
    what the sentence calls the array. A valid clip costs a look at its dtype and shape.
    """
    if _is_picture(value, 4):
        return value  # type: ignore[no-any-return]
    raise InputError(_what_to_pass(value, name, 4))


def as_frame(value: Any, name: str = "frame") -> Frame:
    """Return ``value`` itself where it is one frame, uint8 (H, W, 3) in 0..255; otherwise see ``as_frames``."""
    if _is_picture(value, 3):
        return value  # type: ignore[no-any-return]
    raise InputError(_what_to_pass(value, name, 3))


def as_masks(value: Any, frames: Frames, name: str = "holes") -> Masks:
    """Return masks for every one of ``frames``: bool (T, H, W), True inside the hole.

    ``value`` of that shape is returned itself; bool (H, W) counts for all frames and comes back as a read-only view.
    Anything else raises InputError with one sentence that says what to pass, and so do masks that are True nowhere or
    everywhere, since they leave nothing to compare.
    """
    wanted = frames.shape[:3]
    if isinstance(value, np.ndarray) and value.dtype == np.bool_ and value.shape in (wanted, wanted[1:]):
        if not value.any():
            raise InputError(
                f"{_are(name)} False everywhere, and True is the hole; leave {name} out if there is no hole"
            )
        if value.all():
            raise InputError(
                f"{_are(name)} True everywhere, and True is the hole; some pixels of the clip must be known"
            )
        return np.broadcast_to(value, wanted) if value.ndim == 2 else value
    raise InputError(_what_masks_to_pass(value, wanted, name))


def as_pair(frame: Any, truth: Any) -> tuple[Frame, Frame]:
    """Return both where they are frames of one shape, uint8 (H, W, 3); otherwise see ``as_frames``."""
    ours, true = as_frame(frame, "frame"), as_frame(truth, "truth")
    if ours.shape != true.shape:
        raise InputError(f"frame is {ours.shape} and truth is {true.shape}; pass two frames of the same size")
    return ours, true


def as_mask(value: Any, frame: Frame, name: str = "hole") -> Mask:
    """Return ``value`` itself where it is bool (H, W) of the size of ``frame``; otherwise see ``as_masks``."""
    if isinstance(value, np.ndarray) and value.dtype == np.bool_ and value.shape == frame.shape[:2]:
        return value
    raise InputError(_what_masks_to_pass(value, frame.shape[:2], name))


def check_pair(frames: Frames, truth: Frames, holes: Masks | None = None) -> None:
    """Raise InputError where ``frames`` and ``truth``, both uint8 (T, H, W, 3), cannot be two versions of one clip.

    They differ in shape, or their channels are in opposite order: reversing those of ``frames`` brings the mean
    absolute difference outside ``holes`` (everywhere where these are None) below half. That is decided on a sample of
    at most some 7,000 pixels.
    """
    if frames.shape != truth.shape:
        raise InputError(
            f"frames are {frames.shape} and truth is {truth.shape}; "
            "pass the same number of frames, of the same size, for both"
        )
    steps = tuple(slice(None, None, -(-size // most)) for size, most in zip(frames.shape[:3], (3, 48, 48), strict=True))
    # One plane per channel: numpy is slow along an axis of three.
    ours, true = (np.moveaxis(clip[steps], -1, 0).astype(np.int16, order="C") for clip in (frames, truth))
    outside = np.ones(ours.shape[1:], np.bool_) if holes is None else ~holes[steps]
    count = max(3 * int(outside.sum()), 1)
    as_given, reversed_ = (
        float(np.abs(order - true).sum(dtype=np.int64, where=outside)) / count for order in (ours, ours[::-1])
    )
    if reversed_ < as_given / 2:
        raise InputError(
            f"frames look BGR: their mean difference to the truth is {as_given:.1f} grey levels as given and "
            f"{reversed_:.1f} with the channels reversed; pass RGB: frames[..., ::-1]"
        )


_WANTED = {4: "uint8 (T, H, W, 3) in 0..255", 3: "uint8 (H, W, 3) in 0..255"}
"""What a sentence calls a clip (4 axes) and one frame (3 axes)."""


def _is_picture(value: Any, axes: int) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == axes
        and value.shape[-1] == 3
        and 0 not in value.shape
    )


def _what_to_pass(value: Any, name: str, axes: int) -> str:
    """One sentence: what ``value`` is, and the expression that makes a clip (4 ``axes``) or a frame (3) of it."""
    wanted = _WANTED[axes]
    if not isinstance(value, np.ndarray):
        return _not_an_array(value, name, wanted)
    if not value.size:
        return f"{_are(name)} empty, of shape {value.shape}; pass {wanted} with at least one frame and one pixel"
    order, turned = _axes(value, name, axes)
    numbers, converted = _numbers(value, turned)
    given = f"{_are(name)} {value.dtype} {value.shape}{numbers}{order}"
    return f"{given}; pass {wanted}" + (f": {converted}" if turned and converted else "")


def _are(name: str) -> str:
    return f"{name} {'are' if name.endswith('s') else 'is'}"


def _not_an_array(value: Any, name: str, wanted: str) -> str:
    """The sentence for what is no numpy array. Libraries are told by their names, so that none is imported for it."""
    library, kind = type(value).__module__.partition(".")[0], type(value).__qualname__
    hint = ""
    if library == "torch":
        kind, hint = "torch tensor", f": {name}.detach().cpu().numpy()"
    elif library == "PIL":
        kind, hint = "PIL image", f": np.asarray({name}.convert('RGB'))"
    elif isinstance(value, list | tuple):
        inside = type(value[0]).__module__.partition(".")[0] if value else ""
        hint = {
            "torch": f": torch.stack({name}).cpu().numpy()",
            "PIL": f": np.stack([np.asarray(picture.convert('RGB')) for picture in {name}])",
        }.get(inside, f": np.stack({name})")
    elif isinstance(value, str | os.PathLike):
        hint = f", read from the file with vibench.media.frames.read_frames(Path({os.fspath(value)!r}))[0]"
    return f"{_are(name)} a {kind}; pass a numpy array, {wanted}{hint}"


def _axes(value: NDArray[Any], name: str, axes: int) -> tuple[str, str]:
    """What is wrong with the axes (or ''), and an expression in ``name`` that mends it ('' where none is known)."""
    shape, missing = value.shape, axes - value.ndim
    if missing == 0:
        if shape[-1] == 3:
            return "", name
        if shape[-1] == 4:
            return ", with four channels (RGBA)", f"{name}[..., :3]"
        if shape[-3] == 3:
            return ", with the channels first", f"np.moveaxis({name}, -3, -1)"
        if shape[-1] == 1:
            return ", with one channel (grey)", f"np.repeat({name}, 3, axis=-1)"
    if missing == 1:
        if axes == 4 and shape[-1] == 3:
            return ", which is one frame", f"{name}[None]"
        if axes == 4 and shape[0] == 3:
            return ", which is one frame with the channels first", f"np.moveaxis({name}, 0, -1)[None]"
        return ", without channels (grey)", f"np.repeat({name}[..., None], 3, axis=-1)"
    if missing == -1:
        if shape[0] == 1:
            order, turned = _axes(value[0], f"{name}[0]", axes)
            return f", with one more axis in front{order}", turned
        if axes == 3:
            return ", which is a clip; call this function frame by frame", ""
    return ", in which no order of axes is known", ""


def _numbers(value: NDArray[Any], name: str) -> tuple[str, str]:
    """What is wrong with the numbers (or ''), and an expression in ``name`` that mends it ('' where none is known)."""
    if value.dtype == np.uint8:
        return "", name
    if value.dtype == np.bool_:
        return "", f"{name}.astype('uint8') * 255"
    if value.dtype.kind not in "iuf":
        return "", ""
    least, most = float(value.min()), float(value.max())
    if not np.isfinite(least + most):
        return " with numbers that are NaN or infinite", ""
    if value.dtype.kind == "f" and least >= -1 and most <= 1:
        if least < 0:
            return " in -1..1", f"(127.5 * ({name} + 1)).round().astype('uint8')"
        return " in 0..1", f"(255 * {name}).round().astype('uint8')"
    if least >= 0 and most <= 255:
        return " in 0..255", f"{name}{'.round()' if value.dtype.kind == 'f' else ''}.astype('uint8')"
    if value.dtype.kind == "f":
        return f" from {least:g} to {most:g}", f"{name}.clip(0, 255).round().astype('uint8')"
    if value.dtype == np.uint16 and most >= 4096:
        return f" from {least:g} to {most:g} (16 bits a channel)", f"({name} / 257).round().astype('uint8')"
    return f" from {least:g} to {most:g}", ""


def _what_masks_to_pass(value: Any, wanted: tuple[int, ...], name: str) -> str:
    """One sentence: what ``value`` is, and the expression that makes bool masks of shape ``wanted`` of it."""
    target = f"bool {wanted}, True inside the hole"
    if not isinstance(value, np.ndarray):
        return _not_an_array(value, name, target)
    given, shape, expression = f"{_are(name)} {value.dtype} {value.shape}", value.shape, name
    if len(shape) == 4 and shape[-1] in (1, 3) and shape[:3] == wanted:
        shape, expression = shape[:3], f"{name}[..., 0]"
    elif len(shape) == 4 and shape[1] == 1 and (shape[0], *shape[2:]) == wanted:
        shape, expression = wanted, f"{name}[:, 0]"
    if shape not in (wanted, wanted[-2:]):
        clip = f"the frames are {wanted[0]} of" if len(wanted) == 3 else "the frame is"
        return f"{given} and {clip} {wanted[-1]}x{wanted[-2]} px; pass {target}"
    if value.dtype == np.bool_:
        return f"{given}; pass {target}: {expression}"
    if value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        return f"{given}; pass {target}"
    values = np.unique(value)
    if len(values) <= 2 and values[0] >= 0:
        shown = "/".join(f"{found:g}" for found in values)
        return f"{given} of {shown}; pass {target}: {expression} > 0"
    return f"{given} of {len(values)} values from {values[0]:g} to {values[-1]:g}; pass {target}: {expression} > limit"


def digest(array: NDArray[np.generic]) -> str:
    """Sha256 of shape, dtype and bytes of ``array``."""
    header = f"{array.dtype.str}{array.shape}".encode()
    found = hashlib.sha256(header)
    # The memory itself, not a copy of it: clips are large.
    found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
