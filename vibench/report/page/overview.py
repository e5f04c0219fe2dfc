"""What the overview page shows: for each protocol its table, plots, slices, film strips, and how it was measured."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from vibench import __version__
from vibench.document import to_toml
from vibench.report.latex import latex
from vibench.report.numbers import (
    NOTHING,
    SEVERAL,
    SPEED_HEADS,
    cases_text,
    decimals,
    footnotes,
    interval,
    knows_text,
    number,
    row_name,
    speed_texts,
)
from vibench.report.page import plots, words
from vibench.report.page.case_page import page_name
from vibench.report.page.failures import failures_of
from vibench.report.page.hero import hero_of
from vibench.report.page.shown import about_shown
from vibench.report.page.slices import slices_by_column
from vibench.report.tables import markdown
from vibench.report.verdict import (
    Finding,
    column_words,
    finding_of,
    finding_sentence,
    headline_columns,
    region_words,
    verdict,
)
from vibench.results.record import TRUTH, MetricFacts
from vibench.results.table import Cell, Column, Row, Table

Pages = dict[tuple[str, str], dict[str, Any] | None]
"""Maps a protocol's digest and a case to facts about its pictures, or to None where there are none."""

EMBEDDED_CASES = 6
"""Up to this many cases the film strips are inside the page itself, so that it can be sent on its own."""


FAILURES_LISTED = 100


def overview_context(tables: list[Table], shown: Sequence[Sequence[str]], pages: Pages, output: Path) -> dict[str, Any]:
    """Return everything that ``index.html`` names; ``shown`` are the cases of each table that have a page."""
    embed_from = output if sum(map(len, shown)) <= EMBEDDED_CASES else None
    return {
        "title": " and ".join(table.results.label for table in tables),
        "version": __version__,
        "sections": [
            _section(place, table, cases, pages, embed_from)
            for place, (table, cases) in enumerate(zip(tables, shown, strict=True))
        ],
    }


def _section(place: int, table: Table, shown: Sequence[str], pages: Pages, embed_from: Path | None) -> dict[str, Any]:
    results = table.results
    headline = headline_columns(table)
    digest = results.runs[0].protocol_digest
    media = {case: facts for case in shown if (facts := pages.get((digest, case)))}
    columns = [*headline, *(column for column in table.columns if column not in headline)]
    failures = [(row.method, case, message) for row in table.rows for case, message in row.failed.items()]
    return {
        "id": f"p{place}",
        "label": results.label,
        "title": results.protocol.get("title") or results.label,
        "description": " ".join(str(results.protocol.get("description", "")).split()),
        **first_screen(table),
        "hero": _hero(table, media),
        "table": table_context(table),
        "notes": footnotes(table),
        "warnings": [(row.method, row.warning) for row in table.rows if row.warning],
        "failures": failures[:FAILURES_LISTED],
        "failed_cases": len(failures),
        "plots": [drawn for column in columns if any((drawn := _plots(table, column))["svg"].values())],
        "fails": failures_of(table, headline, media, shown),
        "slices": slices_by_column(table, columns),
        "cases": [_case(table, case, media.get(case), embed_from) for case in shown],
        "about_cases": about_shown(table, shown),
        "sentences": words.sentences(results),
        "toml": to_toml(results.protocol),
        "runs": [words.about_run(info) for info in results.runs],
        "methods": [(facts.label, words.about_method(facts), facts.warning) for facts in results.methods],
        "metrics": [_metric(facts) for facts in results.metrics],
    }


def first_screen(table: Table) -> dict[str, Any]:
    """Return what answers first: the verdict in words, what the headline columns say, and the table of these alone."""
    headline = headline_columns(table)
    few = replace(table, columns=headline, compared={column.key: table.compared[column.key] for column in headline})
    found = [known for column in table.columns if (known := finding_of(table, column))]
    return {
        "verdict": verdict(table, headline),
        "findings": [_finding(table, known) for known in found if known.column in headline],
        "headline": table_context(few),
        "unmarked": [
            (_sentence_case(column_words(known.column)), known.column.key, known.why) for known in found if known.why
        ],
        "copies": {"latex": latex([few]), "markdown": markdown([few])},
    }


