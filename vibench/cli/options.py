"""What several commands have in common: options of the same meaning, lengths of time and sizes."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from vibench.errors import InputError

OneMethod = Annotated[str, typer.Argument(help="One method, as in --methods of run: 'vinet\\[memory=false]'.")]
Size = Annotated[str, typer.Option(help="Width x height of the clip in pixels.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h)?$")
_SIZE = re.compile(r"^(\d+)x(\d+)$")
_SECONDS = {"s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(duration: str) -> float:
    """``90s``, ``10m``, ``1h`` or plain seconds; InputError for anything else."""
    match = _DURATION.match(duration.strip())
    if match is None or float(match[1]) == 0:
        raise InputError(f"{duration!r} is no length of time; write 90s, 10m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def size_of(text: str) -> tuple[int, int]:
    """``432x240`` as (width, height); InputError for anything else, or a side below 16."""
    match = _SIZE.match(text.strip())
    if match is None or min(int(match[1]), int(match[2])) < 16:
        raise InputError(f"{text!r} is no size; write WIDTHxHEIGHT, such as 432x240, at least 16 each")
    return int(match[1]), int(match[2])
