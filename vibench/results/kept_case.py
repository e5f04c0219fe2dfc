"""One case of a run as it was kept on disk: its input, its holes, its truth, and what methods made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vibench.clip import Frames, Masks
from vibench.errors import InputError
from vibench.plugins import split_outside_brackets
from vibench.results.record import TRUTH
from vibench.results.store import Store

INPUT = "input"


@dataclass(frozen=True)
class KeptCase:
    """The frames of one case.

    ``frames`` are the input before its hole was cut, uint8 (T, H, W, 3). ``holes`` are bool (T, H, W), True where a
    method had to fill. ``truth`` is what a perfect method would give, or None where nobody knows that. ``outputs`` maps
    the label of each method to its composited frames. All frames have one shape.
    """

    name: str
    frames: Frames
    holes: Masks
    truth: Frames | None
    outputs: dict[str, Frames]
    frames_per_second: float

    def pictures(self) -> dict[str, Frames]:
        """Name what can be looked at, in the order of showing: the input with a black hole, the outputs, the truth."""
        holed = self.frames.copy()
        holed[self.holes] = 0
        return {INPUT: holed, **self.outputs, **({} if self.truth is None else {TRUTH: self.truth})}

    def hole_row(self) -> int:
        """The number of the row that crosses most hole pixels, counted over all frames."""
        return int(np.argmax(self.holes.sum(axis=(0, 2))))

    def spread_frames(self, count: int) -> list[int]:
        """Choose at most ``count`` frame numbers, counted from 0 and evenly spread over the frames that have a hole."""
        with_hole = np.flatnonzero(self.holes.any(axis=(1, 2)))
        places = np.linspace(0, len(with_hole) - 1, min(count, len(with_hole))).round().astype(int)
        return [int(index) for index in with_hole[np.unique(places)]]


def load_case(run: Path, case: str, methods: str | Sequence[str] = ()) -> KeptCase:
    """Read a case as ``run`` kept it, with the outputs of ``methods``, or all that were kept where none is named.

    ``methods`` are labels of methods, as a list or as one text with commas between them. InputError for an unknown
    case or method, and where the frames were not kept or are torn.
    """
    methods = split_outside_brackets(methods) if isinstance(methods, str) else methods
    store = Store.open(run)
    if case not in store.info.cases:
        raise InputError(f"{str(run)!r} has no case {case!r}; its cases: {', '.join(store.info.cases[:8])}")
    kept = store.case_frames(case)
    if kept is None:
        raise InputError(
            f"{str(run)!r} did not keep the frames of {case!r}, or they are damaged; run again with --keep-frames"
        )
    frames, holes, truth = kept
    if not holes.any():
        raise InputError(f"{case!r} has no hole in any frame; choose another case")
    known = [facts.label for facts in store.info.methods]
    if unknown := [method for method in methods if method not in known]:
        raise InputError(f"{str(run)!r} has no method {unknown[0]!r}; its methods: {', '.join(known)}")
    outputs = {}
    for method in methods or known:
        output = store.frames(method, case)
        if output is not None and output.shape == frames.shape:
            outputs[method] = output
        elif methods:
            raise InputError(f"{str(run)!r} kept no sound frames of {method!r} for {case!r}; leave it out of --methods")
    if not outputs:
        raise InputError(f"{str(run)!r} kept no method's frames of {case!r}; run again with --keep-frames")
    return KeptCase(case, frames, holes, truth, outputs, store.frames_per_second(case) or 24.0)
