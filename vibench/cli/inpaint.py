"""The commands ``vibench inpaint`` and ``vibench retarget``, for somebody who has a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vibench.cli.options import (
    Device,
    InProcess,
    OutputVideo,
    Overwrite,
    Python,
    ends_after_interrupt,
    refuse_to_replace,
)
from vibench.errors import InputError

Threshold = Annotated[
    int | None,
    typer.Option(
        "--mask-threshold",
        min=1,
        max=255,
        help="Lowest grey level of the hole, of 255. Left out: black and white, soft edges, paint on black.",
    ),
]
NoSound = Annotated[
    bool, typer.Option("--no-sound", help="Leave out sound, subtitles, chapters and titles instead of copying them.")
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        help="Seconds that the method may take for its next frame where it streams, or else for the whole video.",
    ),
]
Video = Annotated[Path, typer.Argument(help="A video file, or a folder of images.")]


def inpaint(
    video: Video,
    output: OutputVideo,
    mask: Annotated[
        Path | None,
        typer.Option("--mask", help="Where the hole is (white): an image for all frames, a folder, a video or .npy."),
    ] = None,
    box: Annotated[
        str, typer.Option(metavar="X,Y,W,H", help="Instead of a mask: a box in the first frame, which flow follows.")
    ] = "",
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Fill from here on: seconds, 12.5, or a time stamp, 1:02.5.")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Fill until before here; what lies outside is written as it is."),
    ] = None,
    whole_frame: Annotated[
        bool, typer.Option("--whole-frame", help="Give the method all of a large frame, not what is around the holes.")
    ] = False,
    preview: Annotated[
        Path | None, typer.Option(help="Picture of some frames with their holes in red, written before filling.")
    ] = None,
    crf: Annotated[
        int | None, typer.Option(help="What H.264 may lose: 0 nothing to 51 nearly all; 14 when left out.")
    ] = None,
    method: Annotated[
        str,
        typer.Option("--method", "-m", help="One method with options in brackets: vinet, ./program.toml."),
    ] = "flow_propagation",
    dilate: Annotated[int, typer.Option(min=0, max=64, help="Grow the hole N times by one pixel.")] = 0,
    mask_threshold: Threshold = None,
    no_sound: NoSound = False,
    overwrite: Overwrite = False,
    device: Device = "auto",
    time_limit: TimeLimit = None,
    in_process: InProcess = False,
    python: Python = "",
) -> None:
    """Remove what the mask or the box marks from one video; times, sound, titles and all other pixels are kept.

    With --start and --end only that part is filled. The output holds the whole video and all its sound all the same.
    """
    import vibench
    from vibench.cli.progress import frame_progress

    if (mask is None) == (not box):
        raise InputError("name either --mask, or --box X,Y,W,H in the first frame")
    refuse_to_replace(output, overwrite)
    with ends_after_interrupt(f"stopped; {output} was not written"), frame_progress() as progress:
        count = vibench.inpaint(
            video,
            vibench.Box.parse(box) if mask is None else mask,
            method,
            output,
            start=start,
            end=end,
            whole_frame=whole_frame,
            preview=preview,
            crf=crf,
            device=device,
            dilation_iterations=dilate,
            mask_threshold=mask_threshold,
            sound=not no_sound,
            time_limit_seconds=time_limit,
            in_process=in_process,
            python=python,
            say=_say,
            progress=progress,
        )
    typer.echo(f"{count} frames: {output}")


def retarget(
    video: Video,
    mask: Annotated[
        Path, typer.Option("--mask", help="The object that keeps its shape: image, folder, video or .npy.")
    ],
    output: OutputVideo,
    factor: Annotated[float, typer.Option(min=0.1, max=1.0, help="New width (or height) as a share of the old.")] = 0.5,
    axis: Annotated[str, typer.Option(help="What is squeezed: width or height.")] = "width",
    method: Annotated[str, typer.Option("--method", "-m", help="What fills the background.")] = "flow_propagation",
    dilate: Annotated[int, typer.Option(min=0, max=64, help="Grow the object N times by one pixel for filling.")] = 4,
    mask_threshold: Threshold = None,
    no_sound: NoSound = False,
    overwrite: Overwrite = False,
    device: Device = "auto",
    time_limit: TimeLimit = None,
    in_process: InProcess = False,
    python: Python = "",
) -> None:
    """Squeeze a video without squeezing the object in it: fill behind it, squeeze, paste it back."""
    import vibench
    from vibench.cli.progress import frame_progress

    refuse_to_replace(output, overwrite)
    with ends_after_interrupt(f"stopped; {output} was not written"), frame_progress() as progress:
        count = vibench.retarget(
            video,
            mask,
            method,
            output,
            factor=factor,
            axis=axis,  # type: ignore[arg-type]
            device=device,
            dilation_iterations=dilate,
            mask_threshold=mask_threshold,
            sound=not no_sound,
            time_limit_seconds=time_limit,
            in_process=in_process,
            python=python,
            say=_say,
            progress=progress,
        )
    typer.echo(f"{count} frames: {output}")


def _say(sentence: str) -> None:
    typer.echo(f"note: {sentence}", err=True)
