"""CFD of OmniPaint: does a removed object's place fit its surroundings, and did something new appear in it?

Source: Yu et al., OmniPaint, and its code (yeates/OmniPaint, ``cfd_score/main.py``), in tokens of DINOv2-giant and
segments of SAM. For each part of the hole there is a context term, the distance between the part and a ring around it,
and a penalty for every segment that lies wholly within the part: its distance to the segments beside it that reach out
of the part, weighted by its share of the area of all such segments.

The released code departs from its words in three ways, and each changes the number:

1. 257 flags are matched to 257 tokens of which the first is that of the class, so each flag selects the patch before
   its own, the first flag selects the class, and the last patch always counts.
2. In the penalty the flags are numbers of 0 to 255 and select tokens by number: the class token as often as a patch is
   outside, patch 254 as often as one is inside. The penalty compares no places.
3. The picture is enlarged to 256 px and cut to its middle 224 px after its masks were made, so that tokens see the
   middle 7/8 of what the masks cover.

``as_released`` computes what the code computes. ``BY_PLACE`` mends the first two, ``BY_PLACE_WHOLE`` all three; both
are our mends. Because of the second, no ``cfd`` is among the registered metrics: only its context term has a meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frame, Mask
from vibench.metrics.networks.pictures import resized, short_side

Tokens = NDArray[np.float32]
"""(257, D): the token of the class and those of 16 x 16 patches of a picture of 224 x 224 px."""

Flags = NDArray[Any]
"""One entry a patch and one more: bool, or uint8 where the mask was a grey picture."""

FindTokens = Callable[[Frame], Tokens]
"""A function that gives the tokens of a picture of 224 x 224 px."""

SIDE_PX, LARGER_PX, PATCHES = 224, 256, 16
OVERLAP, INSIDE = 0.8, 0.9


class Reading(NamedTuple):
    """How the code is read: whether flags select patches by their place, and whether tokens see the whole picture."""

    by_place: bool
    whole: bool


AS_RELEASED = Reading(by_place=False, whole=False)
BY_PLACE = Reading(by_place=True, whole=False)
BY_PLACE_WHOLE = Reading(by_place=True, whole=True)


class CFD(NamedTuple):
    """CFD of one picture. ``terms`` are the distances in order: of each part its context, then its penalties.

    ``total`` is the sum over parts, the penalties weighted; ``score`` is the total divided by the number of parts. They
    are None where a term is, because a part is so small that none of its patches is selected.
    """

    terms: tuple[float | None, ...]
    total: float | None
    score: float | None


def distinct_segments(segments: Sequence[Mask]) -> list[Mask]:
    """Return segments, bool (H, W), by falling area, without those that repeat or lie in one that was kept.

    A segment repeats another at an intersection over union above 0.8, and lies in it with more than 90 % of its area.
    """
    kept: list[Mask] = []
    for segment in sorted(segments, key=lambda segment: -int(segment.sum())):
        area = max(int(segment.sum()), 1)
        shared = [(int((segment & other).sum()), int((segment | other).sum())) for other in kept]
        if not any(both / max(either, 1) > OVERLAP or both / area > INSIDE for both, either in shared):
            kept.append(segment)
    return kept


def cfd(picture: Frame, hole: Mask, segments: Sequence[Mask], find: FindTokens, reading: Reading = AS_RELEASED) -> CFD:
    """Return CFD of a picture, uint8 (H, W, 3), with its hole, bool (H, W), and all segments of the picture.

    Lower is better. A picture without a hole has no parts, and no score.
    """
    count, labels = cv2.connectedComponents(hole.astype(np.uint8), connectivity=8)
    terms: list[float | None] = []
    weighted: list[float | None] = []
    segments = distinct_segments(segments)
    for label in range(1, count):
        part = labels == label
        for distance, weight in _terms(picture, part, segments, find, reading):
            terms.append(distance)
            weighted.append(None if distance is None else weight * distance)
    known = [value for value in weighted if value is not None]
    total = sum(known) if len(known) == len(weighted) and count > 1 else None
    return CFD(tuple(terms), total, None if total is None else total / (count - 1))


def _terms(
    picture: Frame, part: Mask, segments: Sequence[Mask], find: FindTokens, reading: Reading
) -> list[tuple[float | None, float]]:
    """The distances of one part with their weights: its context, and its penalties."""
    whole = _tokens(picture, find, reading)
    found = [(_distance(whole, _flags(part), whole, _flags(ring_around(part)), reading), 1.0)]
    inside = [segment for segment in segments if (segment & part).any() and not (segment & ~part).any()]
    border = [segment & part for segment in segments if (segment & part).any() and (segment & ~part).any()]
    area = sum(int(segment.sum()) for segment in inside)
    for segment in inside:
        beside = [piece for piece in border if _adjacent(segment, piece)]
        if beside:
            pictures, masks = zip(*(_cut_out(picture, mask) for mask in (np.any(beside, axis=0), segment)), strict=True)
            first, second = (_tokens(cut, find, reading) for cut in pictures)
            flags = _grey_flags(masks[0], bicubic=False), _grey_flags(masks[1], bicubic=True)
            found.append((_distance(first, flags[0], second, flags[1], reading), int(segment.sum()) / area))
    return found


def ring_around(part: Mask) -> Mask:
    """Return the rectangle around a part, a third of its size wider on each side, without the part: bool (H, W)."""
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    above, beside = (bottom - top) // 3, (right - left) // 3
    ring = np.zeros_like(part)
    ring[max(0, top - above) : bottom + above + 1, max(0, left - beside) : right + beside + 1] = True
    return ring ^ part


def _adjacent(first: Mask, second: Mask) -> bool:
    kernel = np.ones((5, 5), np.uint8)
    grown = (cv2.dilate(mask.astype(np.uint8), kernel, iterations=3) > 0 for mask in (first, second))
    return any((larger & other).any() for larger, other in zip(grown, (second, first), strict=True))


def _cut_out(picture: Frame, mask: Mask) -> tuple[Frame, Mask]:
    """The tight crop around a mask, white outside it, and the mask's crop."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(mask[..., None], picture, np.uint8(255))[box], mask[box]


