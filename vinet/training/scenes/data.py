"""Scenes by their position in a training: synthetic or real ones, for training or for validation."""

from pathlib import Path

import torch

from vinet.errors import VINetError
from vinet.training.recipe import Recipe, Stage
from vinet.training.scenes.chance import generator, whole
from vinet.training.scenes.clips import real, videos
from vinet.training.scenes.photos import photos
from vinet.training.scenes.scene import REACH, Scene
from vinet.training.scenes.synthetic import synthetic


class Data:
    """Both sides of the split of a recipe's folders; VINetError where there is nothing to train on."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self._recipe = recipe
        self._device = device
        data = recipe.data
        self._photos = {side: photos(data.photos, validation=side) for side in (False, True)}
        self._clips: dict[bool, tuple[Path, ...]] = {False: (), True: ()}
        if data.clip_share > 0:
            self._clips = {side: videos(data.clips, data.validation_clips, validation=side) for side in (False, True)}

    def scene(
        self, stage: Stage, frames: int, position: tuple[object, ...], motion_px: float, *, validation: bool = False
    ) -> tuple[Scene, list[int]]:
        """A batch and the times of a flow stage's sources, drawn by a generator seeded with `position` alone."""
        chance = generator(*position)
        times = sources(chance, stage.sources)
        share = self._recipe.data.clip_share
        is_real = stage.kind != "flow" and float(torch.rand((), generator=chance)) < share
        if is_real and self._clips[validation]:
            cache = Path(self._recipe.data.cache)
            return real(chance, self._clips[validation], stage.batch, frames, stage.crop_px, cache, self._device), times
        paths = self._photos[validation]
        return synthetic(chance, paths, stage.batch, frames, stage.crop_px, motion_px, self._device), times


def sources(chance: torch.Generator, count: int) -> list[int]:
    """Different times around `REACH`, never that itself."""
    if count > 2 * REACH:
        raise VINetError(f"a flow stage has at most {2 * REACH} sources, not {count}")
    others = [time for time in range(2 * REACH + 1) if time != REACH]
    return [others.pop(whole(chance, 0, len(others) - 1)) for _ in range(count)]


def lead_at(stage: Stage, position: tuple[object, ...]) -> int:
    """Frames before the targets at `position`.

    Half of the draws lie in the lowest quarter of the range, so that first frames are common.
    """
    share = float(torch.rand((), generator=generator(*position, "lead"))) ** 2
    return stage.lead + int(share * (max(stage.longest_lead, stage.lead) - stage.lead + 1))


def shown_at(stage: Stage, position: tuple[object, ...]) -> int:
    """Frames from the start of the clip at `position` that have no hole."""
    return whole(generator(*position, "shown"), 0, stage.longest_shown) if stage.longest_shown else 0


def motion_at(stage: Stage, step: int) -> float:
    """Fastest motion in pixels a frame at `step`: from the first to the second value over the stage's first half."""
    first, last = stage.motion_px
    return first + (last - first) * min(1.0, step / max(1, stage.steps // 2))
