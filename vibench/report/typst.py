"""Tables in Typst: figures that fit a two-column page and need no package."""

from __future__ import annotations

from collections.abc import Iterable

from vibench.report.grid import Entry, Grid, sentence
from vibench.report.numbers import APART

SIZE_PT = 8


def typst_grids(grids: Iterable[Grid]) -> str:
    """Write a figure of each grid; one that needs both columns of a page floats to its top.

    Its remarks stand above it as comments, since a caption may leave them out.
    """
    written = [_figure(grid) for grid in grids]
    return "\n".join([*([f"// {APART}"] if len(written) > 1 else []), *written])


def typst_text(text: str) -> str:
    """Write ``text`` as a string of Typst's code, so that nothing in it is markup, on one line."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _figure(grid: Grid) -> str:
    lines = [f"// {' '.join(remark.split())}" for remark in grid.remarks]
    wide = '  placement: top, scope: "parent",\n' if grid.is_wide else ""
    tables = ",\n".join(_table(panel) for panel in grid.panels())
    caption = " ".join(map(sentence, grid.caption))
    lines += [
        f"#figure(\n{wide}  kind: table,",
        f"  text(size: {SIZE_PT}pt, stack(spacing: 1em,\n{tables})),",
        f"  caption: {typst_text(caption)},",
        f") <tab:{grid.label}>",
        "",
    ]
    return "\n".join(lines)


def _table(grid: Grid) -> str:
    aligned = ", ".join(["left", *["right"] * (len(grid.heads) - 1)])
    heads = [_head(head.text) + (f" + linebreak() + {typst_text(head.below)}" if head.below else "")
             for head in grid.heads]  # fmt: skip
    lines = [f"    table(columns: {len(grid.heads)}, align: ({aligned},), stroke: none, inset: (x: 3pt, y: 2pt),"]
    lines += ["      table.hline(),", f"      table.header({', '.join(heads)}),", "      table.hline(),"]
    for place, row in enumerate(grid.rows):
        if place in grid.ruled:
            lines.append("      table.hline(stroke: 0.5pt),")
        lines.append(f"      {', '.join(map(_cell, row))},")
    return "\n".join([*lines, "      table.hline(),", "    )"])


def _head(text: str) -> str:
    name, below, letters = text.partition("_")
    return f'${name}_"{letters}"$' if below and len(name) == 1 and letters.isalpha() else f"[#{typst_text(text)}]"


def _cell(entry: Entry) -> str:
    text = typst_text(entry.text)
    marked = {"best": f"strong({text})", "second": f"underline({text})", None: text}[entry.mark]
    return f"{marked} + text(size: 0.85em, {typst_text(f' {entry.beside}')})" if entry.beside else marked
