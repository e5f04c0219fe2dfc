"""The one writer of Markdown tables: what it writes, a renderer reads back."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vibench.results.markdown import markdown_table, markdown_text

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)


def cells(html: str) -> list[list[str]]:
    lines = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [[unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL)] for line in lines]


@given(st.lists(st.tuples(PRINTABLE, PRINTABLE), min_size=1, max_size=3))
def test_a_renderer_reads_back_every_text(rows: list[tuple[str, str]]) -> None:
    escaped = [[markdown_text(cell) for cell in row] for row in rows]
    html = MarkdownIt("commonmark").enable("table").render(markdown_table(["a", "b"], escaped, "lr"))
    assert cells(html) == [["a", "b"], *([" ".join(cell.split()) for cell in row] for row in rows)]


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    written = markdown_table(["method", "psnr"], [["telea", "**31.46**"]], "lr")
    assert written == "| method | psnr |\n| --- | ---: |\n| telea | **31.46** |"


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells"):
        markdown_table(["a", "b"], [["x"]], "ll")
    with pytest.raises(ValueError, match="3 letters"):
        markdown_table(["a", "b"], [], "lll")
