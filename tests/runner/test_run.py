"""The run loop: honest to methods, complete after anything, equal when repeated."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from listening import Silent

from vibench.clip import Frames, Holed
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.results.record import TRUTH, Record
from vibench.results.store import Store
from vibench.runner.order import Order
from vibench.runner.run import run

HERE = __name__


class Peek:
    """Returns what it was given: it finds the answer if the harness leaves it there."""

    def __call__(self, holed: Holed) -> Frames:
        return holed.frames


class White:
    """Paints everything white, outside the holes too."""

    def __call__(self, holed: Holed) -> Frames:
        return np.full_like(holed.frames, 255)


class Noise:
    """Draws from every global generator there is."""

    def __call__(self, holed: Holed) -> Frames:
        import torch

        drawn = np.random.random(holed.frames.shape) + random.random() + torch.rand(1).item()
        return (drawn * 80).astype(np.uint8)


class Broken:
    """Fails in the way it is told to."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __call__(self, holed: Holed) -> Any:
        if len(holed.frames) <= 2:  # let the warm-up pass, so that the failure is that of the timed call
            return holed.frames
        if self.how == "raise":
            raise RuntimeError("the third layer has no weights\nsecond line")
        if self.how == "memory":
            raise MemoryError("cannot allocate 9 TB")
        if self.how == "sleep":
            time.sleep(30)
        if self.how == "shape":
            return holed.frames[:-1]
        return "frames"


