"""Writes measured results into the documentation.

``python docs/make/results.py RUN...`` makes docs/results.md of finished runs, and of that page the tables in README.md;
without runs it makes only the tables of the README again, and with ``--check`` it compares them. Where a method is in
more than one run of a protocol, the run named first counts: name the newest first.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

from pages import CHECKOUT, DOCS, keep, section, with_block, wrapped

from vibench import plugins
from vibench.plugins import Spec
from vibench.report.numbers import FLOOR_NAME, NOTHING, decimals, interval, number
from vibench.report.tables import markdown
from vibench.results.record import TRUTH, Record
from vibench.results.records import Records
from vibench.results.results import Results, gather, name_in_run
from vibench.results.store import Store
from vibench.results.table import Table, difference, tabulate

PAGE, README = DOCS / "results.md", CHECKOUT / "README.md"
README_PROTOCOLS = ("davis-object@1",)
"""Protocols whose tables the README shows."""
STEADINESS = "warping-error-dis/hole"
SHOWN = ("psnr/hole", "lpips-alex/hole", STEADINESS)
OURS = "vinet"
ABLATION = "[ablation="
FULL = "vinet[ablation=full]"
"""What the ablations are held against: trained with everything, as long as they were."""
LATE = 30
"""Frames after which a memory and a recurrence have had time to help, or to drift."""


def first_named(results: Results) -> Results:
    """Without what a later run measured again of a method."""
    doubled = {
        facts.label
        for facts in results.methods
        for run in results.runs
        if name_in_run(facts.label, run.digest) != facts.label
    }
    return replace(holding(results, {facts.label for facts in results.methods} - doubled), notes=())


def holding(results: Results, labels: set[str]) -> Results:
    """The methods with these labels alone, and the truth."""
    return replace(
        results,
        methods=tuple(facts for facts in results.methods if facts.label in labels),
        records=Records.of(record for record in results.records if record.method in {TRUTH, *labels}),
    )


def parted(results: Results) -> tuple[Results, Results | None]:
    """Without our ablations, and these by themselves, where there are any."""
    labels = {facts.label for facts in results.methods}
    ablations = {label for label in labels if ABLATION in label}
    return holding(results, labels - ablations), holding(results, ablations) if ablations else None


def from_frame(results: Results, first: int) -> Results:
    """The same clips without their first frames."""

    def shortened(record: Record) -> Record:
        metrics = {
            name: {region: series[first:] for region, series in regions.items()}
            for name, regions in record.metrics.items()
        }
        return record.model_copy(update={"metrics": metrics})

    return replace(results, records=Records.of(shortened(record) for record in results.records))


def line(cells: list[str]) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def short(full: str) -> str:
    """Three numbers of the hole and the speed, out of the Markdown table that shows all numbers of a protocol."""
    rows = [_cells(text) for text in full.splitlines() if text.startswith("| ")]
    heads, (_, *methods) = rows[0], rows[1:]
    # A head of the full table is the metric, its region, and perhaps its unit: "psnr hole, dB ↑".
    columns = [next(i for i, head in enumerate(heads) if head.startswith(key.replace("/", " "))) for key in SHOWN]
    titles = [f"{_title(key)}, hole {heads[i][-1]}" for key, i in zip(SHOWN, columns, strict=True)]
    columns += [heads.index(head) for head in ("knows", "cases", "frames/s") if head in heads]
    titles += [heads[i] for i in columns[len(SHOWN) :]]
    lines = [line(["method", *titles]), line(["---", *["---:"] * len(columns)])]
    for cells in methods:
        name = cells[0].replace("\\", "")
        shown = [cells[i].replace("<u>", "").replace("</u>", "") for i in columns]
        lines.append(line([name if name == FLOOR_NAME else f"`{name}`", *shown]))
    return "\n".join(lines)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def _title(key: str) -> str:
    metric = plugins.make("metrics", Spec.parse(key.partition("/")[0]), device="cpu")
    return str(metric.info.title)


def readme_tables(page: str) -> str:
    """What the README shows: a short table of each of its protocols that docs/results.md has a section of."""
    blocks = []
    for label in re.findall(r"^## (\S+@\d+)$", page, re.MULTILINE):
        if label not in README_PROTOCOLS:
            continue
        text = section(page, label)
        # The first footnote of a table; in pages of earlier versions a semicolon follows.
        counted = re.search(rf"^- Protocol {re.escape(label)}, ((?:\d+ clips?, )?\d+ cases?)[.;]", text, re.MULTILINE)
        if counted is None:
            raise ValueError(f"docs/results.md does not say how many cases of {label} there were")
        full = text.partition("\n\n")[0]
        blocks.append(f"**{label}**, {counted[1]}\n\n{short(full)}")
    return "\n\n".join(blocks)


def differences(table: Table, ours: str = OURS) -> str:
    """One method, our network, against every other, clip by clip."""
    heads = [f"{ours} minus", *(f"{key.replace('/', ', ')} {table.column(key).arrow}" for key in SHOWN)]
    lines = [line(heads), line(["---", *["---:"] * len(SHOWN)])]
    for row in table.rows:
        if row.is_floor or row.method == ours:
            continue
        cells = []
        for key in SHOWN:
            column = table.column(key)
            found = difference(table.results, column, row.method, ours)
            digits = decimals(table, column)
            cells.append(
                NOTHING
                if found is None
                else f"{number(found.estimate.mean, digits)} {interval(found.estimate, digits)}"
            )
        lines.append(line([f"`{row.method}`", *cells]))
    return "\n".join(lines)


def excess(table: Table) -> str:
    """How far our network's warping error lies above the truth's own, as a share of every other method's."""
    found = {row.method: row.cells[STEADINESS].estimate for row in table.rows}
    means = {method: known.mean for method, known in found.items() if known is not None}
    floor = next(means[row.method] for row in table.rows if row.is_floor)
    shares = [
        f"{(means[OURS] - floor) / (mean - floor):.2f} of `{method}`'s"
        for method, mean in means.items()
        if method != OURS and mean > floor
    ]
    return f"\nExcess of `{OURS}`'s mean warping error in the hole over the truth's: " + ", ".join(shares) + "."


