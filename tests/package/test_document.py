"""Documents: whatever a file holds, it is read or refused in one sentence that names it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from vibench import document
from vibench.document import Frozen, read_json, read_toml
from vibench.errors import InputError


class Note(Frozen):
    title: str = Field(description="what the note is about")
    count: int = 0


def test_a_document_is_read_as_its_model(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('title = "é"\ncount = 3\n', encoding="utf-8")
    (tmp_path / "a.json").write_text('{"title": "é", "count": 3}', encoding="utf-8")
    expected = Note(title="é", count=3)
    assert read_toml(tmp_path / "a.toml", Note, "note") == read_json(tmp_path / "a.json", Note, "note") == expected


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, read: type) -> None:
    text = 'title = "a"' if read is read_toml else '{"title": "a"}'
    (tmp_path / "a").write_text(text, encoding="utf-8-sig")
    assert read(tmp_path / "a", Note, "note") == Note(title="a")


FAULTS = {
    "a typing error": (b'titel = "a"', "a.toml is not a note: title is missing: what the note is about"),
    "another type": (b"title = 3", r"title must be a text in quotes \(it is 3\)"),
    "an unknown key": (b'title = "a"\ncuont = 3', "there is no key 'cuont'; did you mean 'count'"),
    "a key of two lines": (b'title = "a"\n"two\\nlines" = 3', r"there is no key 'two lines' \(it is 3\)"),
    "a long value": (
        b'title = "a"\ncount = "' + b"x" * 10_000 + b'"',
        r"count must be a whole number.*\.\.\.",
    ),
    "no TOML": (b"title = [", "a.toml is not a note: it is not valid TOML: "),
    "a number without end": (b"count = " + b"9" * 10_000, "it is not valid TOML: Exceeds the limit"),
    "no UTF-8": (b'title = "\xff"', "it is not valid TOML, since it is not UTF-8 text"),
    "a text of two bytes a letter": ('title = "a"'.encode("utf-16"), "it is not UTF-8 text"),
    "nesting without end": (b"title = " + b"[" * 100_000, "its values are nested too deeply"),
    "nothing": (b"", "title is missing: what the note is about"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_is_one_sentence_that_names_the_file(tmp_path: Path, case: str) -> None:
    content, sentence = FAULTS[case]
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        read_toml(tmp_path / "a.toml", Note, "note")
    assert str(tmp_path / "a.toml") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(tmp_path)) + 400


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"[" * 100_000, b'{"title": 3}', b"\xff", b'{"title": "a", "b": 1}']
)
def test_json_has_its_sentences_too(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"a.json is not a note: .+"):
        read_json(tmp_path / "a.json", Note, "note")


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="is not a note file: it is a folder, a pipe or a device"):
            read_toml(path, Note, "note")
    with pytest.raises(InputError, match=r"there is no note file .*absent.toml"):
        read_toml(tmp_path / "absent.toml", Note, "note")


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.toml").write_text('title = "a"')
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(InputError, match=r"the note file .*a.toml' cannot be read: Permission denied"):
        read_toml(tmp_path / "a.toml", Note, "note")


def test_a_file_of_any_size_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_DOCUMENT_BYTES", 2**20)
    (tmp_path / "a.toml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(InputError, match="a.toml is not a note: it is larger than 1 MiB"):
        read_toml(tmp_path / "a.toml", Note, "note")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    for read in (read_toml, read_json):
        with pytest.raises(InputError) as caught:
            read(path, Note, "note")
        assert str(caught.value).isprintable()
