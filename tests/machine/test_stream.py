"""A video crosses to a method's process and back: nothing is mixed up, nobody runs ahead, who fails is ended."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written_module import written_module

from vibench.clip import Frame, Holed, Mask
from vibench.machine.child import Child, _crossing
from vibench.machine.ring import BYTES_PER_PIXEL, MOST_SLOTS, WANTED_BYTES, Ring, slots_for
from vibench.machine.worker_process import ChildFailed

HEIGHT, WIDTH = 6, 8
METHODS = '''
import queue, threading, time


class Ahead:
    """Adds 1 to every frame, and reads ``frames`` further than it gives; in a thread of its own if it is asked to."""

    def __init__(self, frames=0, threaded=False):
        self.ahead, self.threaded = frames, threaded

    def __call__(self, holed):
        return holed.frames + 1

    def stream(self, frames, masks):
        pairs = self.read(zip(frames, masks)) if self.threaded else zip(frames, masks)
        waiting = []
        for frame, mask in pairs:
            assert mask.all() == (frame[0, 0, 0] % 2 == 1)
            frame += 1  # what it gets is its own
            waiting.append(frame)
            if len(waiting) > self.ahead:
                yield waiting.pop(0)
        yield from waiting

    def read(self, pairs):
        box = queue.Queue()
        threading.Thread(target=lambda: [box.put(pair) for pair in pairs] + [box.put(None)], daemon=True).start()
        return iter(box.get, None)


class Stops:
    def __call__(self, holed):
        return holed.frames + 1

    def stream(self, frames, masks):
        yield next(frames)


class Sleeps(Ahead):
    def stream(self, frames, masks):
        yield from super().stream((next(frames) for _ in range(3)), masks)
        time.sleep(3600)
'''


@pytest.fixture
def methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return written_module("streaming", METHODS, tmp_path, monkeypatch)


def numbered(count: int, seen: list[int] | None = None) -> Iterator[tuple[Frame, Mask]]:
    """Frames full of their number, with masks that are full where it is odd."""
    for number in range(count):
        if seen is not None:
            seen.append(number)
        yield np.full((HEIGHT, WIDTH, 3), number, np.uint8), np.full((HEIGHT, WIDTH), number % 2 == 1)


def numbers(frames: Iterator[Frame]) -> list[int]:
    found = []
    for frame in frames:
        assert frame.shape == (HEIGHT, WIDTH, 3) and np.ptp(frame) == 0
        found.append(int(frame[0, 0, 0]))
    return found


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("ahead", [0, 1, MOST_SLOTS, 3 * MOST_SLOTS, 1000])
def test_frames_come_back_in_order_however_far_a_method_reads_ahead(methods: str, ahead: int, threaded: bool) -> None:
    with Child(methods, "Ahead", {"frames": ahead, "threaded": threaded}) as child:
        child.load()
        for count in (1, 50):  # the second video in the same process
            assert numbers(child.stream(numbered(count), HEIGHT, WIDTH)) == list(range(1, count + 1))


@pytest.mark.parametrize("ahead", [0, 5])
def test_nobody_runs_ahead_by_more_than_the_ring_and_the_method_s_own_look_ahead(methods: str, ahead: int) -> None:
    seen: list[int] = []
    with Child(methods, "Ahead", {"frames": ahead}) as child:
        slots = slots_for(HEIGHT, WIDTH)
        for fetched, _ in enumerate(child.stream(numbered(100, seen), HEIGHT, WIDTH), start=1):
            assert len(seen) - fetched <= 2 * slots + ahead + 1
    assert len(seen) == 100


def test_a_ring_takes_no_more_memory_than_it_should() -> None:
    for height, width in ((16, 16), (240, 432), (1080, 1920), (2160, 3840)):
        slots = slots_for(height, width)
        assert 2 <= slots <= MOST_SLOTS
        assert Ring.size(slots, height, width) <= max(WANTED_BYTES, 2 * BYTES_PER_PIXEL * height * width)


def test_a_method_that_stops_early_leaves_the_process_ready_for_the_next_order(methods: str) -> None:
    with Child(methods, "Stops") as child:
        assert numbers(child.stream(numbered(50), HEIGHT, WIDTH)) == [0]
        holed = Holed("x", np.zeros((2, HEIGHT, WIDTH, 3), np.uint8), np.ones((2, HEIGHT, WIDTH), bool))
        assert (child.fill(holed, timed=False)[0] == 1).all()


def test_a_video_that_breaks_off_ends_the_process_and_the_next_one_starts_another(methods: str) -> None:
    def broken() -> Iterator[tuple[Frame, Mask]]:
        yield from numbered(20)
        raise OSError("the disk was taken away")

    with Child(methods, "Ahead") as child:
        with pytest.raises(OSError, match="taken away"):
            list(child.stream(broken(), HEIGHT, WIDTH))
        assert numbers(child.stream(numbered(3), HEIGHT, WIDTH)) == [1, 2, 3]
        stream = child.stream(numbered(50), HEIGHT, WIDTH)
        assert numbers(islice(stream, 2)) == [1, 2]
        stream.close()  # type: ignore[attr-defined]
        assert numbers(child.stream(numbered(3), HEIGHT, WIDTH)) == [1, 2, 3]


def test_a_method_that_gives_no_further_frame_is_ended(methods: str) -> None:
    with Child(methods, "Sleeps") as child:
        child.load()
        with pytest.raises(ChildFailed, match="longer than --time-limit 1 seconds for a frame") as failed:
            list(child.stream(numbered(9), HEIGHT, WIDTH, limit_seconds=1.0))
        assert failed.value.kind == "time-out"


class Scripted:
    """A process that gives three frames, and takes 4 seconds of a made-up clock for each answer."""

    def __init__(self) -> None:
        self.now, self.told = 0.0, []  # type: ignore[var-annotated]
        self.answers = [{"taken": 1}, {"given": 1}, {"given": 2}, {"taken": 2}, {"given": 3}, {"finished": 3}, {}]
        self.left: list[float] = []

    def tell(self, **words: Any) -> None:
        self.told.append(words)

    def answer(self, until: float) -> dict[str, int]:
        self.left.append(until - self.now)
        self.now += 4
        return self.answers.pop(0)


def test_a_limit_counts_the_time_that_the_next_frame_is_waited_for_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process, slots = Scripted(), 3
    monkeypatch.setattr("vibench.machine.child.monotonic", lambda: process.now)
    flat = np.zeros(Ring.size(slots, HEIGHT, WIDTH), np.uint8)
    for _ in _crossing(process, Ring(flat, slots, HEIGHT, WIDTH), numbered(9), 10.0):  # type: ignore[arg-type]
        process.now += 100  # whoever writes the frames may take long
    assert process.left == [10, 6, 10, 10, 6, 10, 6]
    assert [words for words in process.told if "fetched" in words] == [{"fetched": 1}, {"fetched": 2}, {"fetched": 3}]
