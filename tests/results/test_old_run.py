"""A run that commit 13fb946 wrote, the last before the rooms were rebuilt, is still read, shown and measured alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import vibench
from vibench.results.record import Record
from vibench.results.store import Store

METHODS = ("telea", "last_seen", "telea[radius_px=5]")


@pytest.fixture
def old(golden: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(golden / "run_of_13fb946", tmp_path / "old"))


def raw_records(folder: Path) -> dict[tuple[str, str], dict[str, object]]:
    """What stands in the files, read by nothing of ours."""
    found = [json.loads(path.read_text()) for path in folder.glob("records/*/*.json")]
    return {(record["method"], record["case"]): record for record in found}


def test_every_record_is_sound_and_says_what_its_file_says(old: Path) -> None:
    records, problems = Store.open(old).scan()
    raw = raw_records(old)
    assert problems == [] and len(records) == len(raw) == 16
    for record in records:
        written = json.loads(record.model_dump_json(by_alias=True))
        file = raw[record.method, record.case]
        # Fields that are younger than the file stand beside its own, in the record and in its timing.
        timing = {name: written["timing"][name] for name in file["timing"]} if file["timing"] else None
        assert {name: written[name] for name in file} | {"timing": timing} == file


def test_its_values_are_the_means_of_what_its_files_hold(old: Path) -> None:
    values = vibench.open_run(old).values
    for (method, case), record in raw_records(old).items():
        for metric, regions in record["metrics"].items():  # type: ignore[attr-defined]
            for region, series in regions.items():
                known = [value for value in series if value is not None]
                row = values[(values.method == method) & (values.case == case)]
                row = row[(row.metric == metric) & (row.region == region)]
                assert row.value.item() == pytest.approx(np.mean(known), abs=1e-12)


def test_it_is_reported_and_compared(old: Path, tmp_path: Path) -> None:
    page = vibench.write_report([old], tmp_path / "report")
    assert "radius_px=5" in page.read_text(encoding="utf-8")
    (found,) = vibench.compare(f"{old}::telea", f"{old}::last_seen")
    raw = raw_records(old)
    cases = sorted({case for _, case in raw})
    means = {
        method: np.mean([np.mean(raw[method, case]["metrics"]["psnr"]["hole"]) for case in cases])  # type: ignore[index]
        for method in METHODS[:2]
    }
    psnr = next(finding for finding in found.findings if finding.key == "psnr/hole")
    assert psnr.change is not None
    assert psnr.change.mean == pytest.approx(means["last_seen"] - means["telea"], abs=1e-9)


def test_its_kept_frames_are_measured_again_with_equal_numbers(old: Path) -> None:
    before = raw_records(old)
    again = vibench.score(old, device="cpu")
    after = {(record.method, record.case): record for record in again.store.records()}
    assert after.keys() == before.keys()
    for key, record in before.items():
        for metric, regions in record["metrics"].items():  # type: ignore[attr-defined]
            for region, series in regions.items():
                new = after[key].metrics[metric][region]
                assert new == pytest.approx(series, rel=1e-5, abs=1e-7), (key, metric, region)
        assert after[key].output_sha256 == record["output_sha256"] and after[key].measured_by
        assert after[key].input_sha256 and isinstance(after[key], Record)


def test_its_frames_come_back_bit_for_bit(old: Path) -> None:
    from vibench.clip import digest

    run = vibench.open_run(old)
    for record in run.store.records():
        assert digest(run.frames(record.method, record.case)) == record.output_sha256
