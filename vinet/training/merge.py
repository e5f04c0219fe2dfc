"""Training of the merge: what a frozen network has filled scenes with is scored, source by source, by their truth."""

import csv
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vinet import weights
from vinet.both import fills
from vinet.choice import Choice
from vinet.errors import VINetError
from vinet.files import replacing
from vinet.inference import Inpainter
from vinet.large import Pyramid
from vinet.network.merge import Merge, seen_of
from vinet.training.progress import progress
from vinet.training.scenes.chance import generator, whole
from vinet.training.scenes.clips import videos
from vinet.training.scenes.fills import FilledScene, Kinds, filled_scene, read
from vinet.training.scenes.photos import photos


@dataclass(frozen=True)
class MergeRecipe:
    """How a merge is trained; every field stands in the header of its weights."""

    seed: int = 0
    scenes: int = 110
    """Clips that the frozen network fills in both directions."""
    clip_share: float = 0.4
    """Of the scenes that are real clips; the others are photos in exact motion."""
    size_px: int = 160
    shortest: int = 16
    """Frames in a scene, as for `longest`."""
    longest: int = 32
    slowest_px: float = 0.5
    """Fastest motion of a synthetic scene, in pixels a frame: from this to `fastest_px`."""
    fastest_px: float = 7.0
    steps: int = 1000
    batch: int = 4
    """Scenes in a step."""
    pixels: int = 256
    """Hole pixels of each of their frames, drawn once."""
    learning_rate: float = 1e-2
    expected: float = 0.0
    """Weight of the sources' own mean error: it asks for one source where a blend of two would do."""
    steady: float = 2.0
    """Weight of the difference between neighbouring outputs along the true flow."""


def train_merge(
    recipe: MergeRecipe, choice: Choice, photo_folder: str, clip_folder: str, held_out: tuple[str, ...], output: Path
) -> Path:
    """Train a merge for the network of `choice`; returns the weights file in the folder `output`.

    Scenes that `output` holds already are not filled again; the training after that takes minutes and begins anew.
    """
    network, file = choice.load()
    if file is None:
        raise VINetError("a merge is trained for a trained network, not for weights=random")
    kinds = Kinds(
        photos(photo_folder, validation=False),
        videos(clip_folder, held_out, validation=False) if clip_folder else (),
        recipe.clip_share,
        recipe.size_px,
        (recipe.shortest, recipe.longest),
        (recipe.slowest_px, recipe.fastest_px),
    )
    pyramid, scenes = Pyramid(Inpainter(network)), []
    with progress(recipe.scenes + recipe.steps, output, 0) as shown:
        for index in range(recipe.scenes):
            position = (recipe.seed, "merge", index)
            scenes.append(filled_scene(kinds, position, pyramid, file.sha256, output / "scenes"))
            shown.step(index + 1, "scenes", {})
        merge = new_merge(recipe.seed)
        with (output / "losses.csv").open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(["step", "blend", "expected", "steady"])
            for step, losses in enumerate(steps(merge, recipe, sorted(scenes))):
                table.writerow([step, *(f"{loss:.6f}" for loss in losses.values())])
                shown.step(recipe.scenes + step + 1, "merge", losses)
    path = output / "merge.safetensors"
    notes = {"recipe": "merge-cpu", "network_sha256": file.sha256}
    with replacing(path) as temporary:
        weights.save(merge, temporary, notes | {name: str(value) for name, value in asdict(recipe).items()})
    return path


