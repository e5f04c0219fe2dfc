"""The command line as a user meets it: help that teaches, and one sentence for each of many mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Outcome
from small_protocol import small_protocol


def write_clip(folder: Path, frames: int = 3, height: int = 48, width: int = 64) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(frames):
        image = np.full((height, width, 3), 40 * index + 20, np.uint8)
        image[10:20, 10 + index : 30 + index] = (200, 30, 90)
        cv2.imwrite(str(folder / f"{index:05d}.png"), image)
    return folder


PROTOCOL = small_protocol("mine")


def protocol_with(old: str, new: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        assert old in PROTOCOL
        write_clip(folder / "clips" / "a")
        (folder / "p.toml").write_text(PROTOCOL.replace(old, new))

    return prepare


def nothing(folder: Path) -> None:
    write_clip(folder / "clips" / "a")
    (folder / "p.toml").write_text(PROTOCOL)


def file_as_output(folder: Path) -> None:
    nothing(folder)
    (folder / "taken").write_text("a file, not a folder")


def torn_run(folder: Path) -> None:
    (folder / "torn").mkdir()
    (folder / "torn" / "run.json").write_text('{"schema": 1, "dig')


def empty_folders(folder: Path) -> None:
    nothing(folder)
    (folder / "empty").mkdir()


MISTAKES: list[tuple[str, str, Callable[[Path], None]]] = [
    ("run -p p.toml -m teela", "did you mean 'telea'", nothing),
    ("run -p p.toml -m ,", "names no method", nothing),
    ("run -p p.toml -m telea[radius", "is not NAME or NAME", nothing),
    ("run -p p.toml -m telea[5]", "is not option=value", nothing),
    ("run -p p.toml -m telea[colour=1]", "no option 'colour'", nothing),
    ("run -p p.toml -m telea,telea", "named twice", nothing),
    ("run -p p.toml -m nowhere:Thing", "no module 'nowhere'", nothing),
    ("run -p p.toml -m json:Thing", "no callable 'Thing'", nothing),
    ("run -p p.toml -m from_disk", "needs the option", nothing),
    ("run -p p.toml -m from_disk[path=absent]", "absent", nothing),
    ("run -p davis-stationery -m telea", "no protocol is called", nothing),
    ("run -p absent.toml -m telea", "no protocol file", nothing),
    ("run -p p.toml -m telea", "not valid TOML", protocol_with("seed = 1", "seed = [")),
    ("run -p p.toml -m telea", "sede", protocol_with("seed = 1", "seed = 1\nsede = 1")),
    ("run -p p.toml -m telea", "no mask is called", protocol_with('"stationary-square"', '"stationery-square"')),
    ("run -p p.toml -m telea", "no option 'sise'", protocol_with("[scoring]", "options = {sise = 0.5}\n[scoring]")),
    ("run -p p.toml -m telea", "no metric is called", protocol_with('"psnr"', '"psnrr"')),
    ("run -p p.toml -m telea", "data set", protocol_with('"folder:clips"', '"davis-2061"')),
    ("run -p p.toml -m telea", "elsewhere", protocol_with('"folder:clips"', '"folder:elsewhere"')),
    ("run -p p.toml -m telea", "zebra", protocol_with('"folder:clips"', '"folder:clips"\nclips = ["zebra"]')),
    ("run -p p.toml -m telea --cases zebra", "zebra", nothing),
    ("run -p p.toml -m telea --device cuda:7", "cuda:7", nothing),
    ("run -p p.toml -m telea --device abacus", "abacus", nothing),
    ("run -p p.toml -m telea --limit 0", "--limit", nothing),
    ("run -p p.toml -m telea --jobs many", "--jobs", nothing),
    ("run -p p.toml -m telea --metrics psnrr", "psnrr", nothing),
    ("run -p p.toml -m telea -o taken", "taken", file_as_output),
    ("run -p p.toml -m telea --predict-only --no-keep-frames", "keep nothing", nothing),
    ("run -p davis-stationary@1 -m telea", "--data", nothing),
    ("run -p davis-stationary@1 -m telea --data empty", "JPEGImages", empty_folders),
    ("run -p p.toml", "--methods", nothing),
    ("report empty", "is not a run", empty_folders),
    ("report absent", "is not a run", nothing),
    ("report torn", "torn", torn_run),
    ("score absent", "is not a run", nothing),
    ("list colours", "colours", nothing),
    ("rnu", "rnu", nothing),
]


@pytest.mark.parametrize(
    ("line", "sentence", "prepare"), MISTAKES, ids=[f"{i:02d}-{m[0]}" for i, m in enumerate(MISTAKES)]
)
def test_each_mistake_is_one_sentence_and_status_2(
    vibench: Callable[..., Outcome], tmp_path: Path, line: str, sentence: str, prepare: Callable[[Path], None]
) -> None:
    prepare(tmp_path)
    status, _, err = vibench(*line.split())
    assert status == 2, err
    assert sentence in err
    assert "Traceback" not in err


def test_a_mistake_in_a_real_process_prints_no_traceback(tmp_path: Path) -> None:
    nothing(tmp_path)
    command = [sys.executable, "-m", "vibench", "run", "-p", "p.toml", "-m", "teela"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.strip().splitlines() == ["Error: no method is called 'teela'; did you mean 'telea'?"]


def test_a_run_ends_with_a_table_and_the_folder(vibench: Callable[..., Outcome], tmp_path: Path) -> None:
    nothing(tmp_path)
    status, out, err = vibench("run", "-p", "p.toml", "-m", "telea,identity")
    assert status == 0, err
    assert "telea" in out and "identity" in out and "run: results/mine_1" in out.replace("@", "_")
    assert "[2/2]" in err


def test_every_command_and_option_has_help(vibench: Callable[..., Outcome]) -> None:
    import typer.main

    from vibench.cli.app import app

    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert command.help, f"{name} has no help"
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name} has no help"


@pytest.mark.parametrize("kind", ["methods", "metrics", "masks", "protocols", "datasets"])
def test_each_kind_can_be_listed(vibench: Callable[..., Outcome], kind: str) -> None:
    status, out, _ = vibench("list", kind)
    assert status == 0
    lines = out.splitlines()
    assert len(lines) >= 3
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


COMMANDS = (
    "run", "score", "report", "compare", "reproduce", "regress", "profile", "speed", "inpaint", "retarget", "export",
    "manifest", "list", "figure", "video", "data", "data check", "data fetch", "study", "study make", "study score",
)  # fmt: skip


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_plain_text_without_markup_or_internal_names(command: str) -> None:
    from typer.testing import CliRunner

    from vibench.cli.app import app

    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0
    for markup in ("`", "[bold]", "[/", "\\[", "InputError", "MissingResource", "UserError", "None"):
        assert markup not in shown.output


@pytest.mark.parametrize("kind", ["methods", "metrics", "masks", "protocols", "datasets"])
def test_lists_are_plain_text_without_markup_or_internal_names(kind: str) -> None:
    from typer.testing import CliRunner

    from vibench.cli.app import app

    shown = CliRunner().invoke(app, ["list", kind])
    assert shown.exit_code == 0
    for markup in ("`", "**", "InputError", "MissingResource", "UserError"):
        assert markup not in shown.output


def test_a_list_for_programs_is_json_and_one_name_gives_all_its_help(vibench: Callable[..., Outcome]) -> None:
    _, out, _ = vibench("list", "methods", "--json")
    assert {"from_disk", "telea"} <= {one["name"] for one in json.loads(out)}
    _, alone, _ = vibench("list", "methods", "from_disk")
    assert "PATH/blackswan/stationary-square/00000.png" in alone and "telea" not in alone
    status, _, error = vibench("list", "methods", "nobody")
    assert status == 2 and "none of the methods" in error
