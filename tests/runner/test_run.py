"""The run loop: honest to methods, complete after anything, equal when repeated."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listening import Silent
from tiny_clips import order, tiny_protocol, without_timing, write_clips

from vibench import plugins
from vibench.clip import Frames, Holed
from vibench.errors import InputError
from vibench.protocol import Protocol
from vibench.results.record import TRUTH, Record
from vibench.results.results import Results
from vibench.results.store import Store
from vibench.runner.run import carry_out, rescore

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
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def protocol(clips: Path) -> Protocol:
    return tiny_protocol(clips)


def test_a_method_that_looks_for_the_answer_finds_only_the_hole(protocol: Protocol, tmp_path: Path) -> None:
    store = carry_out(order(protocol, tmp_path, f"{HERE}:Peek"), Silent())
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
    store = carry_out(order(protocol, tmp_path, f"{HERE}:White", limit=1), Silent())
    case, kept = store.case_frames("ant/square"), store.frames(f"{HERE}:White", "ant/square")
    assert case is not None and kept is not None
    np.testing.assert_array_equal(kept, np.where(case[1][..., None], 255, case[0]))


def test_two_runs_give_byte_equal_records_timings_aside(protocol: Protocol, tmp_path: Path) -> None:
    methods = (f"{HERE}:Noise", "telea")
    first = carry_out(order(protocol, tmp_path / "first", *methods), Silent())
    second = carry_out(order(protocol, tmp_path / "second", *methods, jobs=2), Silent())
    assert without_timing(first) == without_timing(second)
    assert len(without_timing(first)) == 9


def test_the_same_command_again_makes_nothing(protocol: Protocol, tmp_path: Path) -> None:
    carry_out(order(protocol, tmp_path, "telea"), Silent())
    again = Silent()
    carry_out(order(protocol, tmp_path, "telea"), again)
    assert again.remaining == 0 and again.records == []


def test_another_method_option_or_protocol_never_mixes_in(protocol: Protocol, tmp_path: Path) -> None:
    orders = [
        order(protocol, tmp_path, "telea", limit=1),
        order(protocol, tmp_path, "telea[radius_px=5]", limit=1),
        order(protocol.model_copy(update={"seed": 4}), tmp_path, "telea", limit=1),
    ]
    assert len({carry_out(each, Silent()).folder for each in orders}) == 3


@pytest.mark.parametrize(
    ("how", "kind", "sentence"),
    [
        ("raise", "error", "RuntimeError: the third layer has no weights"),
        ("memory", "out-of-memory", "9 TB"),
        ("sleep", "time-out", "--time-limit 3"),
        ("shape", "error", r"returned uint8 \(5, 80, 96, 3\)"),
        ("type", "error", r"builtins\.str"),
    ],
)
def test_a_failing_method_becomes_a_record_that_says_so(
    protocol: Protocol, tmp_path: Path, how: str, kind: str, sentence: str
) -> None:
    limit = 3.0 if how == "sleep" else None
    broken = order(protocol, tmp_path, f"{HERE}:Broken[how={how}]", "telea", limit=2, time_limit_seconds=limit)
    store = carry_out(broken, Silent())
    failed = [record for record in store.records() if record.status == "failed"]
    assert [record.case for record in failed] == ["ant/square", "bee/square"]
    for record in failed:
        assert record.failure is not None and record.failure.kind == kind
        assert __import__("re").search(sentence, record.failure.message)
    assert sum(record.status == "scored" for record in store.records()) == 4


def test_failed_cases_are_tried_again_only_when_asked(protocol: Protocol, tmp_path: Path) -> None:
    broken = order(protocol, tmp_path, f"{HERE}:Broken[how=raise]", limit=1)
    carry_out(broken, Silent())
    for retry, remaining in ((False, 0), (True, 1)):
        listener = Silent()
        carry_out(order(protocol, tmp_path, f"{HERE}:Broken[how=raise]", limit=1, retry_failed=retry), listener)
        assert listener.remaining == remaining


def test_a_streaming_method_is_timed_frame_by_frame(protocol: Protocol, tmp_path: Path) -> None:
    store = carry_out(order(protocol, tmp_path, f"{HERE}:Counting", limit=1), Silent())
    timing = next(record.timing for record in store.records() if record.timing)
    assert len(timing.frame_seconds) == 6 and all(seconds >= 0.01 for seconds in timing.frame_seconds)
    assert timing.seconds >= sum(timing.frame_seconds) and timing.first_frame_seconds == timing.frame_seconds[0]
    assert timing.frames_per_second == pytest.approx(6 / timing.seconds)


def test_a_torn_record_is_reported_and_made_again(protocol: Protocol, tmp_path: Path) -> None:
    asked = order(protocol, tmp_path, "telea")
    before = without_timing(store := carry_out(asked, Silent()))
    torn = next(store.folder.glob("records/telea/*.json"))
    torn.write_bytes(torn.read_bytes()[:100])
    listener = Silent()
    assert without_timing(carry_out(asked, listener)) == before
    assert len(listener.records) == 1 and any("torn" in sentence for sentence in listener.said)


def test_a_record_of_a_later_version_is_not_replaced(protocol: Protocol, tmp_path: Path) -> None:
    asked = order(protocol, tmp_path, "telea")
    store = carry_out(asked, Silent())
    path = next(store.folder.glob("records/telea/*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 2, "carbon": 1}))
    later = path.read_text()
    with pytest.raises(InputError, match="was written by a later vibench"):
        carry_out(asked, Silent())
    assert path.read_text() == later


def test_predicting_first_and_scoring_later_gives_the_same_records(protocol: Protocol, tmp_path: Path) -> None:
    at_once = carry_out(order(protocol, tmp_path / "once", "telea", limit=2), Silent())
    later = carry_out(order(protocol, tmp_path / "later", "telea", limit=2, predict_only=True), Silent())
    assert {record.status for record in later.records()} == {"predicted"}
    scoring = Silent()
    scored = carry_out(order(protocol, tmp_path / "later", "telea", limit=2), scoring)
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
    store = carry_out(order(moved, tmp_path / "out", "telea"), Silent())
    failures = {record.case: record.failure for record in store.records() if record.failure}
    assert set(failures) == {"bee/square"}
    failure = failures["bee/square"]
    assert failure is not None and failure.kind == "bad-input" and "00002.png" in failure.message
    assert sum(record.status == "scored" for record in store.records()) == 4


def test_killed_at_twenty_random_moments_nothing_is_lost_torn_or_doubled(protocol: Protocol, tmp_path: Path) -> None:
    """Each attempt is a forked child that runs the same order and is killed with SIGKILL; the last one may finish."""
    methods = ("telea", "last_seen")
    undisturbed = carry_out(order(protocol, tmp_path / "calm", *methods), Silent())
    asked = order(protocol, tmp_path / "killed", *methods)
    draw = random.Random(20)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            carry_out(asked, Silent())
            os._exit(0)
        time.sleep(draw.uniform(0.0, 0.35))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for path in (tmp_path / "killed").glob("*/records/*/*.json"):
            Record.model_validate_json(path.read_bytes())
    store = carry_out(asked, Silent())
    assert without_timing(store) == without_timing(undisturbed)
    assert store.scan()[1] == [] and not list(store.folder.rglob("*.partial*"))
    for record in store.records():
        if record.method != TRUTH:
            np.testing.assert_array_equal(
                store.frames(record.method, record.case), undisturbed.frames(record.method, record.case)
            )


def test_metrics_that_an_earlier_command_did_not_ask_for_are_measured_and_nothing_is_filled_again(
    protocol: Protocol, tmp_path: Path
) -> None:
    first = carry_out(replace(order(protocol, tmp_path, "telea"), metrics=("psnr",)), Silent())
    before = {record.case: record.timing for record in first.records()}
    again = Silent()
    store = carry_out(replace(order(protocol, tmp_path, "telea"), metrics=("psnr", "seam")), again)
    assert store.folder == first.folder and again.remaining == 6  # three of telea and three of the truth
    assert {facts.name for facts in store.info.metrics} == {"psnr", "seam"}
    for record in store.records():
        if record.method != TRUTH:
            assert set(record.metrics) == {"psnr", "seam"} and record.timing == before[record.case]


def test_a_value_that_other_code_measured_is_measured_again(
    protocol: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong values are put under the two metrics; only what the edited one measured is measured again, and is right."""
    asked = replace(order(protocol, tmp_path, f"{HERE}:White"), metrics=("psnr", "ssim-gaussian"))
    store = carry_out(asked, Silent())
    right = {record.case: record.metrics["psnr"] for record in store.records()}
    wrong = {"psnr": {"hole": (99.0,) * 6}, "ssim-gaussian": {"hole": (9.0,) * 6}}
    for record in store.records():
        store.keep(record.model_copy(update={"metrics": wrong}))
    untouched = Silent()
    rescore(store.folder, ("psnr", "ssim-gaussian"), None, "cpu", untouched)
    assert untouched.remaining == 0
    before = plugins.source_digest
    monkeypatch.setattr(plugins, "source_digest", lambda build: before(build) + "edited" * ("psnr" in build.__module__))
    again = Silent()
    scored = rescore(store.folder, ("psnr",), None, "cpu", again)
    assert again.remaining == 3
    for record in scored.records():
        assert record.metrics["psnr"] == right[record.case]
        assert record.metrics["ssim-gaussian"] == wrong["ssim-gaussian"]


