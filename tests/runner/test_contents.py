"""A number belongs to the bytes that it was made of: change them under the same path, and it changes or is refused."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from davis_layout import write_davis
from listening import Silent

import vibench
from vibench.data.contents import known_contents, remember
from vibench.data.dataset import card_of
from vibench.data.layouts import open_dataset
from vibench.errors import InputError
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.results.record import TRUTH
from vibench.results.records import Records
from vibench.results.results import gather
from vibench.results.store import Store
from vibench.results.table import tabulate
from vibench.runner.order import Order
from vibench.runner.run import carry_out, rescore


def write_clip(folder: Path, seed: int) -> Path:
    texture = np.random.default_rng(seed).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 2)
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(4):
        cv2.imwrite(str(folder / f"{frame:05d}.png"), texture[frame : 48 + frame, 2 * frame : 64 + 2 * frame])
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for index, name in enumerate(("ant", "bee")):
        write_clip(tmp_path / "clips" / name, index)
    return tmp_path / "clips"


def protocol(dataset: str) -> Protocol:
    return Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3,
            "data": {"dataset": dataset},
            "holes": [{"name": "square", "generator": "stationary-square"}],
            "scoring": {"metrics": ["psnr"]},
        }
    )  # fmt: skip


def order(dataset: str, output: Path, *methods: str, **more: object) -> Order:
    specs = tuple(Spec.parse(method) for method in methods or ("telea",))
    return Order(protocol(dataset), specs, ("psnr",), output, **more)  # type: ignore[arg-type]


def values(store: Store) -> dict[tuple[str, str], float | None]:
    return {(record.method, record.case): record.value("psnr", "hole") for record in store.records()}


def test_a_clip_that_changed_under_its_path_is_run_again_and_the_other_is_not(clips: Path, tmp_path: Path) -> None:
    asked = order(f"folder:{clips}", tmp_path / "out")
    before = values(carry_out(asked, Silent()))
    write_clip(clips / "bee", 7)
    listener = Silent()
    store = carry_out(asked, listener)
    after = values(store)
    assert listener.remaining == 1 and any("bee/square: the input changed" in sentence for sentence in listener.said)
    assert after["telea", "ant/square"] == before["telea", "ant/square"]
    assert after["telea", "bee/square"] != before["telea", "bee/square"]
    fresh = values(carry_out(order(f"folder:{clips}", tmp_path / "fresh"), Silent()))
    assert after == fresh
    kept = store.case_frames("bee/square")
    assert kept is not None
    np.testing.assert_array_equal(kept[0], open_dataset(f"folder:{clips}").load("bee").frames)


def test_a_change_that_leaves_size_and_time_is_seen(tmp_path: Path) -> None:
    """As `cp -p` and archives do it, with pictures that are not compressed."""
    clip = tmp_path / "clips" / "ant"
    clip.mkdir(parents=True)
    for frame in range(4):
        cv2.imwrite(str(clip / f"{frame}.bmp"), np.random.default_rng(frame).integers(0, 256, (48, 64, 3), np.uint8))
    asked = order(f"folder:{clip.parent}", tmp_path / "out")
    before = values(carry_out(asked, Silent()))
    for file in clip.iterdir():
        times = file.stat()
        picture = cv2.imread(str(file))
        assert picture is not None
        cv2.imwrite(str(file), picture // 2)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    after = values(carry_out(asked, Silent()))
    assert after["telea", "ant/square"] != before["telea", "ant/square"]


def test_another_folder_of_data_gives_its_own_numbers(tmp_path: Path) -> None:
    for index, side in enumerate("AB"):
        write_clip(tmp_path / side / "clips" / "ant", 10 + index)
    found = []
    for side in "ABA":
        store = carry_out(order("folder:clips", tmp_path / "out", data=tmp_path / side), Silent())
        found.append((store.folder, values(store)["telea", "ant/square"]))
    assert found[0][0] == found[1][0] == found[2][0]
    assert found[0][1] != found[1][1] and found[0][1] == found[2][1]


def test_score_refuses_data_that_is_not_what_was_filled(clips: Path, tmp_path: Path) -> None:
    store = carry_out(order(f"folder:{clips}", tmp_path / "out"), Silent())
    before = values(store)
    write_clip(clips / "ant", 7)
    with pytest.raises(InputError, match="the input of 'ant/square' is not what telea filled"):
        rescore(store.folder, ("seam",), None, "cpu", Silent())
    assert {key: value for key, value in values(store).items() if key[0] == "telea"} == before


def test_a_prediction_for_other_data_is_filled_again(clips: Path, tmp_path: Path) -> None:
    carry_out(order(f"folder:{clips}", tmp_path / "out", predict_only=True), Silent())
    write_clip(clips / "ant", 7)
    scored = values(carry_out(order(f"folder:{clips}", tmp_path / "out"), Silent()))
    assert scored == values(carry_out(order(f"folder:{clips}", tmp_path / "fresh"), Silent()))


def test_frames_of_another_method_are_never_scored_as_this_ones(clips: Path, tmp_path: Path) -> None:
    asked = order(f"folder:{clips}", tmp_path / "out", "telea", "identity")
    store = carry_out(asked, Silent())
    before = values(store)
    for file in (store.folder / "frames" / "telea").glob("*.mkv"):
        shutil.copy(store.folder / "frames" / "identity" / file.name, file)
    assert store.frames("telea", "ant/square") is None
    listener = Silent()
    scored = rescore(store.folder, ("seam",), None, "cpu", listener)
    assert sum("no frames of telea" in sentence for sentence in listener.said) == 2
    assert all("seam" not in record.metrics for record in scored.records() if record.method == "telea")
    # The method is at hand in a run: there the case is filled again.
    again = carry_out(Order(asked.protocol, asked.methods, ("psnr", "seam"), asked.output), Silent())
    assert {key: value for key, value in values(again).items() if key[0] != TRUTH} == before
    assert all("seam" in record.metrics for record in again.records())


def test_continuing_a_finished_run_reads_no_clip(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = order(f"folder:{clips}", tmp_path / "out")
    carry_out(asked, Silent())

    def read(*_: object) -> None:
        raise AssertionError("a clip was read")

    monkeypatch.setattr("vibench.data.layouts._clip", read)
    listener = Silent()
    carry_out(asked, listener)
    assert listener.remaining == 0


def test_a_clip_that_is_gone_leaves_its_records_and_says_so(clips: Path, tmp_path: Path) -> None:
    asked = order(f"folder:{clips}", tmp_path / "out")
    before = values(carry_out(asked, Silent()))
    (clips / "ant" / "00001.png").write_bytes(b"torn")
    listener = Silent()
    assert values(carry_out(asked, listener)) == before
    assert any("ant/square cannot be made again" in sentence for sentence in listener.said)


def test_a_data_set_whose_clip_is_gone_leaves_its_records_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = card_of("davis-2016")
    card = card.model_copy(update={"splits": {card.default_split: {"ant": 4, "bee": 4}}})
    monkeypatch.setattr("vibench.data.layouts.card_of", lambda name: card)
    root = write_davis(tmp_path / "davis", {"ant": 4, "bee": 4}, 48, 64)
    asked = order("davis-2016", tmp_path / "out", data=root)
    before = values(carry_out(asked, Silent()))
    shutil.rmtree(root / "JPEGImages" / "480p" / "ant")
    listener = Silent()
    assert values(carry_out(asked, listener)) == before
    assert any("ant/square cannot be made again" in sentence for sentence in listener.said)


def test_methods_on_other_data_are_not_compared(clips: Path, tmp_path: Path) -> None:
    folders = []
    for seed, method in ((1, "telea"), (2, "identity")):
        write_clip(clips / "ant", seed)
        folders.append(carry_out(order(f"folder:{clips}", tmp_path / "out", method), Silent()).folder)
    (comparison,) = vibench.compare(f"{folders[0]}::telea", f"{folders[1]}::identity")
    assert {finding.verdict for finding in comparison.findings} == {"incomparable"}
    assert {finding.reason for finding in comparison.findings} == {"the input of ant/square differs"}


def test_a_kept_case_that_is_another_ones_is_not_shown(clips: Path, tmp_path: Path) -> None:
    store = carry_out(order(f"folder:{clips}", tmp_path / "out"), Silent())
    cases = store.folder / "cases"
    for name in ("ant_square", "bee_square"):
        assert next(cases.glob(f"{name}*.mkv")).is_file()
    for ending in (".mkv", ".holes.npz"):
        ant, bee = (next(cases.glob(f"{name}*{ending}")) for name in ("ant_square", "bee_square"))
        kept = ant.read_bytes()
        shutil.copy(bee, ant)
        assert store.case_frames("ant/square") is None, ending
        ant.write_bytes(kept)
        assert store.case_frames("ant/square") is not None


def test_runs_of_other_data_that_stand_side_by_side_are_noted(clips: Path, tmp_path: Path) -> None:
    stores = []
    for seed in (1, 2):
        write_clip(clips / "ant", seed)
        stores.append(carry_out(order(f"folder:{clips}", tmp_path / str(seed)), Silent()))
    (together,) = gather(stores)
    assert any("The input of ant/square is not the same in all records" in note for note in together.notes)
    with pytest.raises(InputError, match="different data: the input of ant/square differs"):
        vibench.compare(stores[0].folder, stores[1].folder)
    with pytest.raises(InputError, match="different data"):
        vibench.write_report([stores[0].folder, stores[1].folder], tmp_path / "report")


def test_a_case_that_is_not_the_same_for_two_methods_is_in_no_mean_and_no_comparison(
    clips: Path, tmp_path: Path
) -> None:
    one = carry_out(order(f"folder:{clips}", tmp_path / "one", "telea"), Silent())
    write_clip(clips / "ant", 7)
    other = carry_out(order(f"folder:{clips}", tmp_path / "two", "last_seen"), Silent())
    (together,) = gather([one, other])
    table = tabulate(together)
    assert together.torn == {"ant/square"} and table.compared["psnr/hole"] == ("bee/square",)
    for store, method in ((one, "telea"), (other, "last_seen")):
        (cell,) = (row.cells["psnr/hole"] for row in table.rows if row.method == method)
        assert cell.estimate is not None and cell.estimate.mean == values(store)[method, "bee/square"]
    assert any("The input of ant/square is not the same" in note and "no mean" in note for note in together.notes)
    # What failed was made of nothing that a number could belong to.
    failed = [record.model_copy(update={"status": "failed", "metrics": {}}) for record in other.records()]
    assert replace(together, records=Records.of([*one.records(), *failed])).torn == frozenset()


def test_the_memo_is_a_guest(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, data = protocol(f"folder:{clips}"), open_dataset(f"folder:{clips}")
    planned = next(chosen.plan(data.clip_names()))
    right = known_contents(chosen, planned, data)
    cache = tmp_path / "cache"
    monkeypatch.setenv("VIBENCH_CACHE", str(cache))
    assert known_contents(chosen, planned, data) == right
    (memo,) = (cache / "contents").glob("*.json")
    for damage in (b"", b"{", b"[]", b'{"input_sha256": 4}', b"\xff"):
        memo.write_bytes(damage)
        assert known_contents(chosen, planned, data) == right
    shutil.rmtree(cache)
    cache.write_text("a file where the cache should be")
    assert known_contents(chosen, planned, data) == right
    remember(chosen, planned, data, right)


def test_other_frames_of_another_program_are_another_result(clips: Path, tmp_path: Path) -> None:
    filled = tmp_path / "filled"
    found = []
    for grey in (10, 200):
        for name in ("ant", "bee"):
            folder = filled / name / "square"
            folder.mkdir(parents=True, exist_ok=True)
            for frame in range(4):
                cv2.imwrite(str(folder / f"{frame:05d}.png"), np.full((48, 64, 3), grey, np.uint8))
        store = carry_out(order(f"folder:{clips}", tmp_path / "out", f"from_disk[path={filled}]"), Silent())
        found.append((store.folder, sorted(value or 0 for value in values(store).values())))
    assert found[0][0] != found[1][0] and found[0][1] != found[1][1]
