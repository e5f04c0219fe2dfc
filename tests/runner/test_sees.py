"""What methods are shown, and what is measured where nothing is put back: from a protocol to its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from davis_layout import write_davis
from listening import Silent

from vibench.clip import Frames, Holed
from vibench.data.cases import build_case
from vibench.data.dataset import Dataset, card_of
from vibench.data.layouts import open_dataset
from vibench.errors import InputError
from vibench.plugins import Spec
from vibench.protocol import Protocol, load_protocol
from vibench.report.numbers import footnotes
from vibench.results.results import Results
from vibench.results.store import Store
from vibench.results.table import tabulate
from vibench.runner.order import Order
from vibench.runner.run import carry_out

CLIPS = {"ant": 3, "bee": 4}


class Darker:
    """Gives back what it was shown, 16 grey levels darker everywhere."""

    def __call__(self, holed: Holed) -> Frames:
        return np.clip(holed.frames.astype(int) - 16, 0, 255).astype(np.uint8)


@pytest.fixture
def davis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    card = card_of("davis-2016").model_copy(update={"splits": {"validation": CLIPS}, "sizes_px": {}})
    monkeypatch.setattr("vibench.data.dataset.cards", lambda: [card])
    return write_davis(tmp_path / "davis", CLIPS, height=64, width=80)


def removal(**changes: Any) -> Protocol:
    return Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3, "task": "remove",
            "data": {"dataset": "davis-2016"}, "holes": [{"name": "object", "source": "objects"}],
            "scoring": {"metrics": ["psnr"], "composite": "none", "kept_margin_px": 3}, **changes,
        }
    )  # fmt: skip


def carried_out(protocol: Protocol, data: Path, output: Path) -> Store:
    return carry_out(Order(protocol, (Spec(f"{__name__}:Darker"),), protocol.scoring.metrics, output, data), Silent())


@pytest.mark.parametrize("sees", ["holed", "everything"])
def test_a_method_is_shown_what_the_protocol_says(sees: str, davis: Path, tmp_path: Path) -> None:
    store = carried_out(removal(sees=sees), davis, tmp_path / "runs")
    for name in store.info.cases:
        kept, filled = store.case_frames(name), store.frames(f"{__name__}:Darker", name)
        assert kept is not None and filled is not None
        frames, holes, _ = kept
        darker = np.clip(frames.astype(int) - 16, 0, 255)
        np.testing.assert_array_equal(filled, np.where(holes[..., None] & (sees == "holed"), 0, darker))


def test_kept_pixels_have_numbers_where_nobody_knows_what_is_behind_the_object(davis: Path, tmp_path: Path) -> None:
    store = carried_out(removal(), davis, tmp_path / "runs")
    for record in store.records():
        assert set(record.metrics["psnr"]) == {"kept", "kept-3px"} and "psnr" not in record.unavailable
    store = carried_out(removal(scoring={"metrics": ["psnr"]}), davis, tmp_path / "composited")
    for record in store.records():
        assert record.metrics == {} and record.unavailable == {"psnr": "nobody knows the truth of this case"}


AS_IT_CAME = (
    "; their output was measured as it came (not composited), and the region kept is what lies outside the holes."
)
PUT_BACK = "; outside the holes the input was put back (composited)."
HOLED, EVERYTHING = "Methods saw frames with empty holes", "Methods saw everything, also what lies inside the holes"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, HOLED + AS_IT_CAME),
        ({"sees": "everything"}, EVERYTHING + AS_IT_CAME),
        ({"scoring": {"metrics": ["seam"]}}, HOLED + PUT_BACK),
    ],
)
def test_every_table_says_what_methods_saw_and_whether_output_was_composited(
    changes: dict[str, Any], sentence: str, davis: Path, tmp_path: Path
) -> None:
    store = carried_out(removal(**changes), davis, tmp_path / "runs")
    table = tabulate(Results.of(store.info, store.records()))
    assert sentence in footnotes(table)
    assert set(table.frame()["sees"]) == {changes.get("sees", "holed")}
    assert set(table.frame()["composite"]) == {"holes" if "scoring" in changes else "none"}


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "restore"},
        {"holes": [{"name": "other", "source": "other-objects"}]},
        {"holes": [{"name": "object", "source": "objects"}, {"name": "square", "generator": "stationary-square"}]},
    ],
)
def test_no_protocol_shows_everything_where_the_input_is_the_truth(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='sees = "everything" needs'):
        removal(sees="everything", **changes)


def test_nor_is_a_case_shown_whose_input_is_the_truth_all_the_same() -> None:
    """A data set whose background was mixed up with its input would hand out the answers."""
    clips = open_dataset("synthetic", split="small")
    planned = next(removal().plan(["pan-fast"]))
    shown = removal(sees="everything", data={"dataset": "synthetic", "split": "small"})
    assert build_case(shown, planned, clips).sees_everything

    def mixed_up(name: str, limit: int | None) -> Any:
        clip = clips.read(name, limit)
        return type(clip)(clip.name, clip.frames, objects=clip.objects, background=clip.frames)

    with pytest.raises(InputError, match=r"its input is the truth in 100% of the hole; use sees = \"holed\""):
        build_case(shown, planned, Dataset(clips.card, clips.frame_counts, mixed_up))


def test_the_raw_protocol_has_the_holes_of_the_composited_one_to_the_bit() -> None:
    from vibench.data.manifest import published

    raw, composited = published("davis-object-raw@1"), published("davis-object@1")
    assert raw is not None and composited is not None and raw.cases == composited.cases
    assert load_protocol("davis-object-raw@1").scoring.composite == "none"
