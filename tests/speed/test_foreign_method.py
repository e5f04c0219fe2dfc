"""A method whose speed is measured is foreign code too: one sentence, its traceback, a status, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Outcome
from misbehaving import BEHAVIOURS, FAILED, LIMIT, SCORED
from orphans import left_over

from vibench.speed import measure

Command = Callable[..., Outcome]
COMMANDS = {"speed": ("--seconds", "0.1", "--clips", "2", "--repeats", "1"), "profile": ()}


@pytest.fixture(autouse=True, scope="module")
def small_product() -> Iterator[None]:
    """The machine's peak from a product that takes no second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "MATRIX", 64)
        yield


def measured(vibench: Command, command: str, factory: str, how: str, *options: str) -> Outcome:
    method = f"misbehaving:{factory}[how={how}]"
    return vibench(command, method, "--size", "32x32", "--frames", "5", *COMMANDS[command], *options)


@pytest.mark.parametrize("how", ["os_exit_0", "segfault", "sys_exit_0", "base_exception", "endless", "not_a_number"])
@pytest.mark.parametrize(
    ("command", "factory"), [("speed", "Misbehaving"), ("speed", "Streaming"), ("profile", "Misbehaving")]
)
def test_whatever_a_method_does_wrong_is_one_sentence_and_leaves_nothing(
    vibench: Command, tmp_path: Path, command: str, factory: str, how: str
) -> None:
    _, outcome, reason = BEHAVIOURS[how]
    before = left_over()
    limit = ("--time-limit", "2") if reason == LIMIT else ()
    status, out, error = measured(vibench, command, factory, how, *limit)
    last = error.splitlines()[-1]
    assert outcome == FAILED and (status, out) == (2, "")
    assert last.startswith(f"Error: misbehaving:{factory}[how={how}] failed: ") and reason in last
    assert "Traceback" not in error
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [] and left_over() <= before


@pytest.mark.parametrize("how", ["closes_output", "changes_torch", "leaves_process"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_method_changes_or_leaves_is_undone(vibench: Command, tmp_path: Path, command: str, how: str) -> None:
    assert BEHAVIOURS[how][1] == SCORED
    here, environment, before = os.getcwd(), dict(os.environ), left_over()
    status, out, error = measured(vibench, command, "Misbehaving", how)
    assert status == 0 and "misbehaving" in out, error
    assert len([path for path in (tmp_path / command).iterdir() if path.is_file()]) == 2
    assert (os.getcwd(), dict(os.environ)) == (here, environment) and left_over() <= before


@pytest.mark.parametrize("command", COMMANDS)
def test_for_a_debugger_the_method_works_in_this_process(vibench: Command, tmp_path: Path, command: str) -> None:
    (tmp_path / f"own_{command}.py").write_text(
        "import os\nfrom pathlib import Path\nfrom misbehaving import Misbehaving\n"
        "class M(Misbehaving):\n def __init__(self, **options):\n  Path('seen').write_text(str(os.getpid()))\n"
        "  super().__init__(**options)\n"
    )
    words = (command, f"own_{command}:M[how=half_floats]", "--size", "32x32", "--frames", "5", *COMMANDS[command])
    for options, here in (((), False), (("--in-process",), True)):
        assert vibench(*words, *options)[0] == 0
        assert ((tmp_path / "seen").read_text() == str(os.getpid())) == here
