"""A ring of slots in which a video crosses to a method and its frames come back, and the method's end of it.

Two processes map the ring. Whoever lays something into a slot says how many it has laid, and waits while all slots are
full: so neither side runs ahead of the other by more than the ring, and memory does not grow with the video.

``worker.py`` needs this file in the process of a method, whose Python may be another one. So nothing but numpy and the
standard library is imported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import tee
from typing import Any

MOST_SLOTS = 8
WANTED_BYTES = 1 << 26
"""A ring of so many bytes is large enough; two slots a direction are the least."""
BYTES_PER_PIXEL = 7
"""Three of the frame, one of its mask, three of the answer."""


def slots_for(height: int, width: int) -> int:
    """How many slots a ring for frames of this size has."""
    return max(2, min(MOST_SLOTS, WANTED_BYTES // (BYTES_PER_PIXEL * height * width)))


class Ring:
    """``frames`` and ``answers``, uint8 (slots, H, W, 3), and ``masks``, bool (slots, H, W), over bytes."""

    def __init__(self, flat: Any, slots: int, height: int, width: int) -> None:
        self.slots = slots
        pixels = slots * height * width
        self.frames = flat[: 3 * pixels].reshape(slots, height, width, 3)
        self.answers = flat[3 * pixels : 6 * pixels].reshape(slots, height, width, 3)
        self.masks = flat[6 * pixels : 7 * pixels].view(bool).reshape(slots, height, width)

    @staticmethod
    def size(slots: int, height: int, width: int) -> int:
        """The bytes that such a ring needs."""
        return BYTES_PER_PIXEL * slots * height * width


class MethodEnd:
    """The method's end: frames leave the ring when the method asks for them, and its answers are laid into it.

    ``hear`` gives the parent's next order and ``say`` answers it. A method may read frames in one thread and give its
    own in another, so whoever waits reads the orders for all.
    """

    def __init__(self, ring: Ring, hear: Callable[[], dict[str, Any]], say: Callable[[dict[str, Any]], None]) -> None:
        self._ring, self._hear, self._say = ring, hear, say
        self._laid = self._taken = self._given = self._fetched = 0
        self._last = self._over = False
        self._hearing = threading.Lock()

    def frames_and_masks(self) -> tuple[Iterator[Any], Iterator[Any]]:
        """What the method reads, each from a buffer of its own: the frames, and the masks."""
        left, right = tee(self._pairs())
        return (frame for frame, _ in left), (mask for _, mask in right)

    def give(self, frame: Any) -> None:
        """Lay a frame into the ring, as soon as the parent has fetched the one that lies in its slot."""
        self._until(lambda: self._given - self._fetched < self._ring.slots)
        self._ring.answers[self._given % self._ring.slots] = frame
        self._given += 1
        self._say({"given": self._given})

    def finish(self) -> None:
        """Read what the parent still has to say of this video, so that its next order is another one."""
        self._say({"finished": self._given})
        self._until(lambda: False)

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        while True:
            self._until(lambda: self._laid > self._taken or self._last)
            if self._over or self._laid == self._taken:
                return
            slot = self._taken % self._ring.slots
            pair = self._ring.frames[slot].copy(), self._ring.masks[slot].copy()
            self._taken += 1
            self._say({"taken": self._taken})
            yield pair

    def _until(self, ready: Callable[[], bool]) -> None:
        """Read orders until one makes ``ready`` true, or the video is over."""
        while not (ready() or self._over):
            with self._hearing:
                if not (ready() or self._over):
                    order = self._hear()
                    self._laid, self._fetched = order.get("laid", self._laid), order.get("fetched", self._fetched)
                    self._last, self._over = self._last or "last" in order, "over" in order