class Counting:
    """Streams, counting what it took before it gave."""

    def __call__(self, holed: Holed) -> Frames:
        return np.stack(list(self.stream(iter(holed.frames), iter(holed.masks))))

    def stream(self, frames: Iterable[Any], masks: Iterable[Any]) -> Iterator[Any]:
        for frame, _ in zip(frames, masks, strict=True):
            time.sleep(0.01)
            yield frame


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of six moving frames, 80x96, as image folders."""
    root = tmp_path_factory.mktemp("clips")
    for index, name in enumerate(("ant", "bee", "cow")):
        texture = cv2.GaussianBlur(
            np.random.default_rng(index).integers(0, 256, (120, 150, 3), dtype=np.uint8), (0, 0), 2
        )
        for frame in range(6):
            path = root / name / f"{frame:05d}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), texture[10 + frame : 90 + frame, 5 + 2 * frame : 101 + 2 * frame])
    return root


@pytest.fixture
def protocol(clips: Path) -> Protocol:
    return Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3,
            "data": {"dataset": f"folder:{clips}"},
            "holes": [{"name": "square", "generator": "stationary-square"}],
            "scoring": {"metrics": ["psnr", "warping-error-dis"]},
        }
    )  # fmt: skip


def order(protocol: Protocol, output: Path, *methods: str, **more: Any) -> Order:
    specs = tuple(Spec.parse(text) for text in methods)
    return Order(protocol=protocol, methods=specs, metrics=protocol.scoring.metrics, output=output, **more)


def without_timing(store: Store) -> dict[str, str]:
    """Relative path -> record as text, timing taken out."""
    found = {}
    for path in sorted(store.folder.glob("records/*/*.json")):
        content = json.loads(path.read_text())
        content.pop("timing")
        found[str(path.relative_to(store.folder))] = json.dumps(content)
    return found


def test_a_method_that_looks_for_the_answer_finds_only_the_hole(protocol: Protocol, tmp_path: Path) -> None:
    store = run(order(protocol, tmp_path, f"{HERE}:Peek"), Silent())
    for record in store.records():
        if record.method == TRUTH:
            continue
        case = store.case_frames(record.case)
        kept = store.frames(record.method, record.case)
        assert case is not None and kept is not None
        truth, holes, _ = case
        assert (kept[holes] == 0).all()
        squared = [(truth[t][holes[t]].astype(float) ** 2).mean() for t in range(len(truth))]
        expected = np.mean([10 * np.log10(255**2 / error) for error in squared])
        assert record.value("psnr", "hole") == pytest.approx(expected, abs=1e-9)


def test_pixels_outside_the_hole_are_never_the_methods(protocol: Protocol, tmp_path: Path) -> None:
    store = run(order(protocol, tmp_path, f"{HERE}:White", limit=1), Silent())
    case, kept = store.case_frames("ant/square"), store.frames(f"{HERE}:White", "ant/square")
    assert case is not None and kept is not None
    np.testing.assert_array_equal(kept, np.where(case[1][..., None], 255, case[0]))


def test_two_runs_give_byte_equal_records_timings_aside(protocol: Protocol, tmp_path: Path) -> None:
    methods = (f"{HERE}:Noise", "telea")
    first = run(order(protocol, tmp_path / "first", *methods), Silent())
    second = run(order(protocol, tmp_path / "second", *methods, jobs=2), Silent())
    assert without_timing(first) == without_timing(second)
    assert len(without_timing(first)) == 9


def test_the_same_command_again_makes_nothing(protocol: Protocol, tmp_path: Path) -> None:
    run(order(protocol, tmp_path, "telea"), Silent())
    again = Silent()
    run(order(protocol, tmp_path, "telea"), again)
    assert again.remaining == 0 and again.records == []


def test_another_method_option_or_protocol_never_mixes_in(protocol: Protocol, tmp_path: Path) -> None:
    orders = [
        order(protocol, tmp_path, "telea", limit=1),
        order(protocol, tmp_path, "telea[radius_px=5]", limit=1),
        order(protocol.model_copy(update={"seed": 4}), tmp_path, "telea", limit=1),
    ]
    assert len({run(each, Silent()).folder for each in orders}) == 3


@pytest.mark.parametrize(
    ("how", "kind", "sentence"),
    [
        ("raise", "error", "RuntimeError: the third layer has no weights"),
        ("memory", "out-of-memory", "9 TB"),
        ("sleep", "time-out", "--time-limit 3"),
        ("shape", "error", r"returned uint8 \(5, 80, 96, 3\)"),
        ("type", "error", "str"),
    ],
)
def test_a_failing_method_becomes_a_record_that_says_so(
    protocol: Protocol, tmp_path: Path, how: str, kind: str, sentence: str
) -> None:
    broken = order(protocol, tmp_path, f"{HERE}:Broken[how={how}]", "telea", limit=2, time_limit_seconds=3.0 if how == "sleep" else None)  # fmt: skip
    store = run(broken, Silent())
    failed = [record for record in store.records() if record.status == "failed"]
    assert [record.case for record in failed] == ["ant/square", "bee/square"]
    for record in failed:
        assert record.failure is not None and record.failure.kind == kind
        assert __import__("re").search(sentence, record.failure.message)
    assert sum(record.status == "scored" for record in store.records()) == 4


def test_failed_cases_are_tried_again_only_when_asked(protocol: Protocol, tmp_path: Path) -> None:
    broken = order(protocol, tmp_path, f"{HERE}:Broken[how=raise]", limit=1)
    run(broken, Silent())
    for retry, remaining in ((False, 0), (True, 1)):
        listener = Silent()
        run(order(protocol, tmp_path, f"{HERE}:Broken[how=raise]", limit=1, retry_failed=retry), listener)
        assert listener.remaining == remaining


def test_a_streaming_method_is_timed_frame_by_frame(protocol: Protocol, tmp_path: Path) -> None:
    store = run(order(protocol, tmp_path, f"{HERE}:Counting", limit=1), Silent())
    timing = next(record.timing for record in store.records() if record.timing)
    assert len(timing.frame_seconds) == 6 and all(seconds >= 0.01 for seconds in timing.frame_seconds)
    assert timing.seconds >= sum(timing.frame_seconds) and timing.first_frame_seconds == timing.frame_seconds[0]
    assert timing.frames_per_second == pytest.approx(6 / timing.seconds)


def test_a_torn_record_is_reported_and_made_again(protocol: Protocol, tmp_path: Path) -> None:
    asked = order(protocol, tmp_path, "telea")
    before = without_timing(store := run(asked, Silent()))
    torn = next(store.folder.glob("records/telea/*.json"))
    torn.write_bytes(torn.read_bytes()[:100])
    listener = Silent()
    assert without_timing(run(asked, listener)) == before
    assert len(listener.records) == 1 and any("torn" in sentence for sentence in listener.said)


def test_predicting_first_and_scoring_later_gives_the_same_records(protocol: Protocol, tmp_path: Path) -> None:
    at_once = run(order(protocol, tmp_path / "once", "telea", limit=2), Silent())
    later = run(order(protocol, tmp_path / "later", "telea", limit=2, predict_only=True), Silent())
    assert {record.status for record in later.records()} == {"predicted"}
    scoring = Silent()
    scored = run(order(protocol, tmp_path / "later", "telea", limit=2), scoring)
    assert without_timing(scored) == without_timing(at_once)
    timings = {record.timing.seconds for record in scored.records() if record.timing}
    assert timings == {record.timing.seconds for record in later.records() if record.timing}


def test_a_clip_that_cannot_be_read_fails_alone(protocol: Protocol, clips: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(clips, tmp_path / "clips")
    broken = tmp_path / "clips" / "bee" / "00002.png"
    broken.write_bytes(broken.read_bytes()[:200])
    moved = protocol.model_copy(
        update={"data": protocol.data.model_copy(update={"dataset": f"folder:{tmp_path / 'clips'}"})}
    )
    store = run(order(moved, tmp_path / "out", "telea"), Silent())
    failures = {record.case: record.failure for record in store.records() if record.failure}
    assert set(failures) == {"bee/square"}
    failure = failures["bee/square"]
    assert failure is not None and failure.kind == "bad-input" and "00002.png" in failure.message
    assert sum(record.status == "scored" for record in store.records()) == 4


def test_killed_at_twenty_random_moments_nothing_is_lost_torn_or_doubled(protocol: Protocol, tmp_path: Path) -> None:
    """Each attempt is a forked child that runs the same order and is killed with SIGKILL; the last one may finish."""
    methods = ("telea", "last_seen")
    undisturbed = run(order(protocol, tmp_path / "calm", *methods), Silent())
    asked = order(protocol, tmp_path / "killed", *methods)
    draw = random.Random(20)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            run(asked, Silent())
            os._exit(0)
        time.sleep(draw.uniform(0.0, 0.35))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for path in (tmp_path / "killed").glob("*/records/*/*.json"):
            Record.model_validate_json(path.read_bytes())
    store = run(asked, Silent())
    assert without_timing(store) == without_timing(undisturbed)
    assert store.strangers() == [] and not list(store.folder.rglob("*.partial*"))
    for record in store.records():
        if record.method != TRUTH:
            np.testing.assert_array_equal(
                store.frames(record.method, record.case), undisturbed.frames(record.method, record.case)
            )