def new_merge(seed: int) -> Merge:
    """An untrained merge, the same for every seed, without touching the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Merge()


def steps(merge: Merge, recipe: MergeRecipe, scenes: list[Path]) -> Iterator[dict[str, float]]:
    """Train `merge` step by step; yields each step's losses."""
    every = [pixels_of(read(path), recipe, generator(recipe.seed, "pixels", path.name)) for path in scenes]
    optimiser = torch.optim.Adam(merge.parameters(), lr=recipe.learning_rate)
    for step in range(recipe.steps):
        chance = generator(recipe.seed, "merge", step)
        chosen = [every[whole(chance, 0, len(every) - 1)] for _ in range(recipe.batch)]
        losses = losses_of(merge, _together(chosen))
        total = losses["blend"] + recipe.expected * losses["expected"] + recipe.steady * losses["steady"]
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        optimiser.zero_grad()
        torch.autograd.backward(total)
        optimiser.step()
        yield {name: float(loss.detach()) for name, loss in losses.items()}


class Pixels(NamedTuple):
    """N hole pixels of a scene, [0], and where the true flow leads from them in the next frame, [1]."""

    seen: Tensor  # (2, S, CHANNELS, 1, N)
    known: Tensor  # (2, S, 1, 1, N)
    colours: Tensor  # (2, S, 3, 1, N) in [-1, 1]
    truth: Tensor  # (2, 3, 1, N)
    hole: Tensor  # (2, 1, 1, N), 1 = hole; only at [1] may it be 0
    visible: Tensor  # (1, 1, N), 1 = [0] and [1] show the same thing


def pixels_of(scene: FilledScene, recipe: MergeRecipe, chance: torch.Generator) -> Pixels:
    """Hole pixels of all frames of a scene but the last, drawn by `chance`, `recipe.pixels` in a frame."""
    length, height, width = scene.masks.shape
    everything = (slice(0, height), slice(0, width))
    found = []
    for time in range(length - 1):
        seen = fills(scene.sources, scene.masks, [time, time + 1], everything)
        truth = torch.from_numpy(scene.truth[time : time + 2]).permute(0, 3, 1, 2) / 127.5 - 1
        hole = torch.from_numpy(scene.masks[time : time + 2])[:, None].float()
        rows, columns = torch.from_numpy(scene.masks[time]).nonzero(as_tuple=True)
        drawn = torch.randint(len(rows), (recipe.pixels,), generator=chance)
        y, x = rows[drawn], columns[drawn]
        flow = torch.from_numpy(scene.flow[time]).float()[:, y, x].round().long()
        to_x, to_y = (x + flow[0]).clamp(0, width - 1), (y + flow[1]).clamp(0, height - 1)

        def at(plane: Tensor, y: Tensor = y, x: Tensor = x, to_y: Tensor = to_y, to_x: Tensor = to_x) -> Tensor:
            return torch.stack([plane[0][..., y, x], plane[1][..., to_y, to_x]])[..., None, :]

        visible = torch.from_numpy(scene.visible[time])[y, x].float()[None, None]
        found.append(Pixels(at(seen_of(seen)), at(seen.known), at(seen.colours), at(truth), at(hole), visible))
    return _together(found)


def losses_of(merge: Merge, pixels: Pixels) -> dict[str, Tensor]:
    """L1 in the holes: of the blend, of the sources by their weights, and of the change to the next frame."""
    weight = merge.weigh(pixels.seen, pixels.known)
    blend = (weight * pixels.colours).sum(dim=1)
    errors = (pixels.colours - pixels.truth[:, None]).abs().mean(dim=2, keepdim=True)
    output = pixels.truth + pixels.hole * (blend - pixels.truth)
    # Places are rounded to whole pixels, so that the truth changes a little as well.
    change = (output[0] - output[1] - (pixels.truth[0] - pixels.truth[1])).abs()
    return {
        "blend": _mean((blend - pixels.truth).abs(), pixels.hole),
        "expected": _mean((weight * errors).sum(dim=1), pixels.hole),
        "steady": _mean(change, pixels.visible),
    }


def _together(parts: list[Pixels]) -> Pixels:
    return Pixels._make(torch.cat(planes, dim=-1) for planes in zip(*parts, strict=True))


def _mean(values: Tensor, where: Tensor) -> Tensor:
    shares = where.expand_as(values)
    return (values * shares).sum() / shares.sum().clamp(min=1)
