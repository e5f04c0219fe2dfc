"""The method files that come with vibench use what the published scripts have, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vibench.clip import Holed
from vibench.errors import MissingResource
from vibench.plugins import Spec
from vibench.runner.programs.factory import ProgramFactory, named_method
from vibench.runner.programs.handover import given, hand_over
from vibench.runner.programs.method_file import MethodFile, load_method_file, shipped
from vibench.runner.programs.program import Program
from vibench.runner.programs.template import filled_in

PUBLISHED: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("published_options.toml").read_text())
FILES = {file.stem: load_method_file(file) for file in shipped()}
PAGE = Path(__file__).parents[2] / "docs" / "method-files.md"


def published(name: str) -> dict[str, Any]:
    return PUBLISHED[name] if name in PUBLISHED else PUBLISHED[name.partition("-")[0]]


def test_every_program_that_was_promised_has_a_file() -> None:
    assert set(FILES) >= {
        "propainter", "e2fgvi", "sttn", "fuseformer", "diffueraser", "minimax-remover", "rose", "void", "iopaint-lama",
        "iopaint-mat", "iopaint-cv2", "ffmpeg-delogo", "ffmpeg-removelogo",
    }  # fmt: skip
    assert all(name == file.name for name, file in FILES.items())


def options_of(file: MethodFile) -> list[str]:
    """The options of the program in a command; ``python -m`` and a negative number are none of them."""
    words = list(file.command[1:])
    if words[0] == "-m":
        words = words[2:]
    return [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]


@pytest.mark.parametrize("name", FILES)
def test_each_option_exists_in_the_published_script(name: str) -> None:
    options = options_of(FILES[name])
    assert set(options) <= set(published(name)["options"])
    assert len(options) == len(set(options)) and (options or name == "minimax-remover")


@pytest.mark.parametrize("name", FILES)
def test_the_script_is_the_one_that_was_read(name: str) -> None:
    source, command = published(name), FILES[name].command
    if name == "void":
        assert source["path"] in command, "its options are those of the configuration that the call names"
    elif not name.startswith(("iopaint", "ffmpeg")):
        assert any(word.removeprefix("{checkout}/") == source["path"] for word in command)
    if names := source.get("names"):
        file = FILES[name]
        mentioned = [file.input.frames, file.input.masks, *file.links, Path(file.output.frames).name]  # type: ignore[union-attr]
        assert sorted(mentioned) == sorted(names)
    assert re.fullmatch(r"[0-9a-f]{40}|", source["commit"])


def test_the_fields_of_iopaint_s_config_exist() -> None:
    (text,) = FILES["iopaint-cv2"].files.values()
    assert re.findall(r'"(\w+)":', text) == PUBLISHED["iopaint"]["config"]


@pytest.mark.parametrize("name", ["ffmpeg-delogo", "ffmpeg-removelogo"])
def test_the_filter_of_ffmpeg_has_these_options_in_the_one_that_is_here_too(name: str) -> None:
    graph = FILES[name].command[FILES[name].command.index("-vf") + 1]
    used = re.findall(r"(\w+)=", graph.partition("=")[2] if name == "ffmpeg-delogo" else "filename=x")
    filter_name = graph.partition("=")[0]
    assert used and set(used) <= set(PUBLISHED["ffmpeg"]["filters"][filter_name])
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    help_text = subprocess.run(
        ["ffmpeg", "-hide_banner", "-h", f"filter={filter_name}"], capture_output=True, text=True, check=True
    )
    assert all(re.search(rf"^\s+{option}\s", help_text.stdout, re.MULTILINE) for option in used)


@pytest.mark.parametrize("name", FILES)
def test_what_is_given_fits_what_the_command_names(name: str, tmp_path: Path) -> None:
    """Every name in every text has a value, and the values stand in the command as single arguments."""
    file = FILES[name]
    holed = Holed("c", np.zeros((30, 240, 432, 3), np.uint8), np.zeros((30, 240, 432), bool))
    holed.masks[:, 50:90, 60:160] = True
    clip = given(holed, file.input)
    values = {
        **file.options, **clip.values, "frames": "F", "masks": "M", "output": "O", "job": "J", "seed": 1,
        "device": "cpu", "threads": 1, "checkout": "C", "python": "P",
    }  # fmt: skip
    texts = [filled_in(text, values) for text in file.templates]
    assert texts and not any("{" in text.replace('{"', "") for text in texts)
    short = file.input.model_copy(update={"least_frames": 1, "most_frames": None})
    paths = hand_over(given(Holed("c", holed.frames[:2], holed.masks[:2]), short), tmp_path)
    assert all(Path(path).exists() for path in paths.values())


def test_what_diffueraser_prints_is_understood() -> None:
    found = re.search(FILES["diffueraser"].seconds, "DiffuEraser inference time: 12.3456 s")
    assert found is not None and found["seconds"] == "12.3456"


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("ffmpeg")])
def test_without_its_environment_a_program_says_what_is_missing(name: str) -> None:
    found = named_method(Spec(name))
    assert found is not None and isinstance(found.factory, ProgramFactory)
    with pytest.raises(MissingResource, match=rf"{name} needs its (checkout|python): write {name}\["):
        found.factory()


@pytest.mark.skipif(not PAGE.parent.exists(), reason="needs a checkout, not a wheel")
def test_the_page_says_of_each_file_how_to_get_its_weights() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, file in FILES.items():
        section = re.search(rf"^### {name.partition('-')[0]}.*?(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
        assert section is not None, name
        assert name in section[0] and all(Path(weights).name in section[0] for weights in file.weights), name


def test_a_checkout_s_commit_and_weights_are_what_a_program_is(tmp_path: Path) -> None:
    checkout = tmp_path / "ProPainter"
    (checkout / "weights").mkdir(parents=True)
    (checkout / "inference_propainter.py").write_text("print('nothing')\n")
    for weights in FILES["propainter"].weights:
        (checkout / weights).write_bytes(weights.encode())
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b"]
    file = FILES["propainter"].model_copy(update={"checkout": str(checkout), "python": sys.executable})

    def identity() -> tuple[str, str | None]:
        found = Program(file, {}).identity
        return found.code, found.weights_sha256

    without_git = identity()
    assert len(without_git[0]) == 64
    for words in (["init", "-q"], ["add", "inference_propainter.py"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    committed = identity()
    assert len(committed[0]) == 40 and committed[1] == without_git[1]
    (checkout / "inference_propainter.py").write_text("print('something')\n")
    changed = identity()
    assert changed[0].startswith(f"{committed[0]}+")
    (checkout / "weights" / "ProPainter.pth").write_bytes(b"others")
    assert identity()[0] == changed[0] and identity()[1] != changed[1]
    (checkout / "weights" / "ProPainter.pth").unlink()
    with pytest.raises(MissingResource, match="propainter needs its weights at .*ProPainter.pth; docs/method-files.md"):
        identity()
