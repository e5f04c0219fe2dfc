"""How the command line names a method and its options."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibench import plugins
from vibench.errors import InputError
from vibench.plugins import Spec, split_outside_brackets

options = st.dictionaries(
    st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True),
    st.one_of(st.booleans(), st.integers(), st.none(), st.from_regex(r"[a-z][a-z/.-]{0,8}x", fullmatch=True)),
    max_size=4,
)


@given(st.from_regex(r"[a-z][a-z_:.]{0,12}", fullmatch=True), options)
def test_a_label_reads_back_as_the_same_spec(name: str, given_options: dict[str, plugins.Option]) -> None:
    spec = Spec(name, given_options)
    assert Spec.parse(spec.label) == spec


def test_commas_inside_brackets_belong_to_the_options() -> None:
    assert split_outside_brackets("a, b[x=1,y=2] ,c") == ["a", "b[x=1,y=2]", "c"]


def test_order_of_options_does_not_make_another_method() -> None:
    assert Spec.parse("vinet[b=1,a=true]").label == Spec.parse("vinet[a=True,b=1]").label == "vinet[a=true,b=1]"


@pytest.mark.parametrize("text", ["", "[a=1]", "a[b]", "a[=1]", "a[b=1", "a]b", "a[1b=2]"])
def test_what_is_not_a_spec_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Spec.parse(text)


def test_a_misspelt_method_is_answered_with_the_right_name() -> None:
    with pytest.raises(InputError, match="did you mean 'telea'"):
        plugins.factory("methods", "teela")


def test_module_and_factory_need_no_registration() -> None:
    assert plugins.make("methods", Spec.parse("fractions:Fraction[numerator=3]")) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("no_such_module_xyz:thing", "no module"),
        ("json:no_such", "no callable"),
        ("json:__doc__", "no callable"),
        ("collections:OrderedDict", "not a factory"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_stops(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        plugins.make("methods", Spec.parse(text))


def needs_folder(folder: str, depth: int = 1) -> tuple[str, int]:
    return folder, depth


def test_options_reach_the_factory_and_unknown_or_missing_ones_are_named() -> None:
    here = f"{__name__}:needs_folder"
    assert plugins.make("methods", Spec.parse(f"{here}[folder=a/b,depth=3]"), device="cpu") == ("a/b", 3)
    with pytest.raises(InputError, match="no option 'colour'; its options: folder, depth"):
        plugins.make("methods", Spec.parse(f"{here}[folder=a,colour=1]"))
    with pytest.raises(InputError, match="needs the option folder"):
        plugins.make("methods", Spec.parse(here))


def test_changed_code_is_a_different_method(tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "edited_method.py"  # type: ignore[operator]
    module.write_text("def fill(holed):\n    return holed.frames\n")
    monkeypatch.syspath_prepend(tmp_path)
    build = plugins.factory("methods", "edited_method:fill")
    before = plugins.source_digest(build)
    module.write_text("def fill(holed):\n    return holed.frames + 1\n")
    assert plugins.source_digest(build) != before
