"""Each decision of a protocol matters: flip it, and the number moves. Two protocols never share a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from davis_layout import write_davis
from listening import Silent
from numpy.typing import NDArray

from vibench.clip import Holed
from vibench.data.dataset import card_of
from vibench.plugins import Spec
from vibench.protocol import Protocol, load_protocol
from vibench.report.latex import latex
from vibench.report.tables import markdown
from vibench.results.results import gather
from vibench.results.store import Store
from vibench.results.table import tabulate
from vibench.runner.order import Order
from vibench.runner.run import carry_out

CLIPS = {"ant": 3, "bee": 4, "cow": 6, "dog": 7}


class Fraction:
    """Fills with grey levels that are no whole numbers, darker with time, and changes what is outside the hole too."""

    def __call__(self, holed: Holed) -> NDArray[np.float64]:
        darker = np.arange(len(holed.frames))[:, None, None, None] * 9.0
        return np.clip(holed.frames * 0.25 + 120.6 - darker, 0, 255)

    def describe(self) -> dict[str, str]:
        return {"not_timed": "its time is of no interest here"}


BASE: dict[str, Any] = {
    "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3,
    "data": {"dataset": "davis-2016"},
    "resize": {"width_px": 80, "height_px": 72, "filter": "area"},
    "holes": [{"name": "hole", "generator": "moving-square"}],
    "scoring": {"metrics": ["psnr"]},
}  # fmt: skip
OTHERS = [{"name": "hole", "source": "other-objects"}]


@pytest.fixture(autouse=True)
def davis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    card = card_of("davis-2016").model_copy(update={"splits": {"validation": CLIPS}, "sizes_px": {}})
    monkeypatch.setattr("vibench.data.dataset.cards", lambda: [card])
    return write_davis(tmp_path / "davis", CLIPS, height=90, width=110)


def measured(protocol: Protocol, data: Path, output: Path) -> Store:
    order = Order(
        protocol, (Spec.parse(f"{__name__}:Fraction"),), protocol.scoring.metrics, output, data, keep_frames=False
    )
    return carry_out(order, Silent())


def numbers(decisions: dict[str, Any], data: Path, output: Path) -> dict[str, float | None]:
    """Column -> mean of the only method's row."""
    store = measured(Protocol.model_validate(decisions), data, output)
    table = tabulate(gather([store])[0])
    cells = table.rows[0].cells
    return {key: cell.estimate.mean if cell.estimate else None for key, cell in cells.items()}


KNOWN: dict[str, dict[str, float | None]] = {}
"""Decisions -> their numbers, which several flips start from."""

FLIPS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("seed", {}, {"seed": 4}),
    ("repeats", {}, {"repeats": 2}),
    ("data.clips", {}, {"data": {"dataset": "davis-2016", "clips": ["ant", "dog"]}}),
    ("data.frames", {}, {"data": {"dataset": "davis-2016", "frames": 3}}),
    ("resize.filter", {}, {"resize": {"width_px": 80, "height_px": 72, "filter": "opencv-bilinear"}}),
    ("resize.filter", {}, {"resize": {"width_px": 80, "height_px": 72, "filter": "pillow-bicubic"}}),
    ("resize.width_px", {}, {"resize": {"width_px": 84, "height_px": 72, "filter": "area"}}),
    ("resize.height_px", {}, {"resize": {"width_px": 80, "height_px": 76, "filter": "area"}}),
    ("holes.generator", {}, {"holes": [{"name": "hole", "generator": "stationary-square"}]}),
    ("holes.options", {}, {"holes": [{"name": "hole", "generator": "moving-square", "options": {"size": 0.5}}]}),
    ("holes.dilation", {}, {"holes": [{"name": "hole", "generator": "moving-square", "dilation_iterations": 4}]}),
    ("holes.source", {}, {"holes": [{"name": "hole", "source": "objects"}]}),
    ("holes.pairing", {"holes": OTHERS}, {"holes": [{**OTHERS[0], "pairing": "seeded"}]}),
    ("scoring.composite", {}, {"scoring": {"metrics": ["psnr"], "composite": "none"}}),
    ("scoring.quantise", {}, {"scoring": {"metrics": ["psnr"], "quantise": "truncate"}}),
    ("scoring.averaging", {}, {"scoring": {"metrics": ["psnr"], "averaging": "frames"}}),
    ("scoring.metrics", {}, {"scoring": {"metrics": ["ssim-sttn"]}}),
    ("task", {"holes": [{"name": "hole", "source": "objects"}]}, {"task": "remove"}),
]


