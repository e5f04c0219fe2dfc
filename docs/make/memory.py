"""What the memory is worth, where something is asked of it: writes the tables of memory into docs/training.md.

``python docs/make/memory.py --photos FOLDER --output FOLDER`` trains the arms below shortly, each from the same
weights, and fills the same held-out scenes with each. It takes under an hour of one core with bfloat16 instructions;
killed, it goes on where it was. Scene by scene the errors are in docs/runs/memory/scenes.csv, from which the command
without arguments makes the tables.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pages import CHECKOUT, DOCS, keep, with_block
from torch import Tensor

from vibench.results.statistics import paired_difference
from vinet.training.objective import Objective, carried_at
from vinet.training.recipe import Recipe, Stage, read
from vinet.training.scenes.data import Data, lead_at, shown_at
from vinet.training.scenes.scene import Shown
from vinet.training.start import network_of
from vinet.training.trainer import train

PAGE = DOCS / "training.md"
KEPT = DOCS / "runs" / "memory" / "scenes.csv"
BUNDLED = CHECKOUT / "vinet" / "bundled"
SCENES = 24
STAGE: dict[str, Any] = {
    "name": "memory", "kind": "unrolled", "given": "dis", "steps": 80, "crop_px": 64, "batch": 2, "targets": 3,
    "longest_lead": 56, "longest_shown": 6, "learning_rate": 5e-4, "warm_up": 10, "motion_px": [1.0, 2.0],
    "weights": {"l1": 1, "ssim": 0.2, "hole": 5, "decoded": 1, "warping": 1, "steady": 2.5},
}  # fmt: skip
ARCHITECTURES = {
    "compact": ("compact-dis-flow.safetensors", {"given_flow": True, "smooth_composition": True}),
    "without compositions": ("ablations/compact-full.safetensors", {"given_flow": True, "pixel_composition": False}),
}
"""The weights that all arms of one start from, and its switches."""
DROPPED = {"drop_output": 0.25, "drop_holes": 0.25}
CARRIES: dict[str, dict[str, float]] = {
    "output and memory": {},
    "output": {"drop_memory": 1.0},
    "memory": {"drop_output": 1.0},
    "neither": {"drop_output": 1.0, "drop_memory": 1.0},
}
SETS: dict[str, dict[str, Any]] = {
    "usual": {"longest_lead": 16, "longest_shown": 0, "motion_px": [4.0, 4.0]},
    "long ago": {"lead": 30, "longest_lead": 56, "longest_shown": 6, "motion_px": [1.0, 1.0]},
}
"""What arms are judged on: holes from the first frame on, as elsewhere here; and frames whose holes hide what was last
seen 30 to 60 frames before, if ever."""
EMPTIED = "bottleneck emptied"
"""Filled without what comes from 1/8, which is the memory's only way to the picture: does the decoder look at it?"""
COLUMNS = ("architecture", "carries", "dropped", "seed", "filled with", "set", "scene", "hole", "steady")
Row = dict[str, str]


@dataclass(frozen=True)
class Arm:
    """A short training."""

    architecture: str
    carries: str
    dropped: bool = False
    seed: int = 0

    @property
    def folder(self) -> str:
        """Its name as a folder."""
        words = [self.architecture, self.carries, *["dropped"] * self.dropped, str(self.seed)]
        return "-".join(words).replace(" ", "-")

    def recipe(self, photos: str) -> Recipe:
        """What is trained: the last stage once more, on clips that hide what was seen long ago."""
        start, switches = ARCHITECTURES[self.architecture]
        stage = {**STAGE, **(DROPPED if self.dropped else {}), **CARRIES[self.carries]}
        settings = [f"network.start={BUNDLED / start}", f"stages=[{_toml(stage)}]", f"data.photos={photos}"]
        settings += ["data.clip_share=0.0", f"seed={self.seed}", f"network.switches={_toml(switches)}"]
        return read("finetune-cpu", [*settings, "validate_every=100000", "validation_batches=1"])


ARMS = tuple(
    Arm(architecture, carries, dropped)
    for carries, dropped in (
        ("output and memory", False),
        ("output and memory", True),
        ("output", False),
        ("memory", False),
        ("neither", False),
        ("output", True),
    )
    for architecture in ARCHITECTURES
)


def _toml(value: object) -> str:
    """A value as TOML's inline form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_toml(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)


def judged(arm: Arm, folder: Path, photos: str) -> list[Row]:
    """The errors of a trained arm on every held-out scene: as it was trained, and with its memory emptied each time."""
    path = folder / "scenes.csv"
    if not path.is_file():
        recipe = arm.recipe(photos)
        weights = str(folder / "weights.safetensors")
        network = network_of(recipe.network.model_copy(update={"start": (weights,)}), 0).eval()
        data = Data(recipe, torch.device("cpu"))
        ways = {"as trained": CARRIES[arm.carries]}
        if "memory" in arm.carries:
            ways["memory emptied"] = CARRIES[arm.carries] | {"drop_memory": 1.0}
        if arm.carries == "output and memory":
            ways[EMPTIED] = CARRIES[arm.carries]
        rows: list[Row] = []
        for (way, dropped), (name, kind) in product(ways.items(), SETS.items()):
            stage = Stage.model_validate({**STAGE, "batch": 1, **kind, **dropped})
            objective = Objective(network, stage)
            hook = network.decoder.register_forward_pre_hook(_without_bottleneck) if way == EMPTIED else None
            rows += [
                {
                    "architecture": arm.architecture,
                    "carries": arm.carries,
                    "dropped": "yes" if arm.dropped else "no",
                    "seed": str(arm.seed),
                    "filled with": way,
                    "set": name,
                    "scene": str(scene),
                    **errors,
                }
                for scene, errors in enumerate(_errors(objective, data, name))
            ]
            if hook:
                hook.remove()
        _write(path, rows)
    return _read(path)


def _without_bottleneck(_: torch.nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a decoder is given, with 0 in the place of the bottleneck's features."""
    features, *composed = arguments
    return torch.zeros_like(features), *composed


