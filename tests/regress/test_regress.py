"""Two processes in turns: what was injected is found, what is equal is not blamed, what cannot be compared says why.

These run beside whatever else the machine does, so a verdict on time is only asked for where it is off by a factor of
three or more, and budgets are longer than anything needs: a comparison ends when its verdicts are sure.
"""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Outcome
from small_repository import repository

from vibench.cli.options import seconds_of, size_of
from vibench.data.probe import Probe
from vibench.plugins import Option, Spec
from vibench.regress.baseline import Baseline
from vibench.regress.finding import Regression, memory_finding, quality_finding
from vibench.regress.pair import RegressSettings, VersionPair
from vibench.regress.version import MethodVersion, Version, last_ref
from vibench.results.findings import read_findings

Command = Callable[..., Outcome]
SUPPORT = Path(__file__).parents[1] / "support"
CODE = Version("this code", SUPPORT, owns_methods=False)
PROBE = Probe.make(48, 32, 4)


@pytest.fixture(autouse=True)
def methods_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))


def compared(name: str = "Busy", seconds: float = 300, threshold: float = 1.5, **options: Option) -> Regression:
    spec = f"regress_methods:{name}"
    both = MethodVersion(CODE, Spec(spec)), MethodVersion(CODE, Spec(spec, options))
    return VersionPair(
        *both, PROBE, RegressSettings(seconds, threshold=threshold, seed=1, blocks_a_process=5)
    ).compare()


def words(comparison: Regression) -> dict[str, str]:
    return {finding.measure: finding.word for finding in comparison.findings}


def test_a_method_against_itself_is_not_blamed() -> None:
    found = words(compared())
    assert found["quality"] == found["peak memory"] == "same"
    assert not {"slower", "faster"} & set(found.values())


def test_slower_hungrier_and_worse_are_all_found_at_once() -> None:
    found = words(compared(slow_down=3.0, leak_bytes=4_000_000, broken_column=True))
    assert found == {
        "quality": "worse",
        "peak memory": "hungrier",
        "seconds per frame": "slower",
        "first-frame latency": "slower",
    }


def test_a_method_that_waits_is_timed_by_the_wall_clock() -> None:
    comparison = compared("Sleepy", slow_down=4.0)
    assert words(comparison)["seconds per frame"] == "slower"
    assert "by wall time" in comparison.findings[2].note


def test_a_budget_of_nothing_gives_no_verdict() -> None:
    assert set(words(compared(seconds=0.01)).values()) == {"unclear"}


def test_a_new_version_that_raises_is_worse_and_its_time_is_not_compared() -> None:
    found = words(compared(nonsense=1))
    assert found["quality"] == "worse"
    assert found["seconds per frame"] == "incomparable"


def test_an_old_version_that_lacks_the_method_is_incomparable() -> None:
    both = MethodVersion(CODE, Spec("regress_methods:Absent")), MethodVersion(CODE, Spec("regress_methods:Busy"))
    comparison = VersionPair(*both, PROBE, RegressSettings(30)).compare()
    assert set(words(comparison).values()) == {"incomparable"}
    assert "Absent" in comparison.findings[0].note


def test_losing_less_than_the_threshold_is_the_same() -> None:
    assert quality_finding([30.0] * 20, [29.95] * 20, 0.1).word == "same"


def test_one_bad_frame_of_many_is_unclear_not_worse() -> None:
    assert quality_finding([30.0] * 20, [30.0] * 19 + [10.0], 0.1).word == "unclear"


def test_small_peaks_are_not_compared_by_their_ratio() -> None:
    assert memory_finding("peak memory", [4096] * 5, [40960] * 5, 1.1).word == "same"


def test_a_mebibyte_more_is_the_same_and_three_are_not() -> None:
    eight = [8 << 20] * 5
    assert memory_finding("peak memory", eight, [9 << 20] * 5, 1.1).word == "same"
    assert memory_finding("peak memory", eight, [11 << 20] * 5, 1.1).word == "hungrier"


