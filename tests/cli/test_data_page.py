"""The page about data of one's own: its commands run as they stand, in its order, on small made clips."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Outcome
from made_pairs import made, write_pairs, write_part

PAGE = Path(__file__).parents[2] / "docs" / "data.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="needs a checkout, not a wheel")


def test_every_command_of_the_page_runs(
    vibench: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibench.plugins.definitions._included", {})
    text = PAGE.read_text(encoding="utf-8")
    write_pairs(tmp_path / "set", ("ant", "bee"))
    for seed, name in enumerate(("cats", "dogs")):
        write_part(tmp_path / "clips" / name, made(seed).input)
        write_part(tmp_path / "masks" / name, made(seed).masks)
    (tmp_path / "own").mkdir()
    (card,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "own" / "prove-m.toml").write_text(card)
    for part, called in re.findall(r'^(input|truth|masks) = "(my_\w+)"', card, re.MULTILINE):
        shutil.copytree(tmp_path / "set" / part, tmp_path / "prove" / called)
    assert vibench("protocol", "new", "prove-removal", "--data", "pairs:set", "-o", "own/prove-removal.toml")[0] == 0
    protocol = tmp_path / "own" / "prove-removal.toml"
    protocol.write_text(protocol.read_text().replace('"pairs:set"', '"prove-m"'))
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert len(commands) >= 12
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "vibench"
        if words[0] == "run":
            words.append("--in-process")
        status, out, err = vibench(*words)
        assert status == 0, f"{command}\n{out}\n{err}"
