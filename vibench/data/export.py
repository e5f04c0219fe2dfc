"""Writes a protocol's cases as image files, for programs that vibench cannot call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from vibench.data.cases import build_case, planned_cases
from vibench.data.layouts import open_dataset
from vibench.files import replacing
from vibench.protocol import Protocol


def export_cases(protocol: Protocol, output: Path, data: Path | None, limit: int | None) -> Iterator[tuple[str, int]]:
    """Write each case under ``output/<case>/`` and yield its name and number of frames.

    ``frames/00000.png`` are RGB with the hole cut to 0, ``masks/00000.png`` grey, 255 = hole. The truth is not written.
    """
    clips = open_dataset(protocol.data.dataset, data, protocol.data.split)
    for planned in planned_cases(protocol, clips.clip_names(), limit=limit):
        holed = build_case(protocol, planned, clips).holed()
        for index, (frame, mask) in enumerate(zip(holed.frames, holed.masks, strict=True)):
            for kind, picture in (("frames", frame), ("masks", np.where(mask, 255, 0).astype(np.uint8))):
                with replacing(output / planned.name / kind / f"{index:05d}.png") as partial:
                    Image.fromarray(picture).save(partial)
        yield planned.name, len(holed.frames)
