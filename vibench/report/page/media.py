"""The pictures of one case: its mosaic video, its x-t slices, its film strips, and what a page must know about them.

Files are named by what is in them, so a report that is built again only makes what is new. ``<key>.json`` is written
last: its presence says that the rest is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frames, Masks
from vibench.files import write_atomically
from vibench.machine.processes import worker_pool
from vibench.media.video_writer import ENCODER
from vibench.report.film import STRIP_FRAMES, write_picture, write_strip
from vibench.report.page.mosaic import (
    BLOCK_PX,
    Blocks,
    Grid,
    Tile,
    block_runs,
    coding_loss,
    outlines,
    patch_blocks,
    write_mosaic,
    write_slices,
)
from vibench.results.store import Store

VERSION = 2
"""To be counted up when a file of the same key would look different."""

WIDEST_PX = 640
"""Players show frames at most this wide; wider ones are scaled down, and the page says so."""

ROW_MARGIN_PX = 8

THUMB_PX = (144, 108)
"""Width and height of a thumbnail."""

THUMB_MARGIN = 1.5
"""So many times the hole's height or width is seen in a thumbnail."""


@dataclass(frozen=True)
class Output:
    """Where one method's frames of a case are kept.

    ``label`` names the method on the page and ``method`` in its run; ``sha256`` is the hash of its frames.
    """

    label: str
    run: Path
    method: str
    sha256: str


