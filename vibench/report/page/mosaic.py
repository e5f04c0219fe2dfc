"""One video a case with everything in it: all methods of a frame are tiles of one picture, so they cannot drift apart.

A browser shows one video file in step with itself only; several files drift. Here frame k of the file holds frame k of
the input, the truth and every method, and the page cuts tiles out of it. Where a method's frame equals the input
outside the hole (composited protocols), its tile is grey there and costs nothing; the page takes those pixels from the
input's tile, so that differences are exactly zero beyond the blocks that the hole touches. A second file is the same
turned on its side: frame k holds row k of every tile through time, the x-t slices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frame, Frames, Masks
from vibench.media.video_writer import encode

BLOCK_PX = 16
"""Patches and tiles end at H.264's macroblocks."""

MARGIN_PX = 8
"""Real pixels around a patch, so that the grey beyond does not ring into it."""

GREY = 128

Blocks = NDArray[np.bool_]
"""(T, rows, columns): for each square of BLOCK_PX by BLOCK_PX pixels of each frame, whether the hole touches it."""


@dataclass(frozen=True)
class Grid:
    """Where tiles lie in the mosaic: ``columns`` of them in a line, the next line below.

    A tile takes ``pitch_x`` by ``pitch_y`` pixels, of which the upper left ``width`` by ``height`` are its picture.
    """

    tiles: int
    width: int
    height: int
    columns: int

    @classmethod
    def of(cls, tiles: int, width: int, height: int) -> Grid:
        """Lay out tiles as squarely as possible, because decoders limit the longer side."""
        pitch_x, pitch_y = _rounded_up(width), _rounded_up(height)
        columns = min(range(1, tiles + 1), key=lambda count: max(count * pitch_x, math.ceil(tiles / count) * pitch_y))
        return cls(tiles, width, height, columns)

    @property
    def pitch_x(self) -> int:
        """Pixels from one tile to the next."""
        return _rounded_up(self.width)

    @property
    def pitch_y(self) -> int:
        """Pixels from one line of tiles to the next."""
        return _rounded_up(self.height)

    def place(self, tile: int) -> tuple[int, int]:
        """Return (x, y) of a tile's upper left corner in pixels."""
        return tile % self.columns * self.pitch_x, tile // self.columns * self.pitch_y

    def picture(self, tiles: Iterable[Frame]) -> Frame:
        """Put (height, width, 3) tiles together; their edges are repeated into the padding."""
        lines = math.ceil(self.tiles / self.columns)
        picture = np.full((lines * self.pitch_y, self.columns * self.pitch_x, 3), GREY, np.uint8)
        for index, tile in enumerate(tiles):
            x, y = self.place(index)
            picture[y : y + self.height, x : x + self.width] = tile
            picture[y + self.height : y + self.pitch_y, x : x + self.width] = tile[-1:]
            picture[y : y + self.pitch_y, x + self.width : x + self.pitch_x] = picture[
                y : y + self.pitch_y, x + self.width - 1 : x + self.width
            ]
        return picture


@dataclass(frozen=True)
class Tile:
    """One tile through time: whole frames (T, height, width, 3), or a patch of them that begins at ``left``, ``top``.

    A patch holds what is its own, the blocks around the hole with their margin; to keep the rest as well would take
    most of the memory that a report needs.
    """

    frames: Frames
    is_patch: bool
    left: int = 0
    top: int = 0

    @classmethod
    def patch(cls, frames: Frames, blocks: Blocks) -> Tile:
        """Copy the part of ``frames`` that any frame of ``blocks`` touches."""
        touched = pixels_of(np.asarray(blocks.any(axis=0)), *frames.shape[1:3])
        (top, bottom), (left, right) = (_extent(np.asarray(touched.any(axis=axis))) for axis in (1, 0))
        return cls(frames[:, top:bottom, left:right].copy(), is_patch=True, left=left, top=top)

    def cut(self, at: int, kept: NDArray[np.bool_]) -> Frame:
        """Put frame ``at`` of a patch into a whole frame that is grey where ``kept`` (height, width, 1) is False."""
        height, width = self.frames.shape[1:3]
        shown = np.full((*kept.shape[:2], 3), GREY, np.uint8)
        place = np.s_[self.top : self.top + height, self.left : self.left + width]
        np.copyto(shown[place], self.frames[at], where=kept[place])
        return shown

    def onto(self, pictures: Frames, at: int | slice | list[int]) -> Frames:
        """Put the frames ``at`` where they belong in ``pictures``, one frame or several, and return these."""
        height, width = self.frames.shape[1:3]
        pictures[..., self.top : self.top + height, self.left : self.left + width, :] = self.frames[at]
        return pictures


