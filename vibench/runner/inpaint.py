"""Fills the hole of one video and writes a video: what a person wants who has a video and no benchmark."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice, tee
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from vibench import plugins
from vibench.clip import Frame, Holed, Mask
from vibench.errors import Gathered, InputError, MethodFailed, MissingResource, naming
from vibench.files import disk_errors
from vibench.machine.call import thread_count
from vibench.machine.device import check_name, resolve
from vibench.machine.host import Host, hosted, method_failures
from vibench.machine.processes import exit_on_termination
from vibench.media.beside import Say, unheard
from vibench.media.box import Box, write_masks, write_preview
from vibench.media.frames import FrameSource, ImageSequence, open_frames
from vibench.media.look import refuse_interlaced
from vibench.media.masks import MaskSource, open_masks, paired
from vibench.media.part import Span, masks_of_part, part_of
from vibench.media.resize import dilate
from vibench.media.video import MAX_CLIP_BYTES, TimedFrame
from vibench.media.video_writer import CRF, LOSSLESS, VideoWriter, open_writer
from vibench.plugins import Spec
from vibench.runner.around import View, around, whole
from vibench.runner.programs.factory import named_method

MUCH_BYTES = 2**30
"""A method that takes more memory than this for a video is announced."""
END: Any = object()
"""What a stream of frames gives after its last one."""


class Pair(NamedTuple):
    """A frame with its times and its mask, bool (H, W); ``hole`` is the mask dilated, which is what is filled."""

    timed: TimedFrame
    mask: Mask
    hole: Mask


def inpaint(
    video: str | Path,
    mask: str | Path | Box,
    method: str | Spec,
    output: str | Path,
    *,
    start: str | float | None = None,
    end: str | float | None = None,
    whole_frame: bool = False,
    preview: str | Path | None = None,
    crf: int | None = None,
    device: str = "auto",
    dilation_iterations: int = 0,
    mask_threshold: int | None = None,
    sound: bool = True,
    time_limit_seconds: float | None = None,
    in_process: bool = False,
    python: str = "",
    say: Say = unheard,
    progress: Callable[[int | None], Callable[[], None]] | None = None,
) -> int:
    """Fill ``video`` where ``mask`` is white by ``method``, such as ``"telea[radius_px=5]"``, and write ``output``.

    Returns the number of frames that were written.

    Pixels outside the hole are those of the input, up to what the output's format loses (``.mkv``: nothing). Frames
    keep their times, and sound, subtitles, chapters and titles are copied where the format holds them, unless ``sound``
    is False; ``say`` is told, in sentences, what is not kept. A grey or coloured mask is a hole from ``mask_threshold``
    (1 to 255) on; by default two levels, soft edges and paint on black are understood. In the place of a mask there may
    be a ``Box`` in the first frame, which optical flow follows. ``preview`` is a picture of some frames with their
    holes that is written first, and ``crf`` what H.264 may lose, 0 to 51 (14 when left out). A streaming method works
    in memory that does not grow with the video. ``output`` appears only when it is complete. ``progress(total)`` is
    told how many frames are to be filled and returns what is called after each one.

    With ``start`` or ``end``, in seconds or as time stamps (``"1:02.5"``), the frames that begin from ``start`` until
    before ``end`` are filled, and the method gets no others; ``output`` still holds the whole video, with all of its
    sound. Masks are then as many as the frames of the video or of the part, and a box lies in the part's first frame.

    Of a frame of more than 640x360 pixels the method gets what lies around the holes, where that is less than half
    (``vibench.runner.around``), unless it shall have the ``whole_frame``.

    The method works in a process of its own, or in this one ``in_process``, for a debugger; one that is named as
    ``module:factory`` works under the interpreter ``python``. ``time_limit_seconds`` is how long it may take for its
    next frame where it streams, and for the whole video where it does not.

    Raises InputError, before anything is filled, for files that do not fit together, and for HDR and interlaced video;
    MethodFailed where the method raises, dies, takes too long or gives back something else than frames.
    """
    video, output = Path(video), Path(output)
    gathered = Gathered()
    with gathered.fault():
        check_method(method, python, in_process)
    with gathered.fault():
        check_name(device)
    with gathered.fault():
        check_crf(crf, output)
    span = None
    with gathered.fault():
        span = Span.parse(start, end)
    with ExitStack() as stack:
        with gathered.fault():
            source = open_to_fill(video, say)
            numbers = None if span is None else span.frames(source)
            part = part_of(source, numbers)
            place = stack.enter_context(_boxes(mask, part, say)) if isinstance(mask, Box) else Path(mask)
            masks = open_masks(place, source.height, source.width, mask_threshold)
            refuse_input_as_output(output, video, place)
        gathered.tell()
        stack.enter_context(exit_on_termination())
        beside = video if sound else None
        writer = stack.enter_context(open_rewritten(output, source.height, source.width, source, beside, say, crf))
        masks = masks_of_part(source, masks, numbers, say)
        view = whole(part) if whole_frame else around(part, masks, dilation_iterations)
        if view.place != whole(part).place:
            say(
                f"the method gets {view.width}x{view.height} of {part.width}x{part.height} pixels, from "
                f"{view.columns.start},{view.rows.start} on, around the holes; --whole-frame gives it all"
            )
        if preview is not None:
            write_preview(paired(part, masks), part.count(), Path(preview))
        host = stack.enter_context(filling(method, device, in_process, python))
        check_memory(host, view, say)
        advance = progress(part.frames) if progress else lambda: None
        frames = source.timed()
        for timed in islice(frames, numbers.start if numbers else 0):
            writer.write(*timed)
        pairs = pairs_of(islice(frames, len(numbers) if numbers else None), masks, dilation_iterations)
        for frame, (timed, _, _) in filled(host, pairs, view, time_limit_seconds):
            writer.write(frame, timed.begins, timed.lasts)
            advance()
        for timed in frames:
            writer.write(*timed)
    return writer.count


@contextmanager
def _boxes(box: Box, source: FrameSource, say: Say) -> Iterator[Path]:
    """A folder with the box in every frame as a mask, as long as the block lasts; InputError where it is not in one."""
    with tempfile.TemporaryDirectory() as folder:
        files = source.files if isinstance(source, ImageSequence) else ()
        names = (file.stem for file in files) if files else (f"{number:08d}" for number in itertools.count())
        seen = write_masks(box, source, names, Path(folder))
        if (count := source.count()) > seen:
            say(f"the box leaves the picture: it is seen in {seen} of {count} frames")
        yield Path(folder)


def check_crf(crf: int | None, output: Path) -> None:
    """Raise InputError where ``crf`` is none, or ``output`` is a format that loses nothing."""
    if crf is None:
        return
    if output.suffix.lower() == LOSSLESS:
        raise InputError(f"--crf {crf} has no effect on {output}, which loses nothing; drop it, or write .mp4")
    if not 0 <= crf <= 51:
        raise InputError(f"--crf {crf} is none of 0 (nothing is lost) to 51 (nearly all is)")


def check_method(method: str | Spec, python: str = "", in_process: bool = False) -> None:
    """Raise InputError where there is no such method, or it has no such option; it is not imported."""
    spec = Spec.parse(method) if isinstance(method, str) else method
    if named_method(spec, python, in_process=in_process) is None:
        with suppress(MissingResource):  # told where the method is made
            plugins.option_values(plugins.outlined("methods", spec.name), spec)


def refuse_input_as_output(output: Path, *inputs: Path) -> None:
    """Raise InputError where a file that is read would be written over."""
    if os.path.realpath(output) in map(os.path.realpath, inputs):
        raise InputError(f"{output} is also the input; name another file to write to")


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
    output: Path,
    height: int,
    width: int,
    source: FrameSource,
    beside: Path | None,
    say: Say,
    crf: int | None = None,
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
            crf=CRF if crf is None else crf,
        ) as writer,
    ):
        yield writer


def check_memory(host: Host, view: View, say: Say) -> None:
    """Say what memory a method will take, where that is much; raise InputError where this machine does not have it.

    A method that takes the whole video needs at least its frames and masks, and its answer. One that works in windows
    says what a window takes (``DescribedMethod``).
    """
    pixels = view.height * view.width
    window, each = host.described.get("window_bytes"), host.described.get("bytes_per_pixel")
    if host.streams and window and each:
        held = int(window / (each * pixels))
        if view.frames is not None and view.frames > held:
            say(
                f"the method fills windows of at most {max(1, held)} frames, in {window / 1e9:.1f} GB of memory; a "
                "place that is hidden for longer is not looked for any further"
            )
    if host.streams or view.frames is None:
        return
    needed = 7 * view.frames * pixels
    if needed > (free := psutil.virtual_memory().available):
        raise InputError(
            f"the method takes the whole video, whose {view.frames} frames of {view.width}x{view.height} need at "
            f"least {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; cut it, or take a method that "
            "streams"
        )
    if needed > MUCH_BYTES:
        say(f"the method takes the whole video at once: {needed / 1e9:.1f} GB of memory at least")


@contextmanager
def filling(method: str | Spec, device: str, in_process: bool, python: str = "") -> Iterator[Host]:
    """Make a named method and, when the block has ended, end the process in which it works."""
    spec = Spec.parse(method) if isinstance(method, str) else method
    if (found := named_method(spec, python, in_process=in_process)) is not None:
        spec = found.spec
        plugins.register("methods", spec.name, found.factory)
    with naming(spec.label), hosted(spec, resolve(device), thread_count(), in_process=in_process) as host:
        yield host


def filled(host: Host, pairs: Iterator[Pair], view: View, limit_seconds: float | None) -> Iterator[tuple[Frame, Pair]]:
    """Yield each frame with its hole filled, and all else of it kept, with what it was made of.

    The method gets what ``view`` shows, in which all holes lie. MethodFailed where it does not give one frame for each.
    """
    pairs, originals = tee(pairs)
    shown = ((_cut(pair, view), pair.hole[view.place]) for pair in pairs)
    answers = (_stream if host.streams else _whole)(host, shown, view, limit_seconds)
    for answer, original in _matched(answers, originals):
        frame = original.timed.frame.copy()
        hole = original.hole[view.place]
        frame[view.place][hole] = answer[hole]
        yield frame, original


def pairs_of(frames: Iterable[TimedFrame], masks: MaskSource, dilation_iterations: int) -> Iterator[Pair]:
    """Yield each frame with its mask, and with the hole to which it is dilated."""
    for timed, mask in paired(frames, masks):
        yield Pair(timed, mask, dilate(mask[None], dilation_iterations)[0])


def _stream(
    host: Host, shown: Iterator[tuple[Frame, Mask]], view: View, limit_seconds: float | None
) -> Iterator[Frame]:
    given = host.stream(shown, view.height, view.width, limit_seconds=limit_seconds)
    while True:
        with method_failures():
            frame = next(given, END)
        if frame is END:
            return
        yield frame


def _whole(host: Host, shown: Iterator[tuple[Frame, Mask]], view: View, limit_seconds: float | None) -> Iterator[Frame]:
    frames, holes, room = [], [], MAX_CLIP_BYTES
    for frame, hole in shown:
        room -= frame.nbytes
        if room < 0:
            raise InputError(
                f"a method that does not stream needs the whole video in memory, and this one takes more than "
                f"{MAX_CLIP_BYTES >> 30} GiB at {view.width}x{view.height}; cut it, or take a method that streams"
            )
        frames.append(frame)
        holes.append(hole)
    holed = Holed("video", np.stack(frames), np.stack(holes))
    frames.clear()
    with method_failures():
        answer, _ = host.fill(holed, timed=False, limit_seconds=limit_seconds)
    yield from answer


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


def _cut(pair: Pair, view: View) -> Frame:
    cut = pair.timed.frame[view.place].copy()
    cut[pair.hole[view.place]] = 0
    return cut