@dataclass(frozen=True)
class CaseJob:
    """The pictures of one case that are to be made: from which run the input comes, and whose outputs to show."""

    case: str
    run: Path
    case_key: str
    outputs: tuple[Output, ...]

    @property
    def key(self) -> str:
        """The name of all files of the case: a hash of everything that decides their content."""
        parts = [VERSION, ENCODER, WIDEST_PX, self.case_key, [(output.label, output.sha256) for output in self.outputs]]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def make_media(
    jobs: Sequence[CaseJob], folder: Path, processes: int, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Make what is missing in ``folder``, by so many processes; return what the page must know, by the job's key.

    Jobs whose frames were not kept are left out. ``say`` is called with a sentence for each case that was made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if not (folder / f"{job.key}.json").exists()]
    for done, case in enumerate(_made(missing, folder, processes), start=1):
        say(f"pictures of {case} ({done}/{len(missing)})")
    found = {}
    for job in jobs:
        path = folder / f"{job.key}.json"
        if path.exists():
            found[job.key] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _made(jobs: Sequence[CaseJob], folder: Path, processes: int) -> Iterator[str]:
    """Make the pictures of all jobs; yield the name of each case when it is done."""
    if min(processes, len(jobs)) <= 1:
        for job in jobs:
            make_case(job, folder)
            yield job.case
        return
    count = min(processes, len(jobs))
    with worker_pool(count, threads=max(1, (os.cpu_count() or 1) // count)) as pool:
        pending = {pool.submit(make_case, job, folder): job.case for job in jobs}
        for future in as_completed(pending):
            future.result()
            yield pending[future]


def make_case(job: CaseJob, folder: Path) -> None:
    """Write all files of one case; write nothing where the run did not keep its frames."""
    store = Store.open(job.run)
    kept = store.case_frames(job.case)
    if kept is None:
        return
    frames, holes, truth = kept
    shown = _Shown.of(frames, holes)
    sources: list[dict[str, Any]] = [{"label": "input", "kind": "input", "tile": 0}]
    tiles = [Tile(shown.scaled(frames), is_patch=False)]
    composited = store.info.protocol.get("scoring", {}).get("composite") == "holes"
    for output in job.outputs:
        filled = Store.open(output.run).frames(output.method, job.case)
        if filled is None or filled.shape != frames.shape:
            continue
        sources.append({"label": output.label, "kind": "method", "tile": len(tiles)})
        scaled = shown.scaled(filled)
        is_patch = composited or _differs_only_inside(filled, frames, holes)
        tiles.append(Tile.patch(scaled, shown.blocks) if is_patch else Tile(scaled, is_patch=False))
    if truth is not None:
        same = np.array_equal(truth, frames)
        sources.append({"label": "truth", "kind": "truth", "tile": 0 if same else len(tiles)})
        if not same:
            tiles.append(Tile(shown.scaled(truth), is_patch=False))
    rate = Fraction(store.frames_per_second(job.case) or 24.0).limit_denominator(1001)
    facts = _films(job.key, folder, shown, tiles, rate) | _strips(job.key, folder, shown, tiles, sources)
    facts |= _thumbs(job.key, folder, shown, tiles, sources)
    for source in sources:
        source["patch"] = tiles[source["tile"]].is_patch
    write_atomically(folder / f"{job.key}.json", json.dumps(facts | {"sources": sources}).encode())


@dataclass(frozen=True)
class _Shown:
    """The size at which a case is shown, and its holes at that size."""

    width: int
    height: int
    full_width: int
    holes: Masks
    blocks: Blocks

    @classmethod
    def of(cls, frames: Frames, holes: Masks) -> _Shown:
        import cv2

        height, width = frames.shape[1:3]
        scale = min(1.0, WIDEST_PX / width)
        size = (round(width * scale), round(height * scale))
        if scale < 1:
            # By area, so that a thin hole survives being made smaller.
            smaller = (cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) for hole in holes)
            holes = np.stack([hole > 0 for hole in smaller])
        return cls(*size, width, holes, patch_blocks(holes))

    def scaled(self, frames: Frames) -> Frames:
        import cv2

        if self.width == self.full_width:
            return frames
        size = (self.width, self.height)
        return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def _differs_only_inside(filled: Frames, frames: Frames, holes: Masks) -> bool:
    # Frame by frame: the temporary arrays of a whole clip would be as large as the clip.
    return all(((filled[k] == frames[k]) | holes[k][..., None]).all() for k in range(len(frames)))


def _films(key: str, folder: Path, shown: _Shown, tiles: list[Tile], rate: Fraction) -> dict[str, Any]:
    """Write the two videos; return what the page needs to cut them up."""
    grid = Grid.of(len(tiles), shown.width, shown.height)
    slices = Grid.of(len(tiles), shown.width, len(shown.holes))
    touched = np.flatnonzero(shown.holes.any(axis=(0, 2)))
    first, last = int(touched[0]), int(touched[-1])
    rows = range(max(0, first - ROW_MARGIN_PX), min(shown.height, last + 1 + ROW_MARGIN_PX))
    film, turned = folder / f"{key}.mp4", folder / f"{key}.rows.mp4"
    write_mosaic(film, grid, tiles, shown.blocks, rate)
    write_slices(turned, slices, tiles, shown.blocks, rows)
    mean, high = coding_loss(film, grid, tiles, shown.blocks)
    return {
        "video": film.name,
        "slices": turned.name,
        "frames": len(shown.holes),
        "rate": float(rate),
        "width": shown.width,
        "height": shown.height,
        "full_width": shown.full_width,
        "grid": [grid.columns, grid.pitch_x, grid.pitch_y],
        "slice_grid": [slices.columns, slices.pitch_x, slices.pitch_y],
        "rows": [rows.start, rows.stop],
        "block": BLOCK_PX,
        "runs": _distinct([block_runs(blocks) for blocks in shown.blocks]),
        "slice_runs": [[run[1:] for run in block_runs(line[None])] for line in np.asarray(shown.blocks.any(axis=0))],
        "outlines": _distinct([outlines(hole) for hole in shown.holes]),
        "loss": {"mean": round(mean, 2), "p99": round(high, 1)},
    }


def _strips(key: str, folder: Path, shown: _Shown, tiles: list[Tile], sources: list[dict[str, Any]]) -> dict[str, Any]:
    """Write a film strip of the same few frames for each source, and note it there; return which frames they are."""
    with_hole = np.flatnonzero([hole.any() for hole in shown.holes])
    chosen = with_hole[np.linspace(0, len(with_hole) - 1, min(STRIP_FRAMES, len(with_hole))).round().astype(int)]
    indices = sorted({int(index) for index in chosen})
    for source in sources:
        name = f"{key}-{sources.index(source)}.jpg"
        holes = shown.holes[indices]
        # Beyond its patch a method's frame is the input's.
        pictures = tiles[source["tile"]].onto(tiles[0].frames[indices].copy(), indices)
        size = write_strip(folder / name, pictures, holes, cut=source["kind"] == "input")
        source["strip"] = {"file": name, "width": size[0], "height": size[1]}
    return {"strip_frames": indices}


def _thumbs(key: str, folder: Path, shown: _Shown, tiles: list[Tile], sources: list[dict[str, Any]]) -> dict[str, Any]:
    """Write one picture with a thumbnail of each source, cut around the hole in the frame where it is largest."""
    import cv2

    at = int(np.argmax(shown.holes.sum(axis=(1, 2))))
    place = _around(shown.holes[at])
    pictures = [
        cv2.resize(tiles[source["tile"]].onto(tiles[0].frames[at].copy(), at)[place], THUMB_PX) for source in sources
    ]
    write_picture(folder / f"{key}.thumbs.jpg", np.concatenate(pictures, axis=1))
    return {"thumbs": f"{key}.thumbs.jpg", "thumb_frame": at}


def _around(hole: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns of a window around the hole, as wide and high as a thumbnail's shape allows."""
    height, width = hole.shape
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    ratio = THUMB_PX[0] / THUMB_PX[1]
    high = max(THUMB_MARGIN * (rows[-1] - rows[0] + 1), THUMB_MARGIN * (columns[-1] - columns[0] + 1) / ratio, 24)
    high = min(high, height, width / ratio)
    spans = ((rows, round(high), height), (columns, round(high * ratio), width))
    starts = [max(0, min(size - span, int(found[0] + found[-1] + 1 - span) // 2)) for found, span, size in spans]
    return slice(starts[0], starts[0] + spans[0][1]), slice(starts[1], starts[1] + spans[1][1])


def _distinct(items: list[Any]) -> dict[str, Any]:
    """Write a list with many repeats as its distinct values and an index for each item: holes often stand still."""
    places: dict[str, int] = {}
    values: list[Any] = []
    indices: list[int] = []
    for item in items:
        text = json.dumps(item)
        if text not in places:
            places[text] = len(values)
            values.append(item)
        indices.append(places[text])
    return {"values": values, "at": indices}