def patch_blocks(holes: Masks) -> Blocks:
    """Return the blocks that the hole of each frame touches; ``holes`` is (T, H, W)."""
    frames, height, width = holes.shape
    padded = np.zeros((frames, _rounded_up(height), _rounded_up(width)), bool)
    padded[:, :height, :width] = holes
    squares = padded.reshape(frames, -1, BLOCK_PX, padded.shape[2] // BLOCK_PX, BLOCK_PX)
    return np.asarray(squares.any(axis=(2, 4)))


def with_margin(blocks: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Turn one frame's blocks (rows, columns) into a mask (height, width, 1) that is grown by MARGIN_PX."""
    import cv2

    kernel = np.ones((2 * MARGIN_PX + 1, 2 * MARGIN_PX + 1), np.uint8)
    return np.asarray(cv2.dilate(pixels_of(blocks, height, width).astype(np.uint8), kernel) > 0)[..., None]


def pixels_of(blocks: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Turn one frame's blocks (rows, columns) into a mask (height, width)."""
    return blocks.repeat(BLOCK_PX, axis=0).repeat(BLOCK_PX, axis=1)[:height, :width]


def block_runs(blocks: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Turn one frame's blocks into runs (row, first column, end column), which the page copies."""
    runs = []
    for row, line in enumerate(blocks):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(np.int8)))
        runs += [(row, int(start), int(end)) for start, end in edges.reshape(-1, 2)]
    return runs


def outlines(mask: NDArray[np.bool_]) -> list[list[int]]:
    """Return the contours of one frame's hole, inner ones too, through the centres of its edge pixels.

    Each contour is flat, [x0, y0, x1, y1, ...], in pixels.
    """
    import cv2

    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [[int(value) for value in contour.ravel()] for contour in contours]


def write_mosaic(path: Path, grid: Grid, tiles: Sequence[Tile], blocks: Blocks, frames_per_second: Fraction) -> None:
    """Write a video whose frame k is the mosaic of frame k of every tile."""

    def picture(k: int) -> Frame:
        kept = with_margin(blocks[k], grid.height, grid.width)
        return grid.picture(tile.cut(k, kept) if tile.is_patch else tile.frames[k] for tile in tiles)

    encode(path, map(picture, range(len(blocks))), frames_per_second)


def write_slices(path: Path, grid: Grid, tiles: Sequence[Tile], blocks: Blocks, rows: range) -> None:
    """Write a video whose frame k is the mosaic of x-t slices at row ``rows[k]``, (T, width, 3) each, time downwards.

    A patch keeps the columns that any frame needs, or grey lines would ring into those of the next frame.
    """
    ever = np.asarray(blocks.any(axis=0))
    kept = [_columns(line, grid.width) for line in ever]
    grey = np.full((len(blocks), grid.width, 3), GREY, np.uint8)

    def slice_at(tile: Tile, row: int) -> Frame:
        if not tile.is_patch:
            return tile.frames[:, row]
        shown = grey.copy()
        if 0 <= row - tile.top < tile.frames.shape[1]:
            shown[:, tile.left : tile.left + tile.frames.shape[2]] = tile.frames[:, row - tile.top]
        return np.where(kept[row // BLOCK_PX], shown, grey)

    encode(path, (grid.picture(slice_at(tile, row) for tile in tiles) for row in rows), Fraction(25))


def _columns(line: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return which pixels (1, width, 1) one line of blocks covers with its margin."""
    kept = np.convolve(line.repeat(BLOCK_PX)[:width], np.ones(2 * MARGIN_PX + 1), "same") > 0
    return kept[None, :, None]


def coding_loss(path: Path, grid: Grid, tiles: Sequence[Tile], blocks: Blocks, every: int = 16) -> tuple[float, float]:
    """Return the mean and the 99th percentile of |decoded - true| in grey levels, in the blocks around holes.

    Only one frame in ``every`` is looked at.
    """
    import av

    losses = []
    with av.open(str(path)) as file:
        for index, frame in enumerate(file.decode(video=0)):
            if index % every:
                continue
            picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            inside = pixels_of(blocks[index], grid.height, grid.width)
            for place, tile in enumerate(tiles):
                x, y = grid.place(place)
                shown = picture[y : y + grid.height, x : x + grid.width]
                true = tile.onto(shown.copy(), index)
                losses.append(np.abs(shown[inside].astype(np.int16) - true[inside]).ravel())
    joined = np.concatenate(losses)
    return (float(joined.mean()), float(np.percentile(joined, 99))) if joined.size else (0.0, 0.0)


def _extent(touched: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where what is touched begins and ends, with the margin; (0, 1) where nothing is touched."""
    places = np.flatnonzero(touched)
    if not places.size:
        return 0, 1
    return max(0, int(places[0]) - MARGIN_PX), min(len(touched), int(places[-1]) + 1 + MARGIN_PX)


def _rounded_up(size: int) -> int:
    return -(-size // BLOCK_PX) * BLOCK_PX
