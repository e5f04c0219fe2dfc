"""Writes a report: a folder that a browser opens from disk, with tables, pictures, a page a case and one about all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vibench.files import disk_errors, write_atomically
from vibench.plugins import split_outside_brackets
from vibench.report.page.case_page import case_context, page_name
from vibench.report.page.media import CaseJob, Output, make_media
from vibench.report.page.overview import Pages, overview_context
from vibench.report.page.render import render
from vibench.report.page.shown import check_asked, shown_cases
from vibench.report.tables import write_tables, write_values
from vibench.results.record import TRUTH
from vibench.results.results import Results, gathered, name_in_run
from vibench.results.store import Store
from vibench.results.table import tabulate


def write_report(
    runs: Sequence[Path | str],
    output: Path | str,
    jobs: int = 1,
    say: Callable[[str], None] = lambda _: None,
    holm: bool = False,
    cases: str | Sequence[str] = (),
) -> Path:
    """Write ``index.html``, ``tables.*``, ``cases/`` and ``media/`` into ``output``; return the path of the page.

    ``runs`` are folders of runs, or folders that hold runs; a run that is named twice is shown once. ``jobs``
    processes make the pictures, and more than one needs a main module that can be imported (see
    ``multiprocessing``). ``say`` is called with a sentence for each case whose pictures are made; those that
    ``output`` already has are not made again. ``holm`` corrects the tests of each table for their number (see
    ``tabulate``). Of more than a hundred cases only those are shown that ``shown_cases`` chooses, and those of
    ``cases``, texts in their names; ``values.csv`` then has the values of all. InputError where a run cannot be read or
    ``output`` cannot be written.
    """
    folder = Path(output)
    asked = split_outside_brackets(cases) if isinstance(cases, str) else cases
    stores, groups = gathered(runs)
    check_asked(groups, asked)
    with disk_errors(folder):
        tables = [tabulate(results, holm) for results in groups]
        chosen = [shown_cases(table, asked) for table in tables]
        # Pictures before pages: the processes that make them need the memory that plots take later.
        planned = [case_jobs(table.results, stores, shown) for table, shown in zip(tables, chosen, strict=True)]
        media = make_media([job for group in planned for job in group.values()], folder / "media", jobs, say)
        write_tables(tables, folder)
        if any(len(shown) < len(table.results.cases) for table, shown in zip(tables, chosen, strict=True)):
            write_values(groups, folder)
        pages: Pages = {}
        for table, shown, group in zip(tables, chosen, planned, strict=True):
            results = table.results
            for case in shown:
                facts = media.get(group[case].key) if case in group else None
                pages[results.runs[0].protocol_digest, case] = facts
                page = render("case.html", case_context(table, case, shown, facts))
                write_atomically(folder / "cases" / page_name(results, case), page.encode())
        index = folder / "index.html"
        write_atomically(index, render("index.html", overview_context(tables, chosen, pages, folder)).encode())
    return index


def case_jobs(results: Results, stores: Sequence[Store], shown: Sequence[str] | None = None) -> dict[str, CaseJob]:
    """Say for each shown case whose input was kept what its pictures are made from; ``stores`` are the opened runs.

    Where ``shown`` is None, that is every case.
    """
    by_digest = {store.info.digest: store for store in stores}
    runs = [by_digest[info.digest] for info in results.runs]
    jobs = {}
    for case in results.cases if shown is None else shown:
        home = next((store for store in runs if store.has_case(case)), None)
        if home is None:
            continue
        outputs = []
        for facts in results.methods:
            record = results.record(facts.label, case)
            if record is None or record.method == TRUTH or not record.output_sha256:
                continue
            run = by_digest[record.run]
            outputs.append(Output(facts.label, run.folder, name_in_run(facts.label, record.run), record.output_sha256))
        texts = results.records.texts
        holes = next(filter(None, texts["holes_sha256"].of_rows(texts["case"].rows_of(case))), "")
        key = f"{results.runs[0].protocol_digest}/{case}/{holes}"
        jobs[case] = CaseJob(case, home.folder, key, tuple(outputs))
    return jobs