def test_a_run_that_goes_on_under_other_versions_says_so_and_so_do_its_tables(
    protocol: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = carry_out(order(protocol, tmp_path, "telea"), Silent())
    kept = {record.case: record.versions for record in store.records()}
    assert all({"numpy", "torch", "opencv", "av", "vibench"} <= set(versions) for versions in kept.values())
    next(store.folder.glob("records/telea/bee*.json")).unlink()
    for place in ("vibench.runner.run.deciding_versions", "vibench.runner.bench.deciding_versions"):
        monkeypatch.setattr(place, lambda: {**kept["ant/square"], "numpy": "99.1"})
    listener = Silent()
    store = carry_out(order(protocol, tmp_path, "telea"), listener)
    assert listener.remaining == 1
    (said,) = [sentence for sentence in listener.said if "numpy 99.1" in sentence]
    assert f"numpy {np.__version__}" in said
    versions = {record.case: record.versions["numpy"] for record in store.records() if record.method == "telea"}
    assert versions == {"ant/square": np.__version__, "bee/square": "99.1", "cow/square": np.__version__}
    notes = Results.of(store.info, store.records()).notes
    assert any("more than one version of numpy" in note for note in notes)


HELPED = "from helper import LEVEL\ndef make():\n    return lambda holed: holed.frames * 0 + LEVEL\n"


def test_an_edited_helper_of_a_users_method_is_run_again(protocol: Protocol, tmp_path: Path) -> None:
    """Each command is a process of its own, as a user's are: this one would keep the helper that it has loaded."""
    (tmp_path / "method.py").write_text(HELPED)
    command = [sys.executable, "-m", "vibench", "run", "-p", "p.toml", "-m", "method:make", "--limit", "1", "-o", "out"]
    toml = 'name = "tiny"\nversion = 1\ntitle = "T"\ndescription = "D"\nseed = 3\n[data]\n'
    toml += f'dataset = "{protocol.data.dataset}"\n[[holes]]\nname = "square"\ngenerator = "stationary-square"\n'
    (tmp_path / "p.toml").write_text(toml + '[scoring]\nmetrics = ["psnr"]\n')
    values = []
    for level in (10, 120):
        (tmp_path / "helper.py").write_text(f"LEVEL = {level}\n")
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
        runs = [Store.open(path.parent) for path in (tmp_path / "out").glob("*/run.json")]
        values.append({store.info.digest: store.records()[0].value("psnr", "hole") for store in runs})
    assert len(values[0]) == 1 and len(values[1]) == 2
    (old,) = values[0].values()
    (new,) = [value for digest, value in values[1].items() if digest not in values[0]]
    assert old is not None and new is not None and abs(new - old) > 1
