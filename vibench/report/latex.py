"""The table in LaTeX, for papers that load booktabs."""

from __future__ import annotations

from collections.abc import Iterable

from vibench.report.numbers import (
    APART,
    SPEED_HEADS,
    cases_text,
    column_head,
    decimals,
    footnotes,
    interval,
    knows_text,
    number,
    row_name,
    speed_texts,
)
from vibench.results.table import Cell, Table

# pandas (`to_latex(escape=True)`) escapes the first two lines only: it would leave |, < and >, which LaTeX's default
# fonts print as other letters, and the arrows, minus signs and daggers of our tables, which pdflatex refuses.
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "−": "$-$", "–": "--", "†": r"$^\dagger$",
    "×": r"$\times$", "±": r"$\pm$",
}  # fmt: skip


def latex(tables: Iterable[Table]) -> str:
    """Write one ``table`` environment a protocol; nothing but booktabs is needed in the preamble."""
    written = [_environment(table) for table in tables]
    head = ["% \\usepackage{booktabs}", *([f"% {APART}"] if len(written) > 1 else [])]
    return "\n".join([*head, *written])


def latex_text(text: str) -> str:
    """Escape ``text`` so that LaTeX prints it as it is, on one line."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def _environment(table: Table) -> str:
    heads = ["method", *(column_head(column) for column in table.columns), "knows", "cases", SPEED_HEADS[0]]
    lines = [r"\begin{table}", r"  \centering", rf"  \begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"  \toprule"]
    lines += [_row(latex_text(head) for head in heads), r"  \midrule"]
    for row in table.rows:
        if row.is_floor:
            lines.append(r"  \midrule")
        cells = [_cell(row.cells[column.key], decimals(table, column)) for column in table.columns]
        rest = (knows_text(row), cases_text(row, table), speed_texts(row)[0])
        lines.append(_row([latex_text(row_name(row)), *cells, *(latex_text(text) for text in rest)]))
    caption = " ".join(note if note.endswith(".") else f"{note}." for note in footnotes(table))
    lines += [r"  \bottomrule", r"  \end{tabular}", rf"  \caption{{{latex_text(caption)}}}", r"\end{table}", ""]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return "  " + " & ".join(cells) + r" \\"


def _cell(cell: Cell, digits: int) -> str:
    if cell.estimate is None:
        return "--"
    mean = latex_text(number(cell.estimate.mean, digits))
    marked = {"best": f"\\textbf{{{mean}}}", "second": f"\\underline{{{mean}}}", None: mean}[cell.mark]
    beside = latex_text(interval(cell.estimate, digits))
    # Braces: a row that began with [ would be read as the length argument of the \\ before it.
    return f"{marked} {{\\scriptsize {beside}}}" if beside else marked