def _tokens(picture: Frame, find: FindTokens, reading: Reading) -> Tokens:
    from PIL.Image import Resampling

    square = resized(picture, SIDE_PX, SIDE_PX, Resampling.BICUBIC)
    return find(square if reading.whole else np.ascontiguousarray(short_side(square, LARGER_PX, SIDE_PX)))


def _flags(mask: Mask) -> Flags:
    """The patches that a mask covers and a last True: bool (257,)."""
    from PIL import Image
    from PIL.Image import Resampling

    small = Image.fromarray(mask).resize((SIDE_PX, SIDE_PX), Resampling.NEAREST)
    return np.append(np.asarray(small.resize((PATCHES, PATCHES), Resampling.NEAREST)).ravel(), True)


def _grey_flags(mask: Mask, bicubic: bool) -> Flags:
    """The same of a grey picture of the mask: uint8 (257,) of 0 to 255, and a last 1."""
    from PIL import Image
    from PIL.Image import Resampling

    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    small = grey.resize((SIDE_PX, SIDE_PX), Resampling.BICUBIC if bicubic else Resampling.NEAREST)
    flags = np.asarray(small.resize((PATCHES, PATCHES), Resampling.NEAREST)).ravel()
    return np.append(flags, True).astype(np.uint8)


def _distance(first: Tokens, flags: Flags, second: Tokens, other: Flags, reading: Reading) -> float | None:
    """One minus the cosine of both means of the selected tokens; None where a selection is empty."""
    means = []
    for tokens, selection in ((first, flags), (second, other)):
        unit = tokens.astype(np.float64) / np.linalg.norm(tokens, axis=1, keepdims=True)
        if reading.by_place:
            selected = unit[1:][selection[:-1] if selection.dtype == np.bool_ else selection[:-1] > 127]
        else:
            selected = unit[selection]  # booleans select by place, the numbers of a grey mask by number
        if not len(selected):
            return None
        means.append(selected.mean(axis=0))
    one, two = means
    return 1 - float(one @ two / (np.linalg.norm(one) * np.linalg.norm(two)))
