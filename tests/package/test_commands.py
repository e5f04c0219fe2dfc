"""Every command that the documentation shows is run as it stands, in a folder where what it names lies, small.

A command that cannot be run here stands in ``ELSEWHERE`` with the reason; a new one that does not is run, and fails
where it does not end as it should. A verb alone, as in ``vibench run``, is a mention: it must exist.
"""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import click
import pytest
import typer
from command_line import Outcome
from documented import commands
from small_world import data_of_ones_own, small_world, write_answers, write_checkpoints, write_filled

import vibench.cli.app
import vinet.cli

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="needs a checkout, not a wheel")

TRACKED = subprocess.run(
    ["git", "-C", str(CHECKOUT), "ls-files", "*.md"], capture_output=True, text=True, check=False
).stdout.splitlines()  # fmt: skip
SHOWN = {
    page: found
    for page in TRACKED
    if not re.match(r"CHANGELOG|tests/", page) and (CHECKOUT / page).exists()
    if (found := commands((CHECKOUT / page).read_text(encoding="utf-8")))
}
"""Page -> its commands."""

ELSEWHERE = {
    r"pip install .*": "it downloads and installs packages",
    r"git blame|vibench history": "it is a name here",
    r"hf download .*": "it downloads weights of some GB",
    r"python tests/support/false_alarms\.py .*": "it takes hours",
    r"python tests/support/step_alarms\.py .*": "test_steps.py has its series, fewer of them",
    r"python docs/make/(architecture|calibration|results|schemas)\.py.*": "test_generated_pages.py runs it",
    r"python docs/make/scale\.py.*": "it takes minutes; test_scale_model.py holds the model",
    r"python docs/make/bias\.py": "it takes a quarter of an hour",
    r"python docs/make/why\.py": "it draws a picture of this repository, in a minute",
    r"python docs/make/(sanity|side_effects)\.py": "it writes into the checkout; tests/metrics/removal has its parts",
    r"srun .*": "it needs a cluster; tests/runner/test_shard.py holds --shard auto",
    r"vibench .*s3://.*": "it needs a server; tests/runner/test_remote.py starts one",
    r"vibench reproduce vinet/fvid .*": "it needs the weights of I3D; tests/metrics/test_vfid.py holds the metric",
    r"vibench run .* --jobs 2": "its workers do not see that the data is small; tests/runner/test_run.py has some",
    r"vibench run .*propainter.*": "it needs that program and its weights; tests/programs holds its method file",
    r"vibench run --protocol removal .*": "it needs backbones of 8 GB; tests/runner/test_removal.py has small ones",
    r"vibench regress .*--against (v|dist|origin).*": "it needs that version; tests/regress/test_other_versions.py",
    r"vinet train-merge .*|vinet train (?!.*--count).*": "it takes hours; tests/vinet/training has small recipes",
}
"""Commands that no test here runs, with the reason."""

SMALLER = {
    r"vibench run .*synthetic@2": "--limit 1 --in-process",
    r"vibench (run|inpaint) (?!.*--python).*": "--in-process",
    r"vibench speed .*": "--frames 4 --size 64x48 --repeats 1 --seconds 0.1 --clips 1 --in-process",
    r"vibench profile .*": "--frames 4 --size 64x48 --in-process",
    r"vibench regress .*": "--frames 4 --size 32x32 --budget 5s",
    r"vinet flow-error .*": "--scenes 1 --size 32",
}
"""What is added to a command, so that a test has the time for it."""

STATUSES = {r"vibench compare .*": {0, 1}, r"vibench regress .*": {0, 1, 3}}
"""Exit statuses that are an answer: a method may be better than another."""

NAMED = {
    "CASE": "carphone/stationary-square", "METHOD": "telea", "NAME": "davis-2016", "PROTOCOL": "davis-object",
    "DIR": "DAVIS", "I/N": "0/1", "RUN...": "RUN", "SHARD...": "SHARD0 SHARD1",
    "ANSWERS...": "answers1.json answers2.json",
    "...": "--methods telea --output SHARD",
}  # fmt: skip
"""What stands for a word in capitals that is no file of the small world."""

SHARDS = "vibench run --methods telea --output SHARD{0} --shard {0}/2"
DAVIS_SHARDS = "vibench run --protocol davis-object --data DAVIS --methods vinet,telea --output shard{0} --shard {0}/4"
RUN = "vibench run --methods telea,vinet --limit 2 --output . --name RUN"
BEFORE = {
    r"vibench merge SHARD\.\.\.": [SHARDS.format(0), SHARDS.format(1)],
    r"vibench merge shard0 .*": [DAVIS_SHARDS.format(2), DAVIS_SHARDS.format(3)],
    r"vibench history .*findings.*": ["vibench regress --methods telea --append findings.jsonl"],
    r"vibench table RUN .*lpips-alex.*": [RUN, "vibench score RUN --metrics lpips-alex"],
    r".*runs/NAME.*": ["vinet train tiny.toml -o runs/NAME"],
    r".*\bRUN\b.*": [RUN],
    r"vibench report run\.tar\.zst .*": [RUN, "vibench pack RUN -o run.tar.zst"],
}
"""What a reader has done before, where no command of the page did it."""

PREPARED = {
    "vibench study score": write_answers, "from_disk": write_filled, "save_agg_rec": write_checkpoints,
    "ours.safetensors": write_checkpoints,
}  # fmt: skip
"""What other programs than vibench make before a command."""

