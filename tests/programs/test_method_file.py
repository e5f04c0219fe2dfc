"""A method file is read strictly: what is wrong with it is one sentence, and its names are filled in once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vibench.document import first_fault
from vibench.errors import InputError
from vibench.plugins import Spec
from vibench.runner.programs.factory import ProgramFactory, named_method
from vibench.runner.programs.interpreter import InterpreterFactory
from vibench.runner.programs.method_file import MethodFile, load_method_file, numbered
from vibench.runner.programs.template import check_names, filled_in, names_in

LEAST = """
name = "mine"
title = "Mine"
licence = "none"
command = ["echo", "{frames}"]
[output]
frames = "{output}/%05d.png"
"""


def read(tmp_path: Path, text: str) -> MethodFile:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_method_file(path)


def test_the_least_that_a_method_file_says(tmp_path: Path) -> None:
    file = read(tmp_path, LEAST)
    assert (file.name, file.command, file.folder) == ("mine", ("echo", "{frames}"), "{job}")


WRONG: dict[str, tuple[str, str, str]] = {
    "a key that nobody knows": ('title = "Mine"', 'title = "Mine"\ncomand = []', "comand"),
    "no command": ('command = ["echo", "{frames}"]', "", "either a command, for a program, or a factory"),
    "a name that is no name": ("{frames}", "{frame}", "{frame} in '{frame}' is no name; there are checkout, count"),
    "an expression": ("{frames}", "{frames.__class__}", "something else than a name in braces"),
    "a format": ("{frames}", "{frames:>10}", "something else than a name in braces"),
    "an open brace": ("{frames}", "{frames", "has a brace that stands alone"),
    "no output": (
        '[output]\nframes = "{output}/%05d.png"',
        "",
        "output is missing: where the program leaves its frames",
    ),
    "an output without a form": ("%05d.png", "frames", "ends neither like a picture nor like a video"),
    "one picture as output": ("%05d.png", "frame.png", "is one picture; write its number, %05d, or a pattern, *.png"),
    "a name with blanks": ('name = "mine"', 'name = "a b; rm"', "name"),
    "an option of our name": ("[output]", "[options]\nframes = 3\n[output]", "an option may not be called 'frames'"),
    "an input outside": ("[output]", '[input]\nframes = "../%d.png"\n[output]', "must be the name of a file inside"),
    "an input in the output": ("[output]", '[input]\nframes = "output/%d.png"\n[output]', "not in its folder output"),
    "one picture as input": ("[output]", '[input]\nframes = "frame.png"\n[output]', "it must be pictures, frames/%05d"),
    "a size of one side": ("[output]", "[input]\nwidth_px = 64\n[output]", "width_px and height_px go together"),
    "a filter": ("[output]", '[input]\nfilter = "cubic"\n[output]', "filter is 'cubic'; there are area"),
    "a file outside": ("[output]", '[files]\n"/etc/x" = "y"\n[output]', "must be the name of a file inside"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_fault_is_one_sentence_that_names_the_file(fault: str, tmp_path: Path) -> None:
    before, after, sentence = WRONG[fault]
    with pytest.raises(InputError, match=r"mine\.toml") as failed:
        read(tmp_path, LEAST.replace(before, after))
    assert sentence in str(failed.value), str(failed.value)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("pattern", ["took ([0-9]+)", "took (?P<seconds>[0-9]+", "(?P<second>.)"])
def test_seconds_is_a_regular_expression_with_a_group_of_that_name(pattern: str) -> None:
    fields: dict[str, Any] = {"name": "a", "title": "A", "licence": "", "command": ["a"], "output": {"frames": "a.mp4"}}
    with pytest.raises(ValidationError) as failed:
        MethodFile.model_validate({**fields, "seconds": pattern})
    assert "seconds" in first_fault(failed.value)


def test_what_is_installed_is_found_from_the_file_on_and_is_no_decision(tmp_path: Path) -> None:
    file = read(tmp_path, 'checkout = "there"\npython = "env/bin/python"\n' + LEAST)
    assert (file.checkout, file.python) == (str(tmp_path / "there"), str(tmp_path / "env/bin/python"))
    assert read(tmp_path, 'python = "python3"\n' + LEAST).python == "python3", "a command, looked up where it is run"
    same = read(tmp_path, LEAST.replace('"mine"', '"other"').replace('"none"', '"some"'))
    assert file.decisions == read(tmp_path, LEAST).decisions == same.decisions
    assert read(tmp_path, LEAST.replace("echo", "print")).decisions != file.decisions


def test_a_method_file_is_named_by_its_path_and_takes_options_like_any_factory(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(LEAST.replace("[output]", "[options]\nstride = 10\n[output]"))
    found = named_method(Spec.parse(f"{path}[stride=5,checkout={tmp_path},name=yours]"))
    assert found is not None and found.spec.label == "yours[stride=5]"
    assert isinstance(found.factory, ProgramFactory) and found.factory.file.checkout == str(tmp_path)
    assert named_method(Spec("telea")) is None and named_method(Spec("mine:Method")) is None
    foreign = named_method(Spec("mine:Method"), python="python3.8")
    assert foreign is not None and isinstance(foreign.factory, InterpreterFactory)
    with pytest.raises(InputError, match="calls itself 'telea', like an installed method"):
        named_method(Spec.parse(f"{path}[name=telea]"))
    with pytest.raises(InputError, match="there is no method file"):
        named_method(Spec("absent.toml"))


@given(st.text(max_size=30), st.text(max_size=30))
def test_values_are_never_looked_at_again(before: str, value: str) -> None:
    text = before.replace("{", "{{").replace("}", "}}") + "{frames}" + "{{frames}}"
    assert names_in(text) == ["frames"]
    check_names(text, {"frames"})
    assert filled_in(text, {"frames": value}) == before + value + "{frames}"


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [("%05d.png", 7, "00007.png"), ("f%d.png", 12, "f12.png"), ("%3d.png", 7, "7.png"), ("%02d.jpg", 123, "123.jpg")],
)
def test_numbers_stand_in_the_last_part_of_a_name(name: str, number: int, expected: str) -> None:
    assert numbered(Path("/tmp/a%05d") / name, number) == Path("/tmp/a%05d") / expected
