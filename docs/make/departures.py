"""What each departure of the compact network is worth: writes the table of departures into docs/training.md.

``python docs/make/departures.py --photos FOLDER --output FOLDER`` makes short trainings from nothing, one with all
departures and one without each. It takes about half an hour on one core with bfloat16 instructions; killed, it goes on
where it was.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pages import DOCS, keep, with_block

from vinet.training.flow_error import measure
from vinet.training.recipe import read
from vinet.training.trainer import train

PAGE = DOCS / "training.md"
SCENES = 48
FLOW = (
    'stages=[{name="flow",kind="flow",steps=300,crop_px=96,batch=8,learning_rate=2e-3,warm_up=50,'
    "motion_px=[1.2,2.0],weights={endpoint=1}}]"
)
BODY = (
    'stages=[{name="body",kind="body",steps=150,crop_px=128,batch=6,learning_rate=1e-3,warm_up=50,'
    "motion_px=[1.0,4.0],weights={l1=1,hole=2.5,decoded=1}}]"
)


@dataclass(frozen=True)
class Departure:
    """A training of a recipe's network with one setting of its own."""

    name: str
    recipe: str
    stages: str
    settings: tuple[str, ...] = ()


DEPARTURES = (
    Departure("flow: all", "compact-cpu", FLOW),
    Departure("flow: two encoders", "compact-cpu", FLOW, ("network.switches.shared_encoder=false",)),
    Departure(
        "flow: correlation not normalised", "compact-cpu", FLOW, ("network.switches.normalised_correlation=false",)
    ),
    Departure("flow: no soft-argmax", "compact-cpu", FLOW, ("network.switches.soft_argmax=false",)),
    Departure("body: all", "compact-dis-cpu", BODY),
    Departure("body: no pixel composition", "compact-dis-cpu", BODY, ("network.switches.pixel_composition=false",)),
    Departure("body: twice the width", "compact-dis-cpu", BODY, ("network.width=0.5",)),
    Departure(
        "body: all, and smooth composition", "compact-dis-cpu", BODY, ("network.switches.smooth_composition=true",)
    ),
)


def trained(departure: Departure, photos: str, folder: Path) -> Path:
    """The folder of the finished training."""
    settings = [departure.stages, f"data.photos={photos}", "data.clip_share=0.0"]
    settings += ["precision=bfloat16", "validate_every=300", "validation_batches=16", *departure.settings]
    run = folder / departure.name.replace(": ", "-").replace(" ", "-")
    train(read(departure.recipe, settings), run)
    return run


def result(departure: Departure, run: Path, photos: str) -> str:
    """A row of the table."""
    with (run / "validation.csv").open() as stream:
        last = list(csv.DictReader(stream))[-1]
    if departure.stages is BODY:
        return f"| {departure.name} | – | – | {float(last['hole']):.4f} | {-float(last['ssim']):.4f} |"
    error = measure(run / "weights.safetensors", photos, SCENES, 96, 2.0).scenes["network"]
    outside, inside = (np.nanmean(error[region]) for region in ("outside", "inside"))
    return f"| {departure.name} | {outside:.2f} | {inside:.2f} | – | – |"


def main() -> None:
    """Train what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    rows = ["| run | end-point error outside, px | inside, px | hole, L1 | SSIM |", "|---|---:|---:|---:|---:|"]
    for departure in DEPARTURES:
        rows.append(result(departure, trained(departure, arguments.photos, arguments.output), arguments.photos))
    keep(PAGE, with_block(PAGE.read_text(encoding="utf-8"), "departures", "\n".join(rows)), check=False)


if __name__ == "__main__":
    main()
