"""Asks which measures tell the true background from something else: the tables of docs/removal.md.

``python docs/make/sanity.py`` takes some five minutes on one core. It fills the scenes of ``synthetic@2`` in known ways
and counts in how many the true background is better. Networks that need large weights are the tiny seeded ones of
``tests/golden/removal``: what stands for them proves the way to a number, and not the measure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pages import DOCS, keep, with_block

sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))

from golden_removal import tiny

from vibench import plugins
from vibench.clip import Case, Frames
from vibench.data.cases import build_case, planned_cases
from vibench.data.dataset import card_of
from vibench.data.layouts import open_staged
from vibench.metric import Metric
from vibench.protocol import load_protocol

PAGE = DOCS / "removal.md"
SIZE_PX, FRAMES = (216, 120), 12
TINY_SCENES, TINY_FRAMES = "still", 3
FLICKER, SHIFT = 12, 0.2
"""By so many grey levels a flickering fill is brighter and darker in turns; so far away another place lies."""

REAL = ("psnr", "ssim-gaussian", "lpips-alex", "warping-error-exact", "warping-error-own-dis", "flicker-dis", "seam",
        "vbench-temporal-flickering", "background-psnr-videopainter")  # fmt: skip
SEEDED = {
    "rc-s": "dinov2", "rc-t": "dinov2", "remove-sam": "sam_encoder", "remove-sam-crop": "sam_encoder",
    "tc-clip-b32": "clip_vision", "tc-clip-l14": "clip_vision", "tc-clip-h14": "clip_vision", "tc-dino-b14": "dinov2",
}  # fmt: skip
"""Metric -> the tiny network that stands in for its own."""


def telea(case: Case) -> Frames:
    """The hole filled by Telea's method; a side effect stays."""
    return np.asarray(plugins.make("methods", plugins.Spec("telea"))(case.holed()), np.uint8)


def other_place(case: Case) -> Frames:
    """In the hole and the effect what is really somewhat further left: plausible, steady, and not the truth."""
    truth, changed = _parts(case)
    return np.where(changed, np.roll(truth, round(SHIFT * truth.shape[1]), axis=2), truth)


def flickering(case: Case) -> Frames:
    """The truth, brighter and darker in turns in the hole and the effect."""
    truth, changed = _parts(case)
    steps = np.where(np.arange(len(truth)) % 2, FLICKER, -FLICKER)[:, None, None, None]
    return np.where(changed, np.clip(truth.astype(np.int16) + steps, 0, 255), truth).astype(np.uint8)


def effect_left(case: Case) -> Frames:
    """The truth in the hole, and the side effect still there."""
    truth, _ = _parts(case)
    return np.where(case.holes[..., None], truth, case.frames)


def _parts(case: Case) -> tuple[Frames, Any]:
    if case.truth is None or case.effect is None:
        raise ValueError("a staged case knows its truth and its effect")
    return case.truth, (case.holes | case.effect)[..., None]


OUTPUTS: dict[str, Callable[[Case], Frames]] = {
    "true background": lambda case: _parts(case)[0],
    "another place": other_place,
    "effect left in": effect_left,
    "flickering": flickering,
    "Telea": telea,
    "object left in": lambda case: case.frames,
}
ORDERED = ("true background", "Telea", "object left in")


class Row(NamedTuple):
    """A metric in a region: for each output, one value a scene, NaN where there is none."""

    metric: Metric
    region: str
    values: dict[str, list[float]]


def measured(metrics: Sequence[Metric], cases: Iterable[Case]) -> list[Row]:
    """Every output of every case by every metric."""
    rows: dict[tuple[str, str], Row] = {}
    for done, case in enumerate(cases, start=1):
        for output, make in OUTPUTS.items():
            frames = make(case)
            for metric in metrics:
                for region, series in metric.measure(frames, case).items():
                    blank: dict[str, list[float]] = {name: [] for name in OUTPUTS}
                    row = rows.setdefault((metric.info.name, region), Row(metric, region, blank))
                    row.values[output].append(np.nan if series.mean is None else series.mean)
        print(f"{done} {case.name}", file=sys.stderr, flush=True)
    order = [metric.info.name for metric in metrics]
    return sorted(rows.values(), key=lambda row: order.index(row.metric.info.name))


def staged(scenes: str, frames: int) -> Iterator[Case]:
    """Cases of ``synthetic@2`` in the size and length of this page."""
    protocol = load_protocol("synthetic@2")
    protocol = protocol.model_copy(update={"data": protocol.data.model_copy(update={"frames": frames})})
    clips = open_staged(card_of("synthetic-effects").model_copy(update={"sizes_px": {"all": SIZE_PX}}), None, None)
    for planned in planned_cases(protocol, clips.clip_names(), cases=[scenes] if scenes else []):
        yield build_case(protocol, planned, clips)


def wins(row: Row, better: str, worse: str) -> str:
    """In how many scenes one output has a better value than another, of those in which both have one."""
    sign = 1 if row.metric.info.better == "higher" else -1
    gains = sign * (np.array(row.values[better]) - np.array(row.values[worse]))
    gains = gains[~np.isnan(gains)]
    return f"{int((gains > 1e-9).sum())}/{len(gains)}"


def table(rows: Sequence[Row]) -> str:
    """A line a metric and region: the mean of each output, and in how many scenes the true background is better."""
    truth, *others = OUTPUTS
    heads = ["metric", "region", *OUTPUTS, "Telea over object"]
    lines = [f"| {' | '.join(heads)} |", "|---|---|" + "---:|" * (len(heads) - 2)]
    for row in rows:
        if row.region.startswith("kept"):  # these outputs leave it alone
            continue
        means = {name: float(np.nanmean(values)) for name, values in row.values.items()}
        cells = [f"{means[truth]:.4g}", *(f"{means[name]:.4g} ({wins(row, truth, name)})" for name in others)]
        arrow = "↑" if row.metric.info.better == "higher" else "↓"
        ordered = wins(row, *ORDERED[1:])
        lines.append(f"| `{row.metric.info.name}` {arrow} | {row.region} | {' | '.join(cells)} | {ordered} |")
    return "\n".join(lines)


def write(block: str, rows: Sequence[Row]) -> None:
    """Put a table into its place of the page."""
    keep(PAGE, with_block(PAGE.read_text(encoding="utf-8"), block, table(rows)), check=False)


def weightless() -> None:
    """Write the table of the measures that need nothing more, over all scenes."""
    metrics = [plugins.make("metrics", plugins.Spec(name), device="cpu") for name in REAL]
    write("what measures see", measured(metrics, staged("", FRAMES)))


def seeded() -> None:
    """Write the table of the measures whose networks are tiny seeded ones, over some scenes."""
    specs = [plugins.Spec(name, {"weights": tiny(model)}) for name, model in SEEDED.items()]
    metrics = [plugins.make("metrics", spec, device="cpu") for spec in specs]
    write("what seeded networks give", measured(metrics, staged(TINY_SCENES, TINY_FRAMES)))


if __name__ == "__main__":
    weightless()
    seeded()
