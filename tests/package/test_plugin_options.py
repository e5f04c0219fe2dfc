"""Options have the types of the factory's signature: a wrong value is a sentence, never a row of a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from command_line import Outcome
from hypothesis import given
from hypothesis import strategies as st

from vibench import plugins
from vibench.errors import InputError, UserError
from vibench.plugins import Spec, split_outside_brackets
from vibench.plugins.options import Quoted


def typed(
    *,
    switch: bool = True,
    count: int = 3,
    share: float = 0.5,
    path: str = "here",
    place: Path = Path(),
    by: Literal["case", "clip", 2] = "case",
    limit: int | None = None,
    weights: str | None = None,
    either: float | str = 1.0,
    noted: Annotated[int, "a note"] = 1,
    gain=2,  # type: ignore[no-untyped-def]
    loud=False,
    name="x",
    anything=None,
) -> dict[str, Any]:
    """Return its options."""
    return locals()


HERE = f"{__name__}:typed"


def value_of(option: str, text: str) -> object:
    return plugins.make("methods", Spec.parse(f"{HERE}[{option}={text}]"))[option]


RIGHT: list[tuple[str, str, object]] = [
    ("switch", "false", False), ("switch", "TRUE", True), ("count", "-12", -12), ("count", "007", 7),
    ("share", "1e-3", 0.001), ("share", "2", 2.0), ("share", ".5", 0.5),
    ("path", "1_000", "1_000"), ("path", "1e3", "1e3"), ("path", "none", "none"), ("path", "true", "true"),
    ("path", "12#3", "12#3"), ("path", "007", "007"), ("path", "0x10", "0x10"), ("path", "it's", "it's"),
    ("path", '"a,b]c"', "a,b]c"), ("path", '" a "', " a "), ("path", '"True"', "True"),
    ("path", '"say \\"a\\""', 'say "a"'),
    ("path", "a=b", "a=b"), ("path", "C:\\new", "C:\\new"), ("place", "1_000", Path("1_000")),
    ("by", "clip", "clip"), ("by", "2", 2), ("limit", "none", None), ("limit", "5", 5),
    ("weights", "none", None), ("weights", '"none"', "none"), ("weights", "12", "12"), ("either", "2.5", 2.5),
    ("either", "fast", "fast"), ("noted", "4", 4), ("gain", "0.5", 0.5), ("gain", "3", 3), ("loud", "true", True),
    ("name", "12", "12"), ("anything", "12", 12), ("anything", "none", None), ("anything", "1_000", "1_000"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "text", "value"), RIGHT)
def test_a_text_becomes_a_value_of_the_annotated_type(option: str, text: str, value: object) -> None:
    found = value_of(option, text)
    assert found == value and type(found) is type(value)


WRONG = [
    ("switch", "flase", "true or false"), ("switch", "1", "true or false"), ("count", "abc", "a whole number"),
    ("count", "1e3", "a whole number"), ("count", "1_000", "a whole number"), ("count", "1.0", "a whole number"),
    ("count", "none", "a whole number"), ("share", "NaN", "a number"), ("share", "inf", "a number"),
    ("share", "1_0.5", "a number"), ("share", "1e999", "a number"), ("by", "clips", "one of case, clip, 2"),
    ("limit", "many", "none or a whole number"), ("gain", "loud", "a whole number or a number"),
    ("loud", "yes", "true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "text", "right"), WRONG)
def test_a_value_of_another_type_is_a_sentence_with_option_value_and_what_is_right(
    option: str, text: str, right: str
) -> None:
    with pytest.raises(InputError, match=f"{option} is '{text}'; it must be {right}"):
        value_of(option, text)


@pytest.mark.parametrize("spec", ["vinet[recurrence=flase]", "telea[radius_px=abc]", "telea[radius_px=NaN]"])
def test_a_wrong_option_of_a_method_of_ours_ends_a_run_before_it_begins(
    vibench: Callable[..., Outcome], spec: str, tmp_path: Path
) -> None:
    status, _, told = vibench("run", "-m", spec, "-o", str(tmp_path / "out"))
    assert status == 2 and told.startswith("Error: ") and len(told.splitlines()) == 1 and "it must be" in told
    assert not (tmp_path / "out").exists()


def test_values_given_in_python_are_held_against_the_same_types() -> None:
    assert plugins.make("methods", Spec(HERE, {"share": 2, "limit": None}))["share"] == 2.0
    for option, value in {"count": 0.5, "switch": 1, "share": True, "path": 3, "limit": "x"}.items():
        with pytest.raises(InputError, match=f"{option} is .*it must be"):
            plugins.make("methods", Spec(HERE, {option: value}))


def test_two_folders_that_differ_in_a_word_s_capitals_have_two_labels() -> None:
    with pytest.raises(InputError, match='write path="True"'):
        value_of("path", "True")
    small, capital = Spec.parse("from_disk[path=true]"), Spec.parse('from_disk[path="True"]')
    assert small.label != capital.label and Spec.parse(capital.label).options["path"] == "True"


@pytest.mark.parametrize(
    "label",
    ["vinet[memory=false]", "telea[radius_px=5]", "vinet[neighbours=none]", "a[x=1e-05]", "from_disk[path=a/b c]"],
)
def test_labels_of_ordinary_methods_are_as_they_are_written(label: str) -> None:
    """Digests and folders of runs depend on them."""
    assert Spec.parse(label).label == label


@given(st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,5}", fullmatch=True), st.text(max_size=12), max_size=3))
def test_any_text_comes_back_out_of_a_label(texts: dict[str, str]) -> None:
    spec = Spec("method", {name: Quoted(text) for name, text in texts.items()})
    assert split_outside_brackets(f"{spec.label},telea") == [spec.label, "telea"]
    again = Spec.parse(spec.label)
    assert again.label == spec.label
    if all(text.isprintable() for text in texts.values()):
        assert {name: str(value) for name, value in again.options.items()} == texts


def test_an_option_that_is_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="gives the option a twice"):
        Spec.parse("telea[a=1,a=2]")


def test_a_name_that_is_no_text_is_escaped_in_labels_and_kept_in_options() -> None:
    spec = Spec.parse("from_disk[path=caf\udce9]")
    assert spec.label == "from_disk[path=caf\\xe9]" and spec.options["path"] == "caf\udce9"


MODULES = {
    "raises": ("raise RuntimeError('built for\\nCUDA 11.8')", "built for CUDA 11.8"),
    "exits": ("import sys; sys.exit(0)", "ended the program with status 0"),
    "is no Python": ("def (", "SyntaxError"),
    "imports what is not there": ("import no_such_package_xyz", "needs the Python package 'no_such_package_xyz'"),
    "cannot be made": ("def M(): open('/nonexistent/w.pth')", "No such file or directory: /nonexistent/w.pth"),
    "ends when it is made": ("import argparse\ndef M(): argparse.ArgumentParser().parse_args(['--x'])", "status 2"),
    "asks for too much": ("def M(): raise MemoryError", "more memory than"),
}


@pytest.mark.parametrize("case", MODULES)
def test_a_plug_in_that_fails_is_a_sentence_that_names_it(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, reason = MODULES[case]
    name = f"broken_{list(MODULES).index(case)}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.raises(UserError, match=reason) as caught:
        plugins.make("methods", Spec(f"{name}:M"))
    assert f"{name}:M" in str(caught.value) and str(caught.value).isprintable()


def test_another_version_of_a_method_gets_values_too() -> None:
    spec = Spec.parse("vinet[memory=false,of_another_version=3]")
    assert plugins.likely_values("methods", spec) == {"memory": False, "of_another_version": 3}
    assert plugins.likely_values("methods", Spec.parse("no_such[depth=2]")) == {"depth": 2}
    with pytest.raises(InputError, match="it must be true or false"):
        plugins.likely_values("methods", Spec.parse("vinet[memory=flase]"))
