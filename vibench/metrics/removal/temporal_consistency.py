"""TC: how alike neighbouring frames are to CLIP, or to DINOv2.

Three numbers go by this name, and here each has a name of its own. A clip that stands still is perfect, so the number
of a method is to be read beside that of the truth or of the input.

- ``tc-clip-b32``: VideoPainter (TencentARC/VideoPainter, ``evaluate/metrics.py``). Frames are stretched to a square and
  not normalised. The authors' package computes in half precision on CUDA, which moves the third digit; here it is
  float32 everywhere.
- ``tc-clip-l14`` and ``tc-dino-b14``: EditVerse (adobe-research/EditVerse, ``clip_temporal_consistency.py`` and
  ``dino_temporal_consistency.py``). The vectors are not projected, and negative cosines count as 0.
- ``tc-clip-h14``: MiniMax-Remover, COCOCO and AVID name this model, and none has published code; it is our reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from vibench.clip import Case, Frame, Frames
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series
from vibench.metrics.networks import clip, dinov2
from vibench.metrics.networks.pictures import CLIP, normalised, short_side
from vibench.metrics.networks.pretrained import Backbone, Published, load

SIDE_PX = 224
DINO_SIDE_PX = 256

Vectors = NDArray[np.float32]
"""(T, D): one vector a frame."""

Embed = Callable[[Backbone, Frame], NDArray[np.float32]]
"""A function that gives the vector (D,) of one frame, uint8 (H, W, 3)."""


def neighbour_cosines(vectors: Vectors, least: float = -1.0) -> list[float]:
    """Return the cosine of each vector with the next one: T - 1 values from ``least`` to 1, higher is steadier."""
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return [max(least, float(cosine)) for cosine in np.sum(unit[:-1] * unit[1:], axis=1)]


def stretched(backbone: Backbone, frame: Frame) -> NDArray[np.float32]:
    """Return VideoPainter's vector: RGB in 0..1, stretched to 224 x 224 and not normalised; projected."""
    picture = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float() / 255
    square = torch.nn.functional.interpolate(
        picture, (SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False, antialias=True
    )
    return clip.embedded(backbone, square).projected


def projected(backbone: Backbone, frame: Frame) -> NDArray[np.float32]:
    """Return the vector that CLIP's own preparation gives, projected: the middle square, normalised."""
    return clip.embedded(backbone, prepared(frame)).projected


def pooled(backbone: Backbone, frame: Frame) -> NDArray[np.float32]:
    """Return EditVerse's vector: the class token after its norm, not projected."""
    return clip.embedded(backbone, prepared(frame)).pooled


def class_token(backbone: Backbone, frame: Frame) -> NDArray[np.float32]:
    """Return DINOv2's class token of the middle square of 224 px of a frame whose short side is 256 px."""
    found: NDArray[np.float32] = dinov2.last_hidden_state(backbone, short_side(frame, DINO_SIDE_PX, SIDE_PX))[0]
    return found


def prepared(frame: Frame) -> torch.Tensor:
    """Return a frame as CLIP's image processor prepares it: float32 (1, 3, 224, 224)."""
    return normalised(short_side(frame, SIDE_PX, SIDE_PX), *CLIP)


class TemporalConsistency:
    """The cosine of neighbouring frames' vectors; of VideoPainter's also that of the holes alone, the rest black."""

    def __init__(self, info: MetricInfo, backbone: Backbone, embed: Embed, least: float, hole: bool) -> None:
        self.info = info
        self.resources = backbone.resources
        self._backbone = backbone
        self._embed = embed
        self._least = least
        self._hole = hole

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per pair of neighbours in ``frame``, and in ``hole`` where the authors have that too.

        A clip of one frame raises InputError. A pair has no value in ``hole`` where either frame has no hole.
        """
        if len(frames) < 2:
            raise InputError(f"the clip has one frame; {self.info.name} compares neighbours and needs at least two")
        found = {"frame": Series.of(neighbour_cosines(self._vectors(frames), self._least))}
        if self._hole:
            cut = np.where(case.holes[..., None], frames, 0).astype(np.uint8)
            has_hole = np.array([hole.any() for hole in case.holes])
            cosines = neighbour_cosines(self._vectors(cut), self._least)
            both = has_hole[:-1] & has_hole[1:]
            found["hole"] = Series.of([value if known else None for value, known in zip(cosines, both, strict=True)])
        return found

    def seconds_per_frame(self) -> float | None:
        """Return how long a frame takes on a CPU, measured on one; None elsewhere."""
        blank = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
        seconds = self._backbone.seconds(lambda: self._embed(self._backbone, blank))
        return None if seconds is None else seconds * (1 + self._hole)

    def _vectors(self, frames: Frames) -> Vectors:
        return np.stack([self._vector(np.ascontiguousarray(frame)) for frame in frames])

    def _vector(self, frame: Frame) -> NDArray[np.float32]:
        config = self._backbone.network.config
        size = config.projection_dim if self._embed in (stretched, projected) else config.hidden_size
        return self._backbone.kept(self.info.name, frame, (int(size),), lambda: self._embed(self._backbone, frame))


def clip_b32(weights: str | None = None, device: str = "cpu") -> TemporalConsistency:
    """TC of VideoPainter: CLIP ViT-B/32, frames stretched to 224 x 224, not normalised.

    ``weights`` is the file of that CLIP; see ``vibench.metrics.networks.pretrained.load``, also for errors.
    """
    how = "TencentARC/VideoPainter evaluate/metrics.py: stretched to 224 px, not normalised, projected; every frame"
    return _made("tc-clip-b32", "TC, VideoPainter", clip.B32, stretched, how, weights, device, hole=True)


def clip_l14(weights: str | None = None, device: str = "cpu") -> TemporalConsistency:
    """TC of EditVerse: CLIP ViT-L/14, the middle square, vectors not projected, negative cosines 0.

    ``weights`` is the file of that CLIP; see ``vibench.metrics.networks.pretrained.load``, also for errors.
    """
    how = "adobe-research/EditVerse clip_temporal_consistency.py: middle 224 px, pooled, negatives 0; every frame"
    return _made("tc-clip-l14", "TC, EditVerse", clip.L14, pooled, how, weights, device, least=0.0)


def clip_h14(weights: str | None = None, device: str = "cpu") -> TemporalConsistency:
    """TC that MiniMax-Remover names: CLIP ViT-H/14, the middle square, projected; there is no code of theirs.

    ``weights`` is the file of that CLIP; see ``vibench.metrics.networks.pretrained.load``, also for errors.
    """
    how = "our reading of MiniMax-Remover, whose code is not published: middle 224 px, projected; every frame"
    return _made("tc-clip-h14", "TC, MiniMax", clip.H14, projected, how, weights, device)


def dino_b14(weights: str | None = None, device: str = "cpu") -> TemporalConsistency:
    """TC of EditVerse with DINOv2-base: the class token of the middle square, negative cosines 0.

    ``weights`` is the file of DINOv2-base; see ``vibench.metrics.networks.pretrained.load``, also for errors.
    """
    how = "adobe-research/EditVerse dino_temporal_consistency.py: 256 px, middle 224 px, negatives 0; every frame"
    return _made("tc-dino-b14", "TC, EditVerse", dinov2.BASE, class_token, how, weights, device, least=0.0)


def _made(
    name: str, title: str, published: Published, embed: Embed, how: str, weights: str | None, device: str,
    least: float = -1.0, hole: bool = False,
) -> TemporalConsistency:  # fmt: skip
    backbone = load(published, weights, device)
    info = backbone.info(name, title, how)
    return TemporalConsistency(info, backbone, embed, least, hole)
