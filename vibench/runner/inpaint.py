"""Fills the hole of one video and writes a video: what a person wants who has a video and no benchmark."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import tee
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from vibench.clip import Frame, Frames, Holed, Mask, Masks
from vibench.errors import InputError, UserError
from vibench.files import disk_errors
from vibench.media.beside import Say, unheard
from vibench.media.frames import FrameSource, open_frames
from vibench.media.look import refuse_interlaced
from vibench.media.masks import MaskSource, open_masks, paired
from vibench.media.pairing import fitting_masks
from vibench.media.resize import dilate
from vibench.media.video import MAX_CLIP_BYTES, TimedFrame
from vibench.media.video_writer import VideoWriter, open_writer
from vibench.method import Method, StreamingMethod
from vibench.plugins import Spec
from vibench.protocol import quantise
from vibench.runner.fill import MethodFailed, checked_answer, failure_of, made_method, seed_everything

T = TypeVar("T")
END: Any = object()
"""What a stream of frames gives after its last one."""


class Pair(NamedTuple):
    """A frame with its times, and its hole: bool (H, W)."""

    timed: TimedFrame
    hole: Mask


def inpaint(
    video: str | Path,
    mask: str | Path,
    method: str | Spec,
    output: str | Path,
    *,
    device: str = "auto",
    dilation_iterations: int = 0,
    mask_threshold: int | None = None,
    sound: bool = True,
    say: Say = unheard,
    progress: Callable[[int | None], Callable[[], None]] | None = None,
) -> int:
    """Fill ``video`` where ``mask`` is white by ``method``, such as ``"telea[radius_px=5]"``, and write ``output``.

    Returns the number of frames.

    Pixels outside the hole are those of the input, up to what the output's format loses (``.mkv``: nothing). Frames
    keep their times, and sound, subtitles, chapters and titles are copied where the format holds them, unless ``sound``
    is False; ``say`` is told, in sentences, what is not kept. A grey or coloured mask is a hole from ``mask_threshold``
    (1 to 255) on; by default two levels, soft edges and paint on black are understood. A streaming method works in
    memory that does not grow with the video. ``output`` appears only when it is complete. ``progress(total)`` is told
    how many frames there are and returns what is called after each one.

    Raises InputError, before anything is filled, for files that do not fit together, and for HDR and interlaced video;
    MethodFailed where the method raises or gives back something else than frames.
    """
    video, mask, output = Path(video), Path(mask), Path(output)
    source = open_to_fill(video, say)
    masks = open_masks(mask, source.height, source.width, mask_threshold)
    if output.resolve() in (video.resolve(), mask.resolve()):
        raise InputError(f"{output} is also the input; name another file to write to")
    with open_rewritten(output, source.height, source.width, source, video if sound else None, say) as writer:
        masks = fitting_masks(source, masks, say)
        filler = made_method(method, device)
        seed_everything(0)
        advance = progress(source.frames) if progress else lambda: None
        pairs, originals = tee(_pairs(source, masks, dilation_iterations))
        filled = _stream(filler, pairs) if isinstance(filler, StreamingMethod) else _whole(filler, pairs, source)
        count = 0
        for frame, (timed, hole) in _matched(filled, originals):
            writer.write(np.where(hole[..., None], frame, timed.frame), timed.begins, timed.lasts)
            count += 1
            advance()
    return count


def open_to_fill(video: Path, say: Say) -> FrameSource:
    """Open frames that will be written again; raise InputError where the result could not be shown rightly.

    ``say`` is told what they will have lost.
    """
    source = open_frames(video)
    refuse_interlaced(source.look, video)
    for note in source.notes:
        say(note)
    return source


@contextmanager
def open_rewritten(
    output: Path, height: int, width: int, source: FrameSource, beside: Path | None, say: Say
) -> Iterator[VideoWriter]:
    """Open the writer of ``source`` made anew in ``height`` times ``width`` pixels: its clock and its look are kept.

    Sound, subtitles, chapters and titles come from the file ``beside``; there are none where it is None or a folder.
    """
    with (
        disk_errors(output.parent),
        open_writer(
            output,
            height,
            width,
            source.frames_per_second,
            everything_from=beside if beside is not None and beside.is_file() else None,
            time_base=source.time_base,
            look=source.look,
            say=say,
        ) as writer,
    ):
        yield writer


def filled_clip(method: Method, frames: Frames, holes: Masks) -> Frames:
    """Let ``method`` fill ``holes``, bool (T, H, W), of frames, uint8 (T, H, W, 3), which are black there.

    Returns uint8 frames of that shape. Raises MethodFailed where the method raises or returns something else.
    """
    shape = frames.shape
    return settled(called(lambda: method(Holed("video", frames, holes))), shape)


def called(step: Callable[[], T]) -> T:
    """Run a step of a method; whatever it raises becomes MethodFailed, but for what is wrong with our own files."""
    try:
        return step()
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise MethodFailed(failure_of(error).message, traceback.format_exc()) from error


def settled(answer: Any, shape: tuple[int, ...]) -> Frames:
    """Return what a method answered as uint8 of ``shape``; MethodFailed says what it should have returned."""
    try:
        frames = quantise(checked_answer(answer), "round")
    except (TypeError, ValueError) as error:
        raise MethodFailed(str(error)) from error
    if frames.shape != shape:
        raise MethodFailed(f"the method returned {frames.dtype} {frames.shape}; it must return uint8 or float {shape}")
    return frames


def _pairs(source: FrameSource, masks: MaskSource, dilation_iterations: int) -> Iterator[Pair]:
    for timed, mask in paired(source.timed(), masks):
        yield Pair(timed, dilate(mask[None], dilation_iterations)[0])


def _stream(method: StreamingMethod, pairs: Iterable[Pair]) -> Iterator[Frame]:
    # tee holds only what one side has read ahead of the other: the method's look-ahead.
    left, right = tee(pairs)
    shape: tuple[int, ...] = ()

    def frames() -> Iterator[Frame]:
        nonlocal shape
        for pair in left:
            shape = pair.timed.frame.shape
            yield _cut(*pair)

    answers = called(lambda: iter(method.stream(frames(), (mask.copy() for _, mask in right))))
    while (answer := called(lambda: next(answers, END))) is not END:
        yield settled(answer, shape)


def _whole(method: Method, pairs: Iterable[Pair], source: FrameSource) -> Iterator[Frame]:
    frames, masks, room = [], [], MAX_CLIP_BYTES
    for timed, mask in pairs:
        room -= timed.frame.nbytes
        if room < 0:
            raise InputError(
                f"{type(method).__name__} needs the whole video in memory, and this one takes more than "
                f"{MAX_CLIP_BYTES >> 30} GiB at {source.width}x{source.height}; cut it, or take a method that streams"
            )
        frames.append(_cut(timed, mask))
        masks.append(mask)
    yield from filled_clip(method, np.stack(frames), np.stack(masks))


def _matched(filled: Iterator[Frame], originals: Iterator[Pair]) -> Iterator[tuple[Frame, Pair]]:
    """Yield each filled frame with its original; raise MethodFailed where the method gives fewer or more."""
    count = 0
    for frame in filled:
        original = next(originals, None)
        if original is None:
            raise MethodFailed(f"the method gave more than the {count} frames of the video; it must give one each")
        yield frame, original
        count += 1
    if next(originals, None) is not None:
        raise MethodFailed(f"the method gave {count} frames and the video has more; it must give one each")


def _cut(timed: TimedFrame, mask: Mask) -> Frame:
    cut = timed.frame.copy()
    cut[mask] = 0
    return cut
