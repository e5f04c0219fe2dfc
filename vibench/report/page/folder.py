"""Writes the report's folder: tables, pictures, one page a case, and the page about everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vibench.errors import InputError
from vibench.files import disk_errors, replacing
from vibench.report.numbers import write_tables
from vibench.report.page.case_page import case_context, page_name
from vibench.report.page.media import CaseJob, Output, make_media
from vibench.report.page.overview import overview_context
from vibench.report.page.render import render
from vibench.results.record import TRUTH
from vibench.results.results import Results, gather, name_in_run
from vibench.results.store import Store
from vibench.results.table import tabulate


def write_report(runs: Sequence[Path], output: Path, jobs: int, say: Callable[[str], None]) -> Path:
    """See ``vibench.report.build_report``."""
    # A run that is named twice is one run.
    stores = list({store.info.digest: store for store in map(Store.open, runs)}.values())
    if not stores:
        raise InputError("a report needs at least one run")
    groups = gather(stores)
    with disk_errors(output):
        # Pictures first: the processes that make them need the memory that tables and plots take later.
        planned = [case_jobs(results, stores) for results in groups]
        media = make_media([job for group in planned for job in group.values()], output / "media", jobs, say)
        tables = [tabulate(results) for results in groups]
        write_tables(tables, output)
        pages = {}
        for table, group in zip(tables, planned, strict=True):
            results = table.results
            for case in results.cases:
                facts = media.get(group[case].key) if case in group else None
                pages[results.runs[0].protocol_digest, case] = facts
                _write(
                    output / "cases" / page_name(results, case), render("case.html", case_context(table, case, facts))
                )
        index = output / "index.html"
        _write(index, render("index.html", overview_context(tables, pages, output)))
    return index


def case_jobs(results: Results, stores: Sequence[Store]) -> dict[str, CaseJob]:
    """For each case whose input was kept, what its pictures are made from."""
    by_digest = {store.info.digest: store for store in stores}
    runs = [by_digest[info.digest] for info in results.runs]
    jobs = {}
    for case in results.cases:
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
        holes = next(
            (record.holes_sha256 for record in results.records if record.case == case and record.holes_sha256), ""
        )
        key = f"{results.runs[0].protocol_digest}/{case}/{holes}"
        jobs[case] = CaseJob(case, home.folder, key, tuple(outputs))
    return jobs


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