SLOW = (
    r"vibench (profile|regress|reproduce ablation|speed) .*|vibench run (--data DAVIS|.*(vinet|synthetic@2)).*"
    r"|vibench run .*grey:Grey,.*|vibench merge shard.*|vibench report (?!RUN -o|results$).*"
    r"|vinet (explain|flow-error|train published).*|.*(save_agg_rec|ours\.safetensors|runs/NAME).*"
)
"""Commands that take more than a second of the processor; what is left takes half a minute in all."""

ONCE = r"make .*|vibench (cache|doctor|inpaint|list|profile|speed) .*|vibench doctor"
"""Commands on which no later one depends: where they stand on several pages, they are run on the first."""

T = TypeVar("T")


def matching(table: Mapping[str, T], command: str, otherwise: T) -> T:
    """What ``table`` has for the first of its patterns that is the whole of ``command``."""
    return next((value for pattern, value in table.items() if re.fullmatch(pattern, command)), otherwise)


def mentioned(command: str) -> bool:
    """Whether a command is no more than verbs, and would need something behind them; fails for an unknown verb."""
    program, *words = command.split()
    apps = {"vibench": vibench.cli.app.app, "vinet": vinet.cli.app}
    if program not in apps or any(not re.fullmatch(r"[a-z-]+", word) or word.startswith("-") for word in words):
        return False
    verb: click.Command = typer.main.get_command(apps[program])
    for word in words:
        if not hasattr(verb, "commands"):
            return False
        assert word in verb.commands, f"{command}: there is no such command"
        verb = verb.commands[word]
    return hasattr(verb, "commands") or any(parameter.required for parameter in verb.params)


class Reader:
    """Somebody who carries out the commands of a page in an empty folder, one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, vibench: Callable[..., Outcome]) -> None:
        self.patch, self.folder, self.vibench = monkeypatch, folder, vibench
        self.did: set[str] = set()

    def carry_out(self, command: str) -> None:
        """Run a command, and before it whatever it needs; fail where it does not end as it should."""
        for earlier in matching(BEFORE, command, []):
            if earlier not in self.did:
                self.run(earlier)
        for part, prepare in PREPARED.items():
            if part in command:
                prepare(self.folder)
        self.run(command)

    def run(self, command: str) -> None:
        self.did.add(command)
        words = [part for word in shlex.split(command) for part in (NAMED[word].split() if word in NAMED else [word])]
        program, *rest = [*words, *matching(SMALLER, command, "").split()]
        if program == "vibench":
            status, out, err = self.vibench(*rest)
        elif program == "vinet":
            self.patch.setattr(sys, "argv", ["vinet", *rest])
            status, out, err = _status(vinet.cli.main), "", ""
        else:
            where = {"make": ["make", "-n"], "git": ["git", "-C", "."]}[program]
            ran = subprocess.run([*where, *rest], cwd=CHECKOUT, capture_output=True, text=True, check=False)
            status, out, err = ran.returncode, ran.stdout, ran.stderr
        assert status in matching(STATUSES, command, {0}), f"{command}: {status}\n{out}\n{err}"


def _status(main: Callable[[], None]) -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def to_run(page: str) -> Iterator[str]:
    earlier = {command for other in itertools.takewhile(lambda other: other != page, SHOWN) for command in SHOWN[other]}
    for command in SHOWN[page]:
        if mentioned(command) or matching(ELSEWHERE, command, ""):
            continue
        if command not in earlier or not re.fullmatch(ONCE, command):
            yield command


@pytest.fixture
def reader(
    vibench: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Reader]:
    """Whoever needs a run gets a copy of the first that a page has made."""
    small_world(tmp_path, monkeypatch)
    reader, kept = Reader(monkeypatch, tmp_path, vibench), tmp_path_factory.getbasetemp() / "RUN"
    if kept.is_dir():
        shutil.copytree(kept, tmp_path / "RUN")
        reader.did.add(RUN)
    yield reader
    if RUN in reader.did and not kept.is_dir():
        shutil.copytree(tmp_path / "RUN", kept)


@pytest.mark.parametrize("page", [page for page in SHOWN if any(to_run(page))])
def test_commands_run_as_they_stand(page: str, reader: Reader) -> None:
    if page == "docs/data.md":
        data_of_ones_own(reader.folder, (CHECKOUT / page).read_text(encoding="utf-8"), reader.vibench)
    for command in to_run(page):
        if not re.fullmatch(SLOW, command):
            reader.carry_out(command)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in SHOWN if any(re.fullmatch(SLOW, one) for one in to_run(page))])
def test_commands_that_take_longer_run_as_they_stand(page: str, reader: Reader) -> None:
    for command in to_run(page):
        if re.fullmatch(SLOW, command):
            reader.carry_out(command)


def test_each_reason_is_that_of_a_command() -> None:
    shown = [command for found in SHOWN.values() for command in found]
    assert [pattern for pattern in ELSEWHERE if not any(re.fullmatch(pattern, command) for command in shown)] == []


def test_a_command_is_found_wherever_it_stands() -> None:
    page = "Use `vibench list\nmethods`.\n```console\n$ vibench run \\\n  --jobs 2   # both\nsaid\n```\n"
    page += (
        "```yaml\njobs:\n  a:\n    steps:\n      - run: pip install x && make test || true\n```\nor `--methods a.toml`."
    )
    assert commands(page) == [
        "vibench list methods", "vibench run --jobs 2", "pip install x", "make test", "vibench run --methods a.toml",
    ]  # fmt: skip
    assert mentioned("vibench run") and not mentioned("vibench doctor") and not mentioned("vibench list methods")
    with pytest.raises(AssertionError, match="no such command"):
        mentioned("vibench runn")
