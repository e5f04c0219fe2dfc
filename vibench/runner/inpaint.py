"""Fills the hole of one video and writes a video: what a person wants who has a video and no benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import tee
from pathlib import Path

import numpy as np

from vibench.clip import Frame, Holed, Mask
from vibench.errors import InputError
from vibench.files import disk_errors
from vibench.media.frames import FrameSource, open_frames
from vibench.media.masks import MaskSource, open_masks, paired
from vibench.media.resize import dilate
from vibench.media.video import MAX_CLIP_BYTES
from vibench.media.video_writer import open_writer
from vibench.method import Method, StreamingMethod
from vibench.plugins import Spec
from vibench.runner.fill import made_method, seed_everything

Pair = tuple[Frame, Mask]


def inpaint(
    video: str | Path,
    mask: str | Path,
    method: str | Spec,
    output: str | Path,
    *,
    device: str = "auto",
    dilation_iterations: int = 0,
    progress: Callable[[int | None], Callable[[], None]] | None = None,
) -> int:
    """Fill ``video`` where ``mask`` is not 0 by ``method``, such as ``"telea[radius_px=5]"``, and write ``output``.

    Returns the number of frames.

    Pixels outside the hole are those of the input, up to what the output's format loses (``.mkv``: nothing). Sound is
    copied. A streaming method works in memory that does not grow with the video. ``output`` appears only when it is
    complete. ``progress(total)`` is told how many frames there are and returns what is called after each one.
    Raises InputError for files that do not fit together.
    """
    video, mask, output = Path(video), Path(mask), Path(output)
    source = open_frames(video)
    masks = open_masks(mask, source.height, source.width)
    if output.resolve() in (video.resolve(), mask.resolve()):
        raise InputError(f"{output} is also the input; name another file to write to")
    filler = made_method(method, device)
    seed_everything(0)
    advance = progress(source.frames) if progress else lambda: None
    sound = video if source.has_audio else None
    count, any_hole = 0, False
    size = source.height, source.width
    with disk_errors(output.parent), open_writer(output, *size, source.frames_per_second, sound) as writer:
        pairs, originals = tee(_pairs(source, masks, dilation_iterations))
        filled = (
            _stream(filler, pairs)
            if isinstance(filler, StreamingMethod)
            else _whole(filler, pairs, source, str(method))
        )
        for frame, (original, hole) in zip(filled, originals, strict=True):
            writer.write(np.where(hole[..., None], frame, original))
            count, any_hole = count + 1, any_hole or bool(hole.any())
            advance()
        if not any_hole:
            raise InputError(f"the mask {mask} marks no pixel in any frame; white (not 0) is the hole")
    return count


def _pairs(source: FrameSource, masks: MaskSource, dilation_iterations: int) -> Iterator[Pair]:
    for frame, mask in paired(source, masks):
        yield frame, dilate(mask[None], dilation_iterations)[0]


def _stream(method: StreamingMethod, pairs: Iterable[Pair]) -> Iterator[Frame]:
    # tee holds only what one side has read ahead of the other: the method's look-ahead.
    left, right = tee(pairs)
    return method.stream((_cut(*pair) for pair in left), (mask.copy() for _, mask in right))


def _whole(method: Method, pairs: Iterable[Pair], source: FrameSource, name: str) -> Iterator[Frame]:
    frames, masks, room = [], [], MAX_CLIP_BYTES
    for frame, mask in pairs:
        room -= frame.nbytes
        if room < 0:
            raise InputError(
                f"{name} needs the whole video in memory, and this one takes more than {MAX_CLIP_BYTES >> 30} GiB "
                f"at {source.width}x{source.height}; cut it, or take a method that streams"
            )
        frames.append(_cut(frame, mask))
        masks.append(mask)
    yield from method(Holed("video", np.stack(frames), np.stack(masks)))


def _cut(frame: Frame, mask: Mask) -> Frame:
    cut = frame.copy()
    cut[mask] = 0
    return cut
