"""Tables in LaTeX, for papers that load booktabs; they fit a two-column page."""

from __future__ import annotations

from collections.abc import Iterable

from vibench.report.grid import Entry, Grid, grid_of, sentence
from vibench.report.numbers import APART, NOTHING, SPEED_HEADS
from vibench.results.table import Table

# pandas (`to_latex(escape=True)`) escapes the first two lines only: it would leave |, < and >, which LaTeX's default
# fonts print as other letters, and the arrows, minus signs and daggers of our tables, which pdflatex refuses.
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "−": "$-$", "–": "--", "†": r"$^\dagger$", "‡": r"$^\ddagger$",
    "×": r"$\times$", "±": r"$\pm$", "§": r"\S{}",
}  # fmt: skip


def latex(tables: Iterable[Table]) -> str:
    """Write one environment a protocol, with all of its columns; nothing but booktabs is needed in the preamble."""
    return latex_grids([grid_of(table, ("knows", "cases", SPEED_HEADS[0])) for table in tables])


def latex_grids(grids: Iterable[Grid]) -> str:
    """Write a ``table`` of each grid, a ``table*`` where it needs both columns of a page.

    Its remarks stand above it as comments, since a caption may leave them out.
    """
    written = [_environment(grid) for grid in grids]
    head = ["% \\usepackage{booktabs}", *([f"% {APART}"] if len(written) > 1 else [])]
    return "\n".join([*head, *written])


def latex_text(text: str) -> str:
    """Escape ``text`` so that LaTeX prints it as it is, on one line."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def _environment(grid: Grid) -> str:
    name = "table*" if grid.is_wide else "table"
    lines = [f"% {' '.join(remark.split())}" for remark in grid.remarks]
    lines += [rf"\begin{{{name}}}", r"  \centering\footnotesize\setlength{\tabcolsep}{3.5pt}"]
    tabulars = [_tabular(panel) for panel in grid.panels()]
    lines.append("\n\n  \\medskip\n".join(tabulars))
    caption = " ".join(map(sentence, grid.caption))
    lines += [rf"  \caption{{{latex_text(caption)}}}", rf"  \label{{tab:{grid.label}}}", rf"\end{{{name}}}", ""]
    return "\n".join(lines)


def _tabular(grid: Grid) -> str:
    lines = [rf"  \begin{{tabular}}{{@{{}}l{'r' * (len(grid.heads) - 1)}@{{}}}}", r"  \toprule"]
    lines.append(_row(_head(head.text) for head in grid.heads))
    if any(head.below for head in grid.heads):
        lines.append(_row(latex_text(head.below) for head in grid.heads))
    lines.append(r"  \midrule")
    for place, row in enumerate(grid.rows):
        if place in grid.ruled:
            lines.append(r"  \midrule")
        lines.append(_row(map(_cell, row)))
    return "\n".join([*lines, r"  \bottomrule", r"  \end{tabular}"])


def _row(cells: Iterable[str]) -> str:
    # Braces: a row that began with [ would be read as the length argument of the \\ before it.
    return "  " + " & ".join(f"{{{cell}}}" if cell.startswith("[") else cell for cell in cells) + r" \\"


def _head(text: str) -> str:
    name, below, letters = text.partition("_")
    is_symbol = below and len(name) == 1
    return rf"${name}_\mathrm{{{letters}}}$" if is_symbol and letters.isalpha() else latex_text(text)


def _cell(entry: Entry) -> str:
    if entry.text == NOTHING:
        return "--"
    text = latex_text(entry.text)
    marked = {"best": f"\\textbf{{{text}}}", "second": f"\\underline{{{text}}}", None: text}[entry.mark]
    return f"{marked} {{\\scriptsize {latex_text(entry.beside)}}}" if entry.beside else marked
