"""Nothing is made twice: what another run in the same folder has made of the same data is taken over from there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from listening import Silent

from vibench.clip import Frames, Holed
from vibench.errors import InputError
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.results.record import TRUTH
from vibench.results.results import gather
from vibench.results.store import Store
from vibench.runner.order import Order
from vibench.runner.run import carry_out

HERE = __name__


class Grey:
    """Paints the hole in one grey."""

    def __init__(self, level: int = 128) -> None:
        self.level = level

    def __call__(self, holed: Holed) -> Frames:
        return np.full_like(holed.frames, self.level)


class Broken:
    """Always fails."""

    def __call__(self, holed: Holed) -> Frames:
        raise RuntimeError("no")


@pytest.fixture
def protocol(tmp_path: Path) -> Protocol:
    """Two clips of four moving frames, 64x72, one square hole each."""
    clips = tmp_path / "clips"
    for index, name in enumerate(("ant", "bee")):
        texture = np.random.default_rng(index).integers(0, 256, (90, 110, 3), dtype=np.uint8)
        for frame in range(4):
            path = clips / name / f"{frame:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), texture[4 + frame : 68 + frame, 2 * frame : 72 + 2 * frame])
    return Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3,
            "data": {"dataset": f"folder:{clips}"},
            "holes": [{"name": "square", "generator": "stationary-square"}],
            "scoring": {"metrics": ["psnr", "warping-error-dis"]},
        }
    )  # fmt: skip


@pytest.fixture
def ran(protocol: Protocol, tmp_path: Path) -> Callable[..., tuple[Store, Silent]]:
    """Runs methods into one folder of runs; gives the run and what its listener was told."""

    def run(*methods: str, **more: Any) -> tuple[Store, Silent]:
        listener = Silent()
        specs = tuple(Spec.parse(text) for text in methods)
        order = Order(protocol, specs, protocol.scoring.metrics, tmp_path / "out")
        return carry_out(replace(order, **more), listener), listener

    return run


Ran = Callable[..., tuple[Store, Silent]]


def filled(listener: Silent) -> list[tuple[str, str]]:
    """(method, case) of every fill that was begun."""
    return list(dict.fromkeys((method, case) for method, case, _, _ in listener.fills))


def test_adding_a_method_to_a_finished_run_fills_that_one_only(ran: Ran) -> None:
    five = [f"{HERE}:Grey[level={level}]" for level in (10, 60, 120, 180, 240)]
    before, first = ran(*five, name="five")
    assert len(filled(first)) == 10
    after, second = ran(*five, "telea")
    assert filled(second) == [("telea", "ant/square"), ("telea", "bee/square")]
    assert any("10 records of the same methods" in sentence and "five" in sentence for sentence in second.said)
    known = {(record.method, record.case): record for record in before.records()}
    for record in after.records():
        if record.method != "telea":
            earlier = known[record.method, record.case]
            assert record.made_by == before.info.digest and record.run == after.info.digest
            assert record.model_copy(update={"made_by": "", "run": before.info.digest}) == earlier
            assert record.method == TRUTH or np.array_equal(
                after.frames(record.method, record.case), before.frames(record.method, record.case)  # type: ignore[arg-type]
            )  # fmt: skip


def test_what_was_taken_over_outlives_the_run_that_it_came_from(ran: Ran) -> None:
    before, _ = ran("telea", limit=1)
    frames = before.frames("telea", "ant/square")
    after, _ = ran("telea")
    shutil.rmtree(before.folder)
    assert frames is not None
    np.testing.assert_array_equal(after.frames("telea", "ant/square"), frames)
    assert after.case_frames("ant/square") is not None


def test_frames_that_were_damaged_after_they_were_taken_over_are_not_believed(ran: Ran) -> None:
    before, _ = ran("telea", limit=1)
    after, _ = ran("telea")
    path = next((before.folder / "frames").rglob("*.mkv"))
    content = bytearray(path.read_bytes())  # one file under two names
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assert after.frames("telea", "ant/square") is None


def test_changed_data_is_filled_anew(ran: Ran, protocol: Protocol) -> None:
    ran("telea", limit=1)
    frame = Path(protocol.data.dataset.removeprefix("folder:")) / "ant" / "00001.png"
    cv2.imwrite(str(frame), 255 - cv2.imread(str(frame)))
    after, listener = ran("telea")
    assert filled(listener) == [("telea", "ant/square"), ("telea", "bee/square")]
    assert all(record.made_by == "" for record in after.records())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"methods": "telea"}, {"methods": "telea[radius_px=5]"}),
        ({"jobs": 2}, {"jobs": 1}),
        ({}, {"time_limit_seconds": 1e-9}),
        ({"keep_frames": False}, {"keep_frames": True}),
        ({}, {"in_process": True}),
        ({"methods": f"{HERE}:Broken"}, {"methods": f"{HERE}:Broken"}),
    ],
    ids=["other-options", "busier-machine", "longer-than-the-limit", "frames-not-kept", "debugger", "failed"],
)
def test_what_would_not_be_the_same_is_made(ran: Ran, first: dict[str, Any], second: dict[str, Any]) -> None:
    ran(first.pop("methods", "telea"), cases=("square",), **first)
    method = second.pop("methods", "telea")
    _, listener = ran(method, f"{HERE}:Grey", **second)
    assert (method, "ant/square") in filled(listener)


@pytest.mark.parametrize("what", ["machine", "code", "versions", "device"])
def test_results_of_another_machine_code_or_version_are_made_again(
    ran: Ran, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vibench import plugins
    from vibench.runner import bench, run

    ran("telea", limit=1)
    if what == "machine":
        monkeypatch.setattr(run, "machine_facts", lambda: {"processor": "another"})
    elif what == "code":
        before = plugins.source_digest
        monkeypatch.setattr(plugins, "source_digest", lambda build: before(build) + "edited")
    elif what == "versions":
        monkeypatch.setattr(bench, "deciding_versions", lambda: {"numpy": "99"})
    else:
        page = next(next(iter(ran("telea", limit=1)[0].folder.parent.glob("*"))).glob("run.json"))
        page.write_text(page.read_text().replace('"device": "cpu"', '"device": "cuda"'))
    _, listener = ran("telea")
    assert ("telea", "ant/square") in filled(listener)


def test_predictions_are_taken_over_and_measured(ran: Ran) -> None:
    ran("telea", predict_only=True, name="predicted")
    store, listener = ran("telea", f"{HERE}:Grey")
    assert {method for method, _ in filled(listener)} == {f"{HERE}:Grey"}
    assert {record.status for record in store.records()} == {"scored"}


def test_a_name_that_another_run_has_is_refused_with_what_that_run_is(ran: Ran) -> None:
    store, _ = ran("telea", name="mine")
    assert store.folder.name == "mine" and ran("telea", name="mine")[1].remaining == 0
    with pytest.raises(InputError, match=r"mine' is another one \(tiny@1: telea\); give this one another --name"):
        ran(f"{HERE}:Grey", name="mine")


def test_a_method_that_two_runs_hold_stands_once_in_their_table(ran: Ran) -> None:
    one, _ = ran("telea", limit=1)
    two, _ = ran("telea", f"{HERE}:Grey")
    (results,) = gather([one, two])
    assert [facts.label for facts in results.methods] == ["telea", f"{HERE}:Grey"]
    assert results.notes == () and len(results.records) == 6
    (apart,) = gather([one, two], apart=True)
    assert [facts.label for facts in apart.methods] == ["telea", f"telea (run {two.info.digest[:6]})", f"{HERE}:Grey"]


def test_one_name_with_other_frames_stays_two_methods(ran: Ran) -> None:
    one, _ = ran("telea", limit=1)
    two, _ = ran("telea")
    record = next(record for record in two.records() if (record.method, record.case) == ("telea", "ant/square"))
    two.keep(record.model_copy(update={"output_sha256": "0" * 64}))
    (results,) = gather([one, two])
    assert [facts.label for facts in results.methods] == ["telea", f"telea (run {two.info.digest[:6]})"]
