"""What several commands share: options that mean the same, lengths of time, sizes, and how Ctrl-C ends a command."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from vibench.errors import InputError

Methods = Annotated[
    str,
    typer.Option(
        "--methods",
        "-m",
        help="Methods by comma: names that vibench list methods prints, method files of programs (./propainter.toml), "
        "or module:factory of your own; options follow in brackets, such as 'vinet\\[memory=false],telea'.",
    ),
]
Data = Annotated[Path | None, typer.Option(help="Folder or URL of the protocol's data set, where it is not bundled.")]
WHICH_PROTOCOL = "Name, name@version, a .toml file, or your own data as folder:PATH or pairs:PATH."


def _include(places: list[Path] | None) -> list[Path] | None:
    import vibench

    for place in places or ():
        vibench.include(place)
    return places


Include = Annotated[
    list[Path] | None,
    typer.Option(
        "--include", callback=_include, is_eager=True, metavar="PATH",
        help="Folder of protocols and cards of your own, or one .toml file; may be given several times.",
    ),
]  # fmt: skip
MasksFolder = Annotated[
    Path | None,
    typer.Option(
        "--masks",
        help="Folder of your own masks, by the clips' names: CLIP/ of images, CLIP.mp4, CLIP.png or CLIP.npy.",
    ),
]
ProtocolName = Annotated[str, typer.Argument(metavar="PROTOCOL", help=WHICH_PROTOCOL)]
FirstCases = Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it is there.")]
OutputVideo = Annotated[Path, typer.Option("--output", "-o", help="Video to write: .mp4, .mov, .m4v or lossless .mkv.")]
OneMethod = Annotated[str, typer.Argument(help="One method with its options: 'vinet\\[memory=false]'.")]
Size = Annotated[str, typer.Option(help="Width x height of the clip in pixels.")]
InProcess = Annotated[
    bool, typer.Option("--in-process", help="Run the method in this process, for a debugger; a crash ends the command.")
]
Python = Annotated[
    str, typer.Option(help="Interpreter of methods that are named as module:factory: ENVIRONMENT/bin/python.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes CUDA when there is one.")]

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h)?$")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9.+-]+:/")
_SIZE = re.compile(r"^(\d+)x(\d+)$")
_SECONDS = {"s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(duration: str) -> float:
    """Read ``90s``, ``10m``, ``1h`` or plain seconds as seconds; raise InputError for anything else."""
    match = _DURATION.match(duration.strip())
    if match is None or float(match[1]) == 0:
        raise InputError(f"{duration!r} is no length of time; write 90s, 10m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def size_of(text: str) -> tuple[int, int]:
    """Read ``432x240`` as (width, height) in pixels; raise InputError for anything else, or a side below 16."""
    match = _SIZE.match(text.strip())
    if match is None or min(int(match[1]), int(match[2])) < 16:
        raise InputError(f"{text!r} is no size; write WIDTHxHEIGHT, such as 432x240, at least 16 each")
    return int(match[1]), int(match[2])


@contextmanager
def ends_after_interrupt(
    sentence: str = "stopped; everything finished is kept, and the same command continues",
) -> Iterator[None]:
    """Let Ctrl-C inside the block end the command with a sentence and the shell's usual status 130."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\n{sentence}", err=True)
        sys.exit(130)


def refuse_to_replace(output: Path, overwrite: bool) -> None:
    """Raise InputError where a file lies at ``output`` already and ``overwrite`` does not allow to replace it."""
    if output.exists() and not overwrite:
        raise InputError(f"{output} is there already; add --overwrite to replace it")


def write_or_print(text: str, output: Path | None) -> None:
    """Write ``text`` to the file ``output`` whole, and say so on standard error; print it where there is no file."""
    if output is None:
        typer.echo(text)
        return
    if _URL.match(str(output)):
        raise InputError(f"{output} is a URL, and this is written on a disk of this machine; name a path")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    typer.echo(f"written: {output}", err=True)
