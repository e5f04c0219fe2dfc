"""A version of a method is foreign code too: whatever it does is a verdict with its reason, and nothing is left."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Outcome
from misbehaving import BEHAVIOURS, FAILED, LIMIT, SCORED
from orphans import left_over

Command = Callable[..., Outcome]
SUPPORT = Path(__file__).parents[1] / "support"
CLIP = ("--size", "48x32", "--frames", "5", "--threshold", "50")


@pytest.fixture(autouse=True)
def methods_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))


def compared(vibench: Command, factory: str, how: str, budget: str) -> Outcome:
    """The method as it misbehaves, against itself as it behaves."""
    words = ("--methods", f"misbehaving:{factory}[how={how}]", "--against", "same[how=half_floats]")
    return vibench("regress", *words, *CLIP, "--budget", budget, "--format", "json", "--output", "found.json")


@pytest.mark.parametrize("how", ["os_exit_0", "segfault", "sys_exit_0", "base_exception", "endless", "white_is_one"])
@pytest.mark.parametrize("factory", ["Misbehaving", "Streaming"])
def test_a_version_that_breaks_is_worse_and_one_that_never_ends_is_unclear(
    vibench: Command, tmp_path: Path, factory: str, how: str
) -> None:
    _, outcome, reason = BEHAVIOURS[how]
    never, before = reason == LIMIT, left_over()
    status, out, error = compared(vibench, factory, how, "15s" if never else "10m")
    assert outcome == FAILED and (status, out) == (3 if never else 1, ""), error
    (found,) = json.loads((tmp_path / "found.json").read_text())["comparisons"]
    verdicts = {each["measure"]: each for each in found["findings"]}
    if never:
        assert verdicts["seconds per frame"]["verdict"] == "unclear"
    else:
        assert verdicts["quality"]["verdict"] == "worse" and reason in verdicts["quality"]["note"]
        assert verdicts["seconds per frame"]["verdict"] == "incomparable"
    raised = how in ("sys_exit_0", "base_exception", "white_is_one")
    assert ("Traceback" in error) == ("Traceback" in found["traceback"]) == raised
    assert left_over() <= before


@pytest.mark.parametrize("how", ["closes_output", "changes_torch", "leaves_process", "writes_on_input"])
def test_what_a_version_changes_or_leaves_is_undone(vibench: Command, tmp_path: Path, how: str) -> None:
    assert BEHAVIOURS[how][1] == SCORED
    here, environment, before = os.getcwd(), dict(os.environ), left_over()
    status, _, error = compared(vibench, "Misbehaving", how, "15s")
    (found,) = json.loads((tmp_path / "found.json").read_text())["comparisons"]
    assert found["findings"][0]["note"] == "identical" and status in (0, 1, 3), error
    assert (os.getcwd(), dict(os.environ)) == (here, environment) and left_over() <= before


def test_a_baseline_is_not_made_of_a_version_that_breaks(vibench: Command, tmp_path: Path) -> None:
    method = "misbehaving:Misbehaving[how=os_exit_0]"
    status, _, error = vibench("regress", "--methods", method, *CLIP, "--save", "kept.json")
    assert status == 2 and not (tmp_path / "kept.json").exists()
    assert error.splitlines()[-1].endswith("could not be measured: the method ended its process with status 0")