@torch.inference_mode()
def _errors(objective: Objective, data: Data, name: str) -> Iterator[Row]:
    """The error in the hole and the steadiness of each of `SCENES` scenes that no training sees."""
    stage = objective.stage
    for number in range(SCENES):
        position = ("memory", name, number)
        shown = shown_at(stage, position)
        lead = shown + lead_at(stage, position)
        scene, times = data.scene(stage, objective.frames(lead), position, stage.motion_px[0], validation=True)
        carried = carried_at(stage, lead + stage.targets, position)
        with torch.autocast("cpu", torch.bfloat16):
            terms = objective(Shown(scene, shown), times, lead, carried)
        yield {term: f"{float(terms[term]):.5f}" for term in ("hole", "steady")}


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    with temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)


def _errors_of(rows: list[Row], arm: Arm, way: str, name: str) -> dict[str, NDArray[np.float64]] | None:
    """Both errors of an arm's scenes, in their order; None where it was not filled that way."""
    own = (arm.architecture, arm.carries, "yes" if arm.dropped else "no", way, name)
    columns = ("architecture", "carries", "dropped", "filled with", "set")
    found = [row for row in rows if tuple(row[column] for column in columns) == own]
    return {term: np.array([float(row[term]) for row in found]) for term in ("hole", "steady")} if found else None


def means(rows: list[Row]) -> list[str]:
    """A row of the first table for each arm that was trained."""
    lines = ["| architecture | carries | drops | hole, usual | steady, usual | hole, long ago | steady, long ago |",
             "|---|---|---|---:|---:|---:|---:|"]  # fmt: skip
    for arm in sorted(ARMS, key=lambda arm: list(ARCHITECTURES).index(arm.architecture)):
        errors = [_errors_of(rows, arm, "as trained", name) for name in SETS]
        cells = [f"{found[term].mean():.4f}" for found in errors if found for term in ("hole", "steady")]
        if cells:
            lines.append(
                f"| {arm.architecture} | {arm.carries} | {'yes' if arm.dropped else 'no'} | {' | '.join(cells)} |"
            )
    return lines


def differences(rows: list[Row]) -> list[str]:
    """A row of the second table for each pair that was filled: the first's error less the second's."""
    lines = ["| architecture | trained with drops | less | set | hole | steady |", "|---|---|---|---|---|---|"]
    for architecture, dropped in product(ARCHITECTURES, (False, True)):
        both, alone, memory, neither = (Arm(architecture, carries, dropped) for carries in CARRIES)
        as_trained = "as trained"
        pairs = (
            ("memory carried less emptied, one network", (both, as_trained), (both, "memory emptied")),
            ("with the bottleneck less without, one network", (both, as_trained), (both, EMPTIED)),
            ("output and memory less output", (both, as_trained), (alone, as_trained)),
            (
                "memory carried less emptied, one network without output",
                (memory, as_trained),
                (memory, "memory emptied"),
            ),
            ("output and memory less memory", (both, as_trained), (memory, as_trained)),
            ("memory less neither", (memory, as_trained), (neither, as_trained)),
        )
        for (what, first, second), name in product(pairs, SETS):
            one, other = (_errors_of(rows, *side, name) for side in (first, second))
            if one and other:
                found = [paired_difference(other[term], one[term]).estimate for term in ("hole", "steady")]
                cells = " | ".join(f"{e.mean:+.5f} [{e.low:+.5f}, {e.high:+.5f}]" for e in found)
                lines.append(f"| {architecture} | {'yes' if dropped else 'no'} | {what} | {name} | {cells} |")
    return lines


def make(check: bool) -> bool:
    """Make or compare the tables from the errors that are kept."""
    rows = _read(KEPT)
    text = "\n".join([*means(rows), "", *differences(rows)])
    return keep(PAGE, with_block(PAGE.read_text(encoding="utf-8"), "memory", text), check=check, computed=True)


def main() -> None:
    """Train and judge what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--architecture", choices=ARCHITECTURES, help="only the arms of this one")
    arguments = parser.parse_args()
    if arguments.photos:
        rows: list[Row] = []
        for arm in (arm for arm in ARMS if arguments.architecture in (None, arm.architecture)):
            folder = arguments.output / arm.folder
            train(arm.recipe(arguments.photos), folder)
            rows += judged(arm, folder, arguments.photos)
            if arguments.architecture is None:
                _write(KEPT, rows)
            print(arm, flush=True)
    make(False)


if __name__ == "__main__":
    main()