@pytest.mark.parametrize(("base", "flip"), [flip[1:] for flip in FLIPS], ids=[flip[0] for flip in FLIPS])
def test_a_flipped_decision_moves_the_number(
    base: dict[str, Any], flip: dict[str, Any], davis: Path, tmp_path: Path
) -> None:
    before = {**BASE, **base}
    after = {**before, **flip}
    if str(before) not in KNOWN:
        KNOWN[str(before)] = numbers(before, davis, tmp_path / "before")
    assert KNOWN[str(before)] != numbers(after, davis, tmp_path / "after")


def small(label: str) -> Protocol:
    """A published protocol at 100x80, with the metrics that need no weights."""
    protocol = load_protocol(label)
    assert protocol.resize is not None
    resize = protocol.resize.model_copy(update={"width_px": 100, "height_px": 80})
    scoring = protocol.scoring.model_copy(update={"metrics": ("psnr", "ssim-sttn", "ssim-gaussian")})
    return protocol.model_copy(update={"resize": resize, "scoring": scoring})


def test_one_method_under_our_protocol_and_under_the_sttn_family_s_differs_as_predicted(
    davis: Path, tmp_path: Path
) -> None:
    """DESIGN.md: the window decides, and long clips weigh more in the mean over frames."""
    ours, theirs = (measured(small(label), davis, tmp_path) for label in ("davis-stationary@1", "sttn-davis@1"))
    tables = [tabulate(group) for group in gather([ours, theirs])]
    assert [table.results.label for table in tables] == ["davis-stationary@1", "sttn-davis@1"]
    for table in tables:
        sttn, gaussian = (table.rows[0].cells[f"{name}/frame"].estimate for name in ("ssim-sttn", "ssim-gaussian"))
        assert sttn is not None and gaussian is not None
        assert sttn.mean != pytest.approx(gaussian.mean, abs=1e-3)
    family = tables[1]
    values = family.results.matrix("psnr", "frame").iloc[:, 0]
    lengths = np.array([CLIPS[str(case).partition("/")[0]] for case in values.index])
    mean = family.rows[0].cells["psnr/frame"].estimate
    assert mean is not None
    assert mean.mean == pytest.approx(float(np.average(values, weights=lengths)))
    assert mean.mean != pytest.approx(float(values.mean()))


def test_tables_of_two_protocols_are_two_tables(davis: Path, tmp_path: Path) -> None:
    stores = [measured(small(label), davis, tmp_path) for label in ("e2fgvi-davis@1", "propainter-davis@1")]
    groups = gather(stores)
    assert [group.label for group in groups] == ["e2fgvi-davis@1", "propainter-davis@1"]
    assert stores[0].info.protocol_digest != stores[1].info.protocol_digest
    tables = [tabulate(group) for group in groups]
    for written in (markdown(tables), latex(tables)):
        assert "different protocols: a number of one must not be compared" in written
    assert "must not be compared" not in markdown(tables[:1])


def test_the_families_resizes_alone_make_e2fgvi_and_propainter_two_data_sets() -> None:
    one, other = (load_protocol(label).model_dump() for label in ("e2fgvi-davis@1", "propainter-davis@1"))
    different = {key for key in one if one[key] != other[key]} - {"title", "description"}
    assert different == {"name", "resize"}
    assert one["resize"]["filter"] == "pillow-bicubic" and other["resize"]["filter"] == "opencv-bilinear"
