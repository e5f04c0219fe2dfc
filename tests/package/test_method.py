"""A clip in windows: every frame is wanted once, in order, with its neighbours on either side."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vibench.method import Window, windows


def in_windows(count: int, overlap: int, most_frames: int, most_bytes: int = 0) -> list[Window]:
    frames = (np.full((2, 3, 3), t, np.uint8) for t in range(count))
    masks = (np.full((2, 3), t % 2 > 0) for t in range(count))
    return list(windows(frames, masks, overlap=overlap, most_frames=most_frames, most_bytes=most_bytes))


@given(st.integers(1, 60), st.integers(0, 6), st.integers(1, 30), st.booleans())
def test_every_frame_is_wanted_once_with_its_neighbours(count: int, overlap: int, most: int, by_bytes: bool) -> None:
    found = in_windows(count, overlap, 0, most * 24) if by_bytes else in_windows(count, overlap, most)
    wanted = [int(frame[0, 0, 0]) for window in found for frame in window.frames[window.begin : window.end]]
    assert wanted == list(range(count))
    for window in found:
        held = [int(frame[0, 0, 0]) for frame in window.frames]
        assert held == list(range(held[0], held[-1] + 1)), "frames in a row"
        assert [bool(mask[0, 0]) for mask in window.masks] == [t % 2 > 0 for t in held]
        assert len(held) <= max(most, 4 * overlap, 1)
        first, last = held[window.begin], held[window.end - 1]
        assert held[0] <= max(0, first - overlap) and held[-1] >= min(count - 1, last + overlap)


def test_a_clip_within_the_limits_is_one_window() -> None:
    assert [(len(window.frames), window.begin, window.end) for window in in_windows(5, 4, 3)] == [(5, 0, 5)]
    assert len(in_windows(20, 2, 20)) == len(in_windows(20, 2, 0)) == len(in_windows(20, 2, 0, 20 * 24)) == 1
    assert len(in_windows(21, 2, 20)) == len(in_windows(21, 2, 0, 20 * 24)) == 2


def test_no_frames_are_no_window() -> None:
    assert in_windows(0, 2, 5) == []