def ablation_section(results: Results) -> str:
    """Networks trained without a part beside one with all: numbers, and differences early and late in a clip."""
    table, late = tabulate(results), tabulate(from_frame(results, LATE))
    return f"""
## Ablations on {table.results.label}

Each network was trained without its part from the same start and for
as many steps as `{FULL}`, which has everything.

{short(markdown([table]))}

Paired differences over the same clips, 95 % intervals:

{differences(table, FULL)}

The same from frame {LATE} of each clip on, counted from 0:

{differences(late, FULL)}"""


def command(store: Store) -> str:
    """What a reader types: the run's command with a name in the place of the folders of the machine that it ran on."""
    words = re.sub(r" (-o|--output)[ =]\S+", "", store.info.command)
    return words.replace(store.info.data, "DAVIS") if store.info.data else words


def results_page(folders: list[str]) -> str:
    """The whole of docs/results.md: tables of the runs in ``folders``, each with its command."""
    stores = [Store.open(Path(folder)) for folder in folders]
    parts = [parted(first_named(results)) for results in gather(stores)]
    full = ["# Results\n\nMade by `python docs/make/results.py RUN...` from these runs:\n"]
    full += [f"- `{command(store)}` (run {store.info.digest[:12]}, {store.info.started[:10]})" for store in stores]
    for table in (tabulate(whole) for whole, _ in parts):
        full.append(f"\n{markdown([table])}\nPaired differences over the same clips, 95 % intervals:\n")
        full.append(differences(table))
        full.append(excess(table))
    full += [ablation_section(ablations) for _, ablations in parts if ablations]
    return wrapped("\n".join(full))


def make(check: bool, folders: list[str]) -> bool:
    """Write or compare both pages; without ``folders`` docs/results.md is what it is, and the README must follow it."""
    page = results_page(folders) if folders else PAGE.read_text(encoding="utf-8")
    same = keep(PAGE, page, check=check) if folders else True
    readme = README.read_text(encoding="utf-8")
    return keep(README, with_block(readme, "results", readme_tables(page)), check=check) and same


if __name__ == "__main__":
    check = "--check" in sys.argv[1:]
    right = make(check, [word for word in sys.argv[1:] if word != "--check"])
    sys.exit(0 if right or not check else 1)
