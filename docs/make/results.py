"""Writes measured results into the documentation: `python docs/results.py RUN...` makes docs/results.md and README's table.

Where a method is in more than one run of a protocol, the run named first counts: name the newest first.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

from vibench.report.numbers import NOTHING, cases_text, decimals, interval, number, significant
from vibench.report.tables import markdown
from vibench.results.record import TRUTH, Record
from vibench.results.results import Results, gather, name_in_run
from vibench.results.store import Store
from vibench.results.table import Column, Row, Table, difference, tabulate

DOCS = Path(__file__).parents[1]
README = DOCS.parent / "README.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
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
        records=tuple(record for record in results.records if record.method in {TRUTH, *labels}),
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

    return replace(results, records=tuple(shortened(record) for record in results.records))


def line(cells: list[str]) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def short(table: Table) -> str:
    """Three numbers of the hole and the speed, for the README."""
    columns = [table.column(key) for key in SHOWN]
    heads = ["method", *(f"{column.metric.title}, hole {column.arrow}" for column in columns), "clips", "frames/s"]
    lines = [line(heads), line(["---", *["---:"] * (len(heads) - 1)])]
    return "\n".join([*lines, *(line(short_row(table, row, columns)) for row in table.rows)])


def short_row(table: Table, row: Row, columns: list[Column]) -> list[str]:
    """A method's cells; bold where it is best beyond doubt."""
    cells = []
    for column in columns:
        cell = row.cells[column.key]
        if cell.estimate is None:
            cells.append(NOTHING)
            continue
        mean = number(cell.estimate.mean, digits := decimals(table, column))
        cells.append(f"{f'**{mean}**' if cell.mark == 'best' else mean} {interval(cell.estimate, digits)}")
    speed = NOTHING if row.speed is None else significant(row.speed.frames_per_second.mean)
    return [f"`{row.method}`" if not row.is_floor else "truth (floor)", *cells, cases_text(row, table), speed]


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

{short(table)}

Paired differences over the same clips, 95 % intervals:

{differences(table, FULL)}

The same from frame {LATE} of each clip on, counted from 0:

{differences(late, FULL)}"""


def command(store: Store) -> str:
    """What a reader types: the run's command with a name in the place of the folders of the machine that it ran on."""
    words = re.sub(r" (-o|--output)[ =]\S+", "", store.info.command)
    return words.replace(store.info.data, "DAVIS") if store.info.data else words


def main(folders: list[str]) -> None:
    """Tables of the runs in `folders`, each with its command and machine."""
    stores = [Store.open(Path(folder)) for folder in folders]
    parts = [parted(first_named(results)) for results in gather(stores)]
    tables = [tabulate(whole) for whole, _ in parts]
    full = ["# Results\n\nMade by `python docs/results.py RUN...` from these runs:\n"]
    full += [f"- `{command(store)}` (run {store.info.digest[:12]}, {store.info.started[:10]})" for store in stores]
    for table in tables:
        full.append(f"\n{markdown([table])}\nPaired differences over the same clips, 95 % intervals:\n")
        full.append(differences(table))
        full.append(excess(table))
    full += [ablation_section(ablations) for _, ablations in parts if ablations]
    (DOCS / "results.md").write_text("\n".join(full) + "\n", encoding="utf-8")

    blocks = [f"**{table.results.label}**, {len(table.results.cases)} cases\n\n{short(table)}" for table in tables]
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(before + BEGIN + "\n" + "\n\n".join(blocks) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