def test_probe_is_the_same_bits_every_time() -> None:
    assert Probe.make(48, 32, 4).digest == PROBE.digest != Probe.make(48, 32, 5).digest


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("7", 7)])
def test_budgets(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_what_is_found_is_added_to_a_file_a_line_a_method(vibench: Command, tmp_path: Path) -> None:
    path = tmp_path / "kept" / "findings.jsonl"
    words = ("--against", "same[radius_px=4]", "--budget", "6s", "--size", "48x32", "--frames", "4", "--format", "json")
    printed = []
    for methods in ("telea", "telea,telea[radius_px=3]"):
        status, out, _ = vibench("regress", "-m", methods, *words, "--append", str(path))
        assert status in (0, 1, 3)
        printed += json.loads(out)["comparisons"]
    kept, faults = read_findings(path)
    assert not faults and [one.method for one in kept] == ["telea", "telea", "telea[radius_px=3]"]
    for line, said in zip(kept, printed, strict=True):
        assert (line.old, line.clock, line.device, line.threads) == (said["other"], said["clock"], "cpu", 1)
        told = [(found.measure, found.verdict, found.old, found.new) for found in line.findings]
        assert told == [(found["measure"], found["outcome"], found["old"], found["new"]) for found in said["findings"]]


def test_a_file_that_cannot_be_added_to_is_told_before_anything_is_measured(vibench: Command, tmp_path: Path) -> None:
    status, _, error = vibench("regress", "-m", "telea", "--budget", "1h", "--append", str(tmp_path))
    assert status == 2 and "cannot" in error and error.count("\n") == 1


def test_sizes() -> None:
    assert size_of("432x240") == (432, 240)


@pytest.mark.parametrize(
    "options",
    [["--budget", "soon"], ["--size", "8x8"], ["--threshold", "0.9"], ["--against", "no-such-ref"],
     ["--against", "absent.whl"], ["--baseline", "absent.json"]],
)  # fmt: skip
def test_mistakes_are_one_sentence_and_status_2(vibench: Command, options: list[str]) -> None:
    status, _, error = vibench("regress", "--methods", "telea", *options)
    assert status == 2
    assert error.count("\n") == 1
    assert error.startswith("Error: ")


def project(folder: Path, *sources: str) -> None:
    """A project with a method of its own, one commit for every source of it."""
    repository(folder, *({"mine.py": f"from regress_methods import Busy\n\n{source}\n"} for source in sources))


BEFORE = "def mine():\n    return Busy(rounds=9_000)"
AFTER = "def mine():\n    return Busy(rounds=9_000, broken_column=True)"


def test_a_commit_that_breaks_a_column_fails_the_build(vibench: Command, tmp_path: Path) -> None:
    project(tmp_path, BEFORE, AFTER)
    words = ("--methods", "mine:mine", "--size", "48x32", "--frames", 4, "--budget", "40s", "--threshold", 3)
    status, out, _ = vibench("regress", *words, "--format", "json")
    assert status == 1
    comparison = json.loads(out)["comparisons"][0]
    assert comparison["findings"][0]["verdict"] == "worse"
    assert comparison["other"].startswith("mine:mine of ")
    trees = subprocess.run(["git", "worktree", "list"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(trees.stdout.splitlines()) == 1


def test_a_first_commit_has_nothing_to_be_compared_with(vibench: Command, tmp_path: Path) -> None:
    project(tmp_path, BEFORE)
    status, out, _ = vibench("regress", "--methods", "mine:mine")
    assert status == 3
    assert "no earlier commit" in out


def test_changes_are_compared_with_the_last_commit(tmp_path: Path) -> None:
    project(tmp_path, BEFORE, AFTER)
    assert last_ref(tmp_path) != "HEAD"
    (tmp_path / "mine.py").write_text(BEFORE)
    assert last_ref(tmp_path) == "HEAD"


def test_a_method_from_elsewhere_is_not_taken_for_two_versions(vibench: Command, tmp_path: Path) -> None:
    project(tmp_path, BEFORE, AFTER)
    status, out, _ = vibench("regress", "--methods", "regress_methods:Busy", "--against", "HEAD~1")
    assert status == 3
    assert "would be the same code" in out


def test_a_wheel_is_a_version(vibench: Command, tmp_path: Path) -> None:
    project(tmp_path, AFTER)
    with zipfile.ZipFile(tmp_path / "mine-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("mine.py", f"from regress_methods import Busy\n\n{BEFORE}\n")
    words = ("--methods", "mine:mine", "--size", "48x32", "--frames", 4, "--budget", "40s", "--threshold", 3)
    status, out, _ = vibench("regress", *words, "--against", "mine-1-py3-none-any.whl")
    assert status == 1
    assert "mine-1-py3-none-any.whl" in out


def test_a_baseline_of_this_machine_is_compared_and_another_is_not(vibench: Command, tmp_path: Path) -> None:
    words = ("--methods", "regress_methods:Busy", "--size", "48x32", "--frames", 4, "--threshold", 20)
    assert vibench("regress", *words, "--budget", "60s", "--save", "kept.json")[0] == 0
    status, out, _ = vibench("regress", *words, "--budget", "60s", "--baseline", "kept.json")
    assert (status, "baseline of" in out) == (0, True)

    kept = Baseline.read(tmp_path / "kept.json")
    kept.model_copy(update={"machine": "another"}).write(tmp_path / "kept.json")
    status, out, _ = vibench("regress", *words, "--baseline", "kept.json")
    assert status == 3
    assert "another machine" in out
