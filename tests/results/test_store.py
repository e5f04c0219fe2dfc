"""The results folder: whole or not at all, never mixed, never silent."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_run import write_run

from vibench.clip import Case
from vibench.errors import InputError, UserError
from vibench.files import slug
from vibench.media.video import write_lossless
from vibench.results.record import Failure, Record, RunInfo
from vibench.results.store import Problem, Store


def info(digest: str = "d" * 64) -> RunInfo:
    return RunInfo(
        digest=digest, protocol={}, protocol_label="tiny@1", protocol_digest="p", methods=(), metrics=(), cases=("a/1",
        "b/1"), machine={}, versions={}, commit=None, data=None, device="cpu", command="vibench run", started="now",
    )  # fmt: skip


def record(case: str = "a/1", run: str = "d" * 64, **more: object) -> Record:
    return Record(run=run, method="telea", case=case, status="scored", **more)  # type: ignore[arg-type]


def tiny_case() -> Case:
    frames = np.random.default_rng(0).integers(0, 256, (3, 17, 23, 3), dtype=np.uint8)
    holes = np.zeros((3, 17, 23), bool)
    holes[:, 4:9, 5:11] = True
    return Case("a/1", frames, holes, frames)


def test_a_record_reads_back_equal(tmp_path: Path) -> None:
    store = Store.create(tmp_path, info())
    written = record(metrics={"psnr": {"frame": (1.5, None, 1 / 3)}}, hole_fraction=0.1)
    store.keep(written)
    assert store.record("telea", "a/1") == written
    assert store.records() == [written]


def test_the_same_run_opens_the_same_folder_and_another_digest_another(tmp_path: Path) -> None:
    first = Store.create(tmp_path, info())
    assert Store.create(tmp_path, info()).folder == first.folder
    assert Store.create(tmp_path, info("e" * 64)).folder != first.folder


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1}', b"\xff\xfe", b"[]"])
def test_a_torn_record_is_reported_and_not_used(tmp_path: Path, content: bytes) -> None:
    store = Store.create(tmp_path, info())
    store.keep(record())
    path = next(store.folder.glob("records/*/*.json"))
    path.write_bytes(content)
    problem = store.record("telea", "a/1")
    assert isinstance(problem, Problem) and "torn" in problem.sentence
    assert store.scan() == ([], [problem])


def test_a_record_of_another_run_is_reported_and_not_used(tmp_path: Path) -> None:
    store = Store.create(tmp_path, info())
    store.keep(record(run="e" * 64))
    problem = store.record("telea", "a/1")
    assert isinstance(problem, Problem) and "another run" in problem.sentence


def test_a_failed_write_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(tmp_path, info())
    store.keep(record())

    def torn(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(UserError, match="no space left"):
        store.keep(record(frames=7))
    assert store.record("telea", "a/1") == record()
    assert [path.name for path in store.folder.rglob("*partial*")] == []


@given(st.text(min_size=1, max_size=120))
def test_no_name_leaves_the_folder_or_hides(name: str) -> None:
    made = slug(name)
    assert "/" not in made and "\\" not in made and "\0" not in made
    assert made not in ("", ".", "..") and not made.startswith(".")
    assert len(made) < 120


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_different_names_get_different_files(first: str, second: str) -> None:
    assert (slug(first) == slug(second)) == (first == second)


def test_case_and_output_frames_come_back_bit_for_bit(tmp_path: Path) -> None:
    store, case = Store.create(tmp_path, info()), tiny_case()
    store.keep(record(), case.frames, case=case)
    kept = store.case_frames("a/1")
    assert kept is not None and kept[2] is not None
    np.testing.assert_array_equal(kept[0], case.frames)
    np.testing.assert_array_equal(kept[1], case.holes)
    np.testing.assert_array_equal(kept[2], case.frames)
    np.testing.assert_array_equal(store.frames("telea", "a/1"), case.frames)
    assert store.frames("telea", "b/1") is None


def filled_and_its_case() -> tuple[Case, np.ndarray]:
    """Noise with a hole in a corner, and an output that differs from it there alone."""
    chance = np.random.default_rng(0)
    frames = chance.integers(0, 256, (6, 48, 64, 3), np.uint8)
    holes = np.zeros(frames.shape[:3], bool)
    holes[:, :12, :16] = True
    noise = chance.integers(0, 256, frames.shape, np.uint8)
    return Case("a/1", frames, holes, frames), np.where(holes[..., None], noise, frames)


def test_an_output_is_kept_as_its_difference_to_the_input(tmp_path: Path) -> None:
    case, filled = filled_and_its_case()
    alone, beside = Store.create(tmp_path / "alone", info()), Store.create(tmp_path / "beside", info())
    sizes = []
    for store, shown in ((alone, None), (beside, case)):
        store.keep(record(), filled, case=shown)
        np.testing.assert_array_equal(store.frames("telea", "a/1"), filled)
        sizes.append(next(store.folder.glob("frames/telea/*.mkv")).stat().st_size)
    assert sizes[1] < 0.2 * sizes[0]


@pytest.mark.parametrize("change", ["removed", "another", "torn"])
def test_without_its_input_an_output_counts_as_not_kept(tmp_path: Path, change: str) -> None:
    case, filled = filled_and_its_case()
    store = Store.create(tmp_path, info())
    store.keep(record(), filled, case=case)
    kept = next(store.folder.glob("cases/*.mkv"))
    if change == "removed":
        kept.unlink()
    elif change == "another":
        write_lossless(kept, case.frames[::-1].copy())
    else:
        kept.write_bytes(kept.read_bytes()[:-4000])
    assert store.frames("telea", "a/1") is None


def test_a_removed_object_keeps_its_own_truth(tmp_path: Path) -> None:
    store, case = Store.create(tmp_path, info()), tiny_case()
    removal = Case(case.name, case.frames, case.holes, case.frames[::-1].copy())
    store.keep(record(), case=removal)
    kept = store.case_frames("a/1")
    assert kept is not None
    np.testing.assert_array_equal(kept[2], removal.truth)


def test_a_second_process_says_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    store, said = Store.create(tmp_path, info()), threading.Event()
    entered: list[bool] = []

    def second() -> None:
        with Store.open(store.folder).lock(lambda sentence: said.set()):
            entered.append(True)

    with store.lock(lambda sentence: pytest.fail(sentence)):
        thread = threading.Thread(target=second)
        thread.start()
        assert said.wait(10)
        assert entered == []
    thread.join(10)
    assert entered == [True]


def test_a_killed_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    store = Store.create(tmp_path, info())
    holder = (
        "import sys, time; from pathlib import Path; from vibench.results.store import Store\n"
        "with Store.open(Path(sys.argv[1])).lock(print): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", holder, str(store.folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    process.kill()
    process.wait()
    process.stdout.close()
    with store.lock(lambda sentence: pytest.fail(sentence)):
        pass


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run"):
        Store.open(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1}))
    with pytest.raises(InputError, match="torn or was not written by vibench"):
        Store.open(tmp_path)


def test_a_record_in_another_ones_place_is_a_stranger_that_is_named(tmp_path: Path) -> None:
    store = Store.create(tmp_path, info())
    store.keep(record())
    path = next(store.folder.glob("records/*/*.json"))
    path.with_name("copy.json").write_bytes(path.read_bytes())
    records, problems = store.scan()
    assert records == [record()]
    assert [problem.sentence for problem in problems] == [
        "copy.json in telea is in the wrong place: it is about telea on a/1"
    ]


def test_a_folder_in_the_place_of_a_record_is_named_and_harms_no_other(tmp_path: Path) -> None:
    store = Store.create(tmp_path, info())
    store.keep(record())
    (store.folder / "records" / "telea" / "b.json").mkdir()
    records, (problem,) = store.scan()
    assert records == [record()] and "b.json" in problem.sentence


def test_what_a_failed_method_left_before_is_gone_with_its_record(tmp_path: Path) -> None:
    store, case = Store.create(tmp_path, info()), tiny_case()
    store.keep(record(), case.frames, case=case)
    failure = Failure(kind="error", message="it fell over")
    store.keep(record(failure=failure).model_copy(update={"status": "failed"}), traceback="Traceback ...")
    assert store.frames("telea", "a/1") is None
    assert [path.read_text() for path in store.folder.rglob("*.traceback.txt")] == ["Traceback ..."]
    store.keep(record(), case.frames, case=case)
    assert list(store.folder.rglob("*.traceback.txt")) == []


def test_a_run_of_a_later_version_is_called_that_and_stays(tmp_path: Path) -> None:
    """Case 40."""
    store = Store.create(tmp_path, info())
    page = store.folder / "run.json"
    content = json.loads(page.read_text()) | {"schema": 2, "carbon": 1, "versions": {"vibench": "0.9"}}
    page.write_text(json.dumps(content))
    for use in (lambda: Store.open(store.folder), lambda: Store.create(tmp_path, info())):
        with pytest.raises(InputError, match=r"was written by vibench 0.9 \(schema 2\)") as caught:
            use()
        assert "delete" not in str(caught.value)
    assert json.loads(page.read_text()) == content


def test_a_record_of_a_later_version_is_called_that(tmp_path: Path) -> None:
    store = Store.create(tmp_path, info())
    store.keep(record())
    path = next(store.folder.glob("records/*/*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 7, "watts": 3}))
    problem = store.record("telea", "a/1")
    assert isinstance(problem, Problem) and "was written by a later vibench (schema 7)" in problem.sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"psnr": {"frame": [float("nan")]}}}, {"metrics": {"psnr": {"frame": [float("-inf")]}}},
        {"hole_fraction": float("nan")}, {"attributes": {"hole motion": float("inf")}}, {"frames": -1},
    ],
)  # fmt: skip
def test_a_record_with_a_number_that_is_none_is_named_and_not_used(tmp_path: Path, changes: dict[str, object]) -> None:
    store = Store.create(tmp_path, info())
    store.keep(record())
    path = next(store.folder.glob("records/*/*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    records, (problem,) = store.scan()
    assert records == [] and "is damaged: it " in problem.sentence


def test_what_foreign_code_says_is_one_line_that_steers_no_terminal(tmp_path: Path) -> None:
    """Also a surrogate, which no file can hold."""
    store = Store.create(tmp_path, info())
    failure = Failure(kind="error", message="\x1b[2Jit fell\nover \udce9 and \ud800")
    store.keep(record(failure=failure, unavailable={"psnr": "no\x07"}).model_copy(update={"status": "failed"}))
    (found,) = store.records()
    assert found.failure is not None and found.failure.message == "\\x1b[2Jit fell over \\udce9 and \\ud800"
    assert found.unavailable == {"psnr": "no\\x07"}


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol_label": "tiny\x1b[31m@1"}, {"cases": ["a/1", "a/1"]}, {"cases": ["a\n/1"]},
        {"protocol": {"scoring": 3}}, {"protocol": {"holes": ["x"]}},
    ],
)  # fmt: skip
def test_a_page_that_no_run_writes_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    store = Store.create(tmp_path, info())
    page = store.folder / "run.json"
    page.write_text(json.dumps(json.loads(page.read_text()) | changes))
    with pytest.raises(InputError, match=r"run.json' is torn or was not written by vibench: ") as caught:
        Store.open(store.folder)
    assert str(caught.value).isprintable()


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bits.npy", bytes(50_000_000))
        archive.writestr("has_truth.npy", b"")


def claim(path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bits.npy", header.getvalue())
        archive.writestr("has_truth.npy", header.getvalue())


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b""), lambda path: path.write_bytes(path.read_bytes()[:-20]), bomb, claim,
        lambda path: np.savez(path, bits=np.zeros(3, np.uint8), has_truth=np.array(True)),
        lambda path: np.savez(path, bits=np.array([print], object), has_truth=np.array(True)),
        lambda path: (path.unlink(), os.mkfifo(path)), lambda path: (path.unlink(), path.mkdir()),
    ],
)  # fmt: skip
def test_damaged_holes_count_as_not_kept_whatever_they_promise(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    store, case = Store.create(tmp_path, info()), tiny_case()
    store.keep(record(), case.frames, case=case)
    harm(next(store.folder.glob("cases/*.holes.npz")))
    assert store.case_frames("a/1") is None


@pytest.mark.parametrize("name", ["run.json", "records/telea/a_1-*.json"])
@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a device", "a loop of links", "many megabytes"])
def test_what_is_no_file_of_ours_is_a_sentence(tmp_path: Path, name: str, kind: str) -> None:
    store = Store.create(tmp_path, info())
    store.keep(record())
    (path,) = store.folder.glob(name)
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "many megabytes":
        with path.open("wb") as file:
            file.truncate(100 * 2**20)
    else:
        path.symlink_to("/dev/zero" if kind == "a device" else path.name)
    if name == "run.json":
        with pytest.raises(InputError, match=r"run\.json"):
            Store.open(store.folder)
    else:
        records, (problem,) = store.scan()
        assert records == [] and problem.sentence.isprintable()


@pytest.mark.parametrize(
    ("version", "said"),
    [("0.99.0", "was written by vibench 0.99.0 and has a field 'carbon'"), ("0.0.1", "torn"), ("later", "torn")],
)
def test_a_file_with_fields_of_a_later_version_says_so(tmp_path: Path, version: str, said: str) -> None:
    store = write_run(tmp_path, ["a"], ["x"], fails=[("a", "x")])
    page = store.folder / "run.json"
    told = json.loads(page.read_text())
    page.write_text(json.dumps(told | {"versions": {"vibench": version}}))
    record = next((store.folder / "records").rglob("a*/*.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"carbon": 1}))
    (problem,) = Store.open(store.folder).scan()[1]
    assert said in problem.sentence
    page.write_text(json.dumps(told | {"versions": {"vibench": version}, "carbon": 1}))
    with pytest.raises(InputError, match=re.escape(said)):
        Store.open(store.folder)
