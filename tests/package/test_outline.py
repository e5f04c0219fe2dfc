"""What the source says of a plug-in is what an import says; where the source does not tell, there is no outline."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from vibench import plugins
from vibench.plugins import Kind, Spec
from vibench.plugins.outline import outline_of

KINDS: tuple[Kind, ...] = ("methods", "metrics", "masks")
EVERY = [(kind, name) for kind in KINDS for name in plugins.names(kind)]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_an_outline_agrees_with_the_import(kind: Kind, name: str) -> None:
    build = plugins.factory(kind, name)
    outline = outline_of(Path(inspect.getfile(inspect.unwrap(build))), build.__name__)
    assert outline is not None, "the source of every plug-in of ours tells what it is"
    assert outline.doc == inspect.getdoc(build)
    read, known = inspect.signature(outline).parameters, plugins.signature(build, Spec(name))
    assert [(one.name, one.kind) for one in read.values()] == [(one.name, one.kind) for one in known.values()]
    for one in known.values():
        assert (read[one.name].default is one.empty) == (one.default is one.empty)


@pytest.mark.parametrize(
    "source",
    [
        "import nowhere_to_be_found\nclass Mine:\n    'Says.'",
        "Mine = type('Mine', (), {})",
        "@cache\ndef Mine():\n    'Says.'",
        "class Mine(Other):\n    'Says.'",
        "class Mine:\n    x = 1",
        "class Mine:\n    'Says.'\n  broken",
    ],
)
def test_where_the_source_does_not_tell_there_is_none(source: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(source)
    assert outline_of(tmp_path / "mine.py", "Mine") is None


def test_what_the_source_does_not_tell_of_an_option_fits_anything(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def mine(a: Size = 3, b: int = LARGE, c: Literal['x', 'y'] = 'x', *, d, **rest):\n    'Says.'"
    )
    outline = outline_of(tmp_path / "mine.py", "mine")
    assert outline is not None
    right = {"a": "what", "b": "4", "c": "y", "d": "1", "e": "z"}
    assert plugins.option_values(outline, Spec("mine", right)) == {"a": "what", "b": 4, "c": "y", "d": 1, "e": "z"}
    for wrong in ({"b": "many"}, {"c": "z"}):
        with pytest.raises(plugins.UserError, match="it must be"):
            plugins.option_values(outline, Spec("mine", wrong))
    with pytest.raises(ValueError, match="cannot make"):
        outline()
