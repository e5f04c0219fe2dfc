"""History: what may be compared is one series, all else is another, and a step is found at its commit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome
from small_history import CASES, MACHINE, commits, write_measured

pytest.importorskip("ruptures", reason="needs ruptures: pip install 'vibench[history]'")

from vibench import InputError
from vibench.report.history import as_json, as_text
from vibench.report.page.history import history_context, write_history
from vibench.results.findings import KeptComparison, KeptFinding, append_findings, read_findings
from vibench.results.history import SPEED, History, Series, history

Command = Callable[..., Outcome]
MARKUP = "</script><script>alert(1)</script>[bold]|"
HOSTILE = f"{MARKUP}\x1b[31m\u202e"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("checkout")
    return folder, commits(folder, 12)


def of(found: History, measure: str = SPEED) -> Series:
    one = [series for series in found.series if series.about.measure == measure]
    assert len(one) == 1, [series.about for series in found.series]
    return one[0]


def noise(count: int) -> list[float]:
    return np.exp(np.random.default_rng(5).normal(0, 0.01, count)).tolist()


def test_a_step_of_speed_is_found_at_its_commit_and_with_what_changed_there(
    checkout: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = checkout
    for number, (name, factor) in enumerate(zip(names, noise(12), strict=True)):
        versions = {"vibench": "0.1.0", "numpy": "2.0" if number < 7 else "2.1"}
        write_measured(tmp_path, number, name, rate=(20 if number < 7 else 15) * factor, versions=versions)
    series = of(history(tmp_path, repository=folder))
    (step,) = series.steps
    assert series.points[step.index].commit == names[7] and series.points[step.index - 1].commit == names[6]
    assert step.change == pytest.approx(-0.25, abs=0.02) and not series.is_better(step)
    assert series.changed(step) == ["numpy 2.0 → 2.1"]
    assert [point.value for point in series.points[:7]] == pytest.approx([20 * factor for factor in noise(12)[:7]])


def test_noise_is_no_step_and_equal_quality_none_either(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, names = checkout
    for number, (name, factor) in enumerate(zip(names, noise(12), strict=True)):
        write_measured(tmp_path, number, name, rate=20 * factor)
    found = history(tmp_path, repository=folder)
    assert [series.steps for series in found.series] == [(), ()]
    assert of(found, "psnr/hole").points[0].value == pytest.approx(31.5)  # the mean of 30, 31, 32 and 33 dB


def test_a_change_of_quality_is_a_step_in_dB(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, names = checkout
    for number, name in enumerate(names[:5]):
        write_measured(tmp_path, number, name, psnr=30 if number < 4 else 29.5)
    series = of(history(tmp_path, metrics="psnr/hole", repository=folder), "psnr/hole")
    assert [(step.index, step.after - step.before) for step in series.steps] == [(4, pytest.approx(-0.5))]
    assert "31.5 dB → 31 dB (−0.50 dB, worse)" in as_text(history(tmp_path, metrics="psnr/hole", repository=folder))


@pytest.mark.parametrize("other", [
    {"machine": {**MACHINE, "processor": "another"}}, {"machine": {**MACHINE, "cores": 4}},
    {"machine": {**MACHINE, "accelerators": ["H200"]}}, {"cases": CASES[:3]}, {"protocol_digest": "p2" * 32},
    {"method": "telea[radius=5]"},
])  # fmt: skip
def test_what_may_not_be_compared_is_another_series(
    other: dict[str, object], checkout: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = checkout
    for number, name in enumerate(names[:8]):
        write_measured(tmp_path, number, name, rate=20 if number % 2 else 10, **({} if number % 2 else other))  # type: ignore[arg-type]
    found = [series for series in history(tmp_path, repository=folder).series if series.about.measure == SPEED]
    assert len({series.about for series in found}) == 2 and [len(series.points) for series in found] == [4, 4]
    assert sorted(point.value for series in found for point in series.points) == pytest.approx([10.0] * 4 + [20.0] * 4)
    assert all(len({point.value for point in series.points}) == 1 and not series.steps for series in found)


def test_other_system_and_python_are_in_the_series_and_told(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, names = checkout
    for number, name in enumerate(names[:6]):
        machine = {**MACHINE, "python": "3.11.1" if number < 3 else "3.14.0"}
        write_measured(tmp_path, number, name, rate=(20 if number < 3 else 40) + 0.01 * number, machine=machine)
    series = of(history(tmp_path, repository=folder))
    assert series.changed(series.steps[0]) == ["Python 3.11.1 → 3.14.0"]


def test_commits_are_in_their_own_order_whenever_they_were_measured(
    checkout: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = checkout
    for number, name in enumerate(reversed(names)):
        write_measured(tmp_path, number, name)
    points = of(history(tmp_path, repository=folder)).points
    assert [point.commit for point in points] == names and all(point.is_known for point in points)


def test_changed_and_unknown_commits_and_packages_stand_where_they_belong_and_are_told(
    checkout: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = checkout
    write_measured(tmp_path, 0, f"{names[3]}+changes")
    write_measured(tmp_path, 1, names[3])
    write_measured(tmp_path, 2, names[4])
    write_measured(tmp_path, 3, "f" * 40, started="2001-01-01T00:00:00+00:00")
    write_measured(tmp_path, 4, None, started="2101-01-01T00:00:00+00:00")
    found = history(tmp_path, repository=folder)
    points = of(found).points
    assert [point.commit for point in points] == ["f" * 40, names[3], f"{names[3]}+changes", names[4], None]
    assert [point.code for point in points][2:] == [f"{names[3][:9]}+changes", names[4][:9], "vibench 0.1.0"]
    assert any(note.startswith("2 runs are of code whose commit the checkout") for note in found.notes)
    assert any("+changes differed from its commit" in note for note in found.notes)


def test_without_a_checkout_runs_stand_in_the_order_of_their_starts(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        write_measured(tmp_path / "results", number, "e" * 40, rate=20 + number)
    points = of(history(tmp_path / "results", repository=tmp_path)).points
    assert [point.value for point in points] == pytest.approx([20, 21, 22])


def test_since_takes_a_tag_a_date_and_nothing_else(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, names = checkout
    for number, name in enumerate(names):
        write_measured(tmp_path, number, name)
    write_measured(tmp_path, 20, "e" * 40, started="2031-01-01T00:00:00+00:00")
    assert [point.commit for point in of(history(tmp_path, since=names[8], repository=folder)).points] == names[8:]
    assert len(of(history(tmp_path, since="2031-01-01", repository=folder)).points) == 1
    for wrong in ("v9.9", "--output=/tmp/x", "", "\x00"):
        if wrong:
            with pytest.raises(InputError, match="neither a tag, branch or commit"):
                history(tmp_path, since=wrong, repository=folder)


def test_what_is_incomplete_taken_over_or_a_copy_is_no_measurement(
    checkout: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = checkout
    whole = write_measured(tmp_path / "runs", 0, names[0])
    shutil.copytree(whole.folder, tmp_path / "runs" / "copy")
    part = write_measured(tmp_path / "runs", 1, names[1])
    next((part.folder / "records").rglob("*.json")).unlink()
    taken = write_measured(tmp_path / "runs", 2, names[2])
    for record in taken.records():
        taken.keep(record.model_copy(update={"made_by": "d" * 64}))
    found = history([tmp_path / "runs", whole.folder], repository=folder)
    assert [point.commit for point in of(found).points] == [names[0]]
    assert any("1 of 4 cases failed or were not run" in note for note in found.notes)
    assert any("taken over from an earlier run" in note for note in found.notes)


def test_runs_lie_in_a_folder_or_in_one_of_a_commit_inside_it(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    write_measured(tmp_path / "results", 0, checkout[1][0])
    write_measured(tmp_path / "results" / "second", 1, checkout[1][1])
    write_measured(tmp_path / "others" / "third", 2, checkout[1][2])
    for place, count in (("results", 2), ("others", 1), ("others/third", 1), ("others/third/run2", 1)):
        assert len(of(history(tmp_path / place, repository=checkout[0])).points) == count


def test_cases_of_several_machines_have_no_mean(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    store = write_measured(tmp_path, 0, None)
    for place, record in enumerate(store.records()):
        assert record.timing is not None
        timing = record.timing.model_copy(update={"machine": f"node of kind {place % 2}"})
        store.keep(record.model_copy(update={"timing": timing}))
    found = history(tmp_path, repository=checkout[0])
    assert found.series == () and "filled on several machines" in found.notes[0]


def test_a_step_of_a_busy_machine_says_so(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    for number, name in enumerate(checkout[1][:8]):
        busy = number > 3
        store = write_measured(tmp_path, number, name, rate=(10 if busy else 20) + 0.01 * number)
        for record in store.records():
            assert record.timing is not None
            timing = record.timing.model_copy(update={"load_average": 19.2 if busy else 0.9})
            store.keep(record.model_copy(update={"timing": timing}))
    found = history(tmp_path, repository=checkout[0])
    series = of(found)
    assert series.changed(series.steps[0]) == ["load average 1 → 19"]
    assert all("load average" not in point.circumstances for point in of(found, "psnr/hole").points)


def test_names_that_are_not_there_and_folders_without_runs_are_one_sentence(tmp_path: Path) -> None:
    write_measured(tmp_path / "results", 0, None)
    with pytest.raises(InputError, match="nothing was measured of the method 'vinet'; there is: telea"):
        history(tmp_path / "results", "vinet")
    with pytest.raises(InputError, match="of the metric 'ssim'; there is: frames/s, psnr/hole"):
        history(tmp_path / "results", metrics="ssim")
    with pytest.raises(InputError, match="is not a run"):
        history(tmp_path / "nothing")


def test_hostile_names_are_text_on_the_page_and_in_the_terminal(tmp_path: Path) -> None:
    machine = {**MACHINE, "processor": HOSTILE, "python": HOSTILE, "accelerators": HOSTILE, "memory_bytes": "much"}
    for number in range(5):
        store = write_measured(
            tmp_path / "results", number, HOSTILE, method=MARKUP, machine=machine, psnr=30 if number < 3 else 31,
            versions={"vibench": HOSTILE, HOSTILE: str(number)}, protocol_label=MARKUP, device=HOSTILE,
        )  # fmt: skip
    assert store.folder.exists()
    found = history(tmp_path / "results", repository=tmp_path)
    assert len(found.series) == 2
    page = write_history(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1 and "alert(1)</script>" not in page
    for text in (page, as_text(found)):
        assert "\x1b" not in text and "\u202e" not in text
    assert "[bold]" in as_text(found)
    json.loads(as_json(found))


def comparison(number: int, commit: str | None, seconds: float, verdict: str = "same") -> KeptComparison:
    findings = [
        KeptFinding(measure="quality", verdict="same", old=31.0, new=31.0, unit="dB"),
        KeptFinding.model_validate(
            {"measure": "seconds per frame", "verdict": verdict, "old": 0.01, "new": seconds, "unit": "s",
             "ratio": (seconds / 0.01, None, None)}
        ),
        KeptFinding(measure="peak memory", verdict="incomparable", note="there is no such commit"),
    ]  # fmt: skip
    return KeptComparison(
        method="telea", old="last", commit=commit, started=datetime(2026, 1, 1, 0, number, tzinfo=UTC), machine=MACHINE,
        device="cpu", threads=1, probe="abc", clock="cpu", versions={"vibench": "0.1.0"}, findings=tuple(findings),
    )  # fmt: skip


def test_findings_of_regress_are_series_with_their_verdicts(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, names = checkout
    path = tmp_path / "kept" / "findings.jsonl"
    kept = [
        comparison(number, name, 0.010 if number < 6 else 0.013, "worse" if number == 6 else "same")
        for number, name in enumerate(names)
    ]
    append_findings(path, kept[:5])
    append_findings(path, kept[5:])
    assert read_findings(path) == (kept, [])
    found = history(path, repository=folder)
    series = of(found, "seconds per frame")
    assert [step.index for step in series.steps] == [6] and not series.is_better(series.steps[0])
    assert [point.verdict for point in series.points].index("worse") == 6
    assert of(found, "quality").steps == () and {one.about.measure for one in found.series} == {
        "quality", "seconds per frame",
    }  # fmt: skip
    assert "10 ms → 13 ms (+30.0 %, worse)" in as_text(found)


def test_runs_and_findings_are_never_one_series(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    write_measured(tmp_path / "results", 0, checkout[1][0])
    append_findings(tmp_path / "f.jsonl", [comparison(0, checkout[1][0], 0.01)])
    found = history([tmp_path / "results", tmp_path / "f.jsonl"], repository=checkout[0])
    assert sorted(series.about.measure for series in found.series) == [
        SPEED,
        "psnr/hole",
        "quality",
        "seconds per frame",
    ]


@pytest.mark.parametrize("line", [
    '{"schema": 1, "meth', '{"schema": 2}', "[]", "0", '{"schema": 1, "findings": [{"new": NaN}]}',
])  # fmt: skip
def test_a_line_that_is_torn_or_of_a_later_version_is_told_and_loses_no_other(line: str, tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    append_findings(path, [comparison(0, None, 0.01)])
    with path.open("a") as file:
        file.write(line)  # as after kill -9: no line break
    append_findings(path, [comparison(1, None, 0.02)])
    kept, faults = read_findings(path)
    assert len(kept) == 2 and len(faults) == 1 and "line 2" in faults[0]
    assert history(path, repository=tmp_path).notes[0] == faults[0]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00" * 10])
def test_a_file_that_is_no_text_or_no_findings_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)
    try:
        assert read_findings(path)[0] == [] and read_findings(path)[1]
    except InputError as error:
        assert "is no file of findings" in str(error)
    (tmp_path / "g.jsonl").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        history(tmp_path / "g.jsonl")


def test_json_says_everything_and_the_command_prints_it(
    vibench: Command, checkout: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, names = checkout
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(names[:6]):
        write_measured(tmp_path / "results", number, name, psnr=30 if number < 3 else 31)
    status, out, err = vibench("history", "--repository", str(folder), "--format", "json", "--page", "history.html")
    assert status == 0 and "written: history.html" in err
    told = json.loads(out)
    (quality,) = [series for series in told["series"] if series["measure"] == "psnr/hole"]
    assert [point["commit"] for point in quality["points"]] == names[:6]
    (step,) = quality["steps"]
    assert (step["index"], step["commit"], step["commit_before"], step["better"]) == (3, names[3], names[2], True)
    status, out, _ = vibench("history", "results", "-m", "telea", "--repository", str(folder))
    assert status == 0 and "made up, 2 cores, 8 GiB, on cpu" in out and "step: telea, psnr/hole" in out
    for words in (["--format", "html"], ["-m", "vinet"], ["--since", "never"], ["nowhere"]):
        status, _, err = vibench("history", *words, "--repository", str(folder))
        assert status == 2 and err.count("\n") == 1


def test_the_page_names_no_address_and_counts_what_it_shows(checkout: tuple[Path, list[str]], tmp_path: Path) -> None:
    for number, name in enumerate(checkout[1]):
        write_measured(tmp_path / "results", number, name)
    found = history(tmp_path / "results", repository=checkout[0])
    page = write_history(found, tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert "http" not in page and " src=" not in page and "url(" not in page and "@import" not in page
    assert history_context(found)["counts"] == (24, 2) and page.count('class="dot"') == 24