def _hero(table: Table, media: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    hero = hero_of(table, headline_columns(table), media)
    if hero is None:
        return None
    places = {row.method: place for place, row in enumerate(table.rows)}
    pictures = [
        source | {"colour": plots.colour(places[source["label"]]) if source["label"] in places else None}
        for source in hero.sources
    ]
    # Not the rows through time, which only the case's page shows.
    facts = {key: media[hero.case][key] for key in _HERO_FACTS}
    return {
        "case": hero.case,
        "why": hero.why,
        "href": f"cases/{page_name(table.results, hero.case)}",
        "pictures": pictures,
        "facts": facts,
        "video": f"media/{media[hero.case]['video']}",
    }


_HERO_FACTS = ("width", "height", "frames", "rate", "grid", "block", "runs", "outlines", "sources")


def _finding(table: Table, found: Finding) -> dict[str, Any]:
    places = {row.method: place for place, row in enumerate(table.rows)}
    estimate = table.row(found.best).cells[found.column.key].estimate
    digits = decimals(table, found.column)
    return _head(found.column) | {
        "best": found.best,
        "is_alone": not found.level,
        "colour": plots.colour(places[found.best]),
        "value": number(estimate.mean, digits) if estimate else NOTHING,
        "sentence": finding_sentence(table, found),
    }


def table_context(table: Table) -> dict[str, Any]:
    """Return the heads and the rows of the table: texts, and the numbers to sort by."""
    return {
        "columns": [_head(column) for column in table.columns],
        "speed_heads": SPEED_HEADS,
        "rows": [_row(place, row, table) for place, row in enumerate(table.rows)],
    }


def _head(column: Column) -> dict[str, str]:
    return {
        "key": column.key,
        "title": _sentence_case(column.metric.title),
        "where": region_words(column),
        "unit": column.metric.unit,
        "arrow": column.arrow,
        "better": column.metric.better,
    }


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def _row(place: int, row: Row, table: Table) -> dict[str, Any]:
    speeds = speed_texts(row)
    return {
        "place": place,
        "colour": plots.colour(place),
        "method": row_name(row),
        "is_floor": row.is_floor,
        "warning": row.warning,
        "cells": [_cell(row.cells[column.key], decimals(table, column)) for column in table.columns],
        "knows": knows_text(row),
        "cases": cases_text(row, table),
        "done": row.done,
        "failed": len(row.failed),
        "partial": bool(row.failed or row.missing) and not row.is_floor,
        "speeds": [(text, _leading_number(text)) for text in speeds],
    }


def _cell(cell: Cell, digits: int) -> dict[str, Any]:
    if cell.estimate is None:
        return {"text": NOTHING, "interval": "", "mark": "", "value": ""}
    return {
        "text": number(cell.estimate.mean, digits),
        "interval": interval(cell.estimate, digits),
        "mark": cell.mark or "",
        "value": repr(cell.estimate.mean),
    }


def _leading_number(text: str) -> str:
    return text.split()[0].rstrip("*") if text not in (NOTHING, SEVERAL) else ""


def _plots(table: Table, column: Column) -> dict[str, Any]:
    drawn = {
        "differences": plots.paired_differences(table, column),
        "frames": plots.by_frame(table, column) if column.per_clip else None,
        "speed": plots.quality_against_speed(table, column),
    }
    return {
        "key": column.key,
        "name": _sentence_case(column_words(column)),
        "best": plots.best_method(table, column),
        # Our own markup: matplotlib escapes the texts in it.
        "svg": {kind: Markup(svg) if svg else None for kind, svg in drawn.items()},
    }


def _case(table: Table, case: str, facts: dict[str, Any] | None, embed_from: Path | None) -> dict[str, Any]:
    results = table.results
    places = {row.method: place for place, row in enumerate(table.rows) if not row.is_floor}
    failed = [row.method for row in table.rows if case in row.failed]
    return {
        "name": case,
        "href": f"cases/{page_name(results, case)}",
        "failed": failed,
        "thumbs": _picture(facts["thumbs"], embed_from) if facts else None,
        "thumb_count": len(facts["sources"]) if facts else 0,
        "strip_frames": facts["strip_frames"] if facts else [],
        "strips": [
            source["strip"]
            | {
                "label": source["label"],
                "place": places.get(source["label"]) if source["kind"] == "method" else None,
                "src": _picture(source["strip"]["file"], embed_from),
            }
            for source in (facts["sources"] if facts else [])
        ],
    }


def _picture(name: str, embed_from: Path | None) -> str:
    if embed_from is None:
        return f"media/{name}"
    content = base64.b64encode((embed_from / "media" / name).read_bytes()).decode()
    return f"data:image/jpeg;base64,{content}"


def _metric(facts: MetricFacts) -> dict[str, str]:
    return {
        "name": facts.name,
        "title": facts.title,
        "better": facts.better,
        "unit": facts.unit,
        "source": facts.source,
        "version": str(facts.version),
        "floor": _floor(facts),
    }


def _floor(facts: MetricFacts) -> str:
    if facts.aggregate != "mean":
        return f"The clips of the row “{TRUTH}” are what a method's are compared with."
    return f"The row “{TRUTH}” is its floor: the truth itself does not score perfectly." if facts.has_floor else ""
