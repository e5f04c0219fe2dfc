"""Two methods over the same cases: a verdict for every metric, from paired differences clip by clip.

A clip's difference is the mean over its cases, and intervals and tests are over clips
(see ``vibench.results.statistics``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vibench.errors import InputError, UserError, one_line
from vibench.machine.facts import differing_facts
from vibench.results.distance import distances_of
from vibench.results.record import TRUTH, Record
from vibench.results.results import Results, distinct, gather, label_beside, other_contents, version_notes
from vibench.results.run import Run
from vibench.results.statistics import (
    FEWEST,
    SIGNIFICANT,
    TOO_FEW,
    Difference,
    Estimate,
    Values,
    Verdict,
    by_clip,
    clips_text,
    holm_corrected,
    wilcoxon_p,
)
from vibench.results.store import Store
from vibench.results.table import Column, columns_of, compared_values, difference
from vibench.results.timings import seconds_per_frame

SPEED_KEY = "seconds/frame"
SLOWER = 1.10
"""Least ratio of times that is called a difference; it must be significant too (p < `TIME_SIGNIFICANT`)."""
TIME_SIGNIFICANT = 0.01
"""Below this p times differ. It is stricter than for metrics, because times vary by themselves: it takes 8 clips."""


@dataclass(frozen=True)
class Finding:
    """One metric and region. ``mean`` is the first method's, ``change`` is second - first with its 95 % interval.

    ``p`` is of Wilcoxon's signed-rank test over clips, two-sided (of time: of the logarithms of the ratios).
    ``reason`` says why the verdict is not better or worse.
    """

    key: str
    unit: str
    verdict: Verdict
    mean: float | None = None
    change: Estimate | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """The second method against the first.

    ``tests`` is how many tests of metrics were made together with these, in all comparisons of the same call; p and the
    verdicts are corrected for their number where ``holm`` is set. ``notes`` say in sentences what is not the same on
    both sides: versions of packages, or the code that measured a metric.
    """

    first: str
    second: str
    findings: tuple[Finding, ...]
    tests: int = 0
    holm: bool = False
    notes: tuple[str, ...] = ()


def compare(
    first: str | Path | Run, second: str | Path | Run, margin: float = 0.01, holm: bool = False
) -> list[Comparison]:
    """Say for every metric whether ``second`` is better or worse than ``first``, clip by clip, and how sure that is.

    Each side is a ``Run``, a run folder, or ``"FOLDER::METHOD"`` for one method of it. Two runs are compared in every
    method that both have. With ``holm``, the tests of all metrics and methods together are corrected by Holm's method;
    the test of time stands apart, at a stricter level. Raises InputError where there is nothing to
    compare, and Incomparable where the two runs follow different protocols.
    """
    (old, old_method), (new, new_method) = _side(first), _side(second)
    groups = gather(distinct([old, new]), apart=True)
    if len(groups) > 1:
        raise Incomparable(
            f"incomparable: {old.info.protocol_label} and {new.info.protocol_label} are different protocols "
            f"(digests {old.info.protocol_digest[:8]} and {new.info.protocol_digest[:8]}); {_differing(old, new)}"
        )
    comparisons = [
        compare_methods(groups[0], before, label_beside(after, new.info, old.info), margin)
        for before, after in _pairs(old, old_method, new, new_method)
    ]
    tests = sum(comparison.tests for comparison in comparisons)
    comparisons = [replace(comparison, tests=tests) for comparison in comparisons]
    return _corrected(comparisons) if holm else comparisons


class Incomparable(UserError):
    """Two runs follow different protocols, so that no number of one may be held against one of the other."""


LABELS = ("name", "version", "title", "description", "headline")
"""Fields of a protocol that say nothing about its numbers."""


def _differing(old: Store, new: Store) -> str:
    """Say in which decisions two protocols differ, each with both values."""
    one, other = (dict(_decisions(store.info.protocol)) for store in (old, new))
    differing = [
        f"{field} is {one_line(str(one.get(field)), 60)} and {one_line(str(other.get(field)), 60)}"
        for field in dict.fromkeys([*one, *other])
        if one.get(field) != other.get(field)
    ]
    more = f"; and {len(differing) - 12} more" if len(differing) > 12 else ""
    return ("; ".join(differing[:12]) or "their pages do not say in what") + more


def _decisions(values: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every decision of a protocol under its dotted name; kinds of holes go by their own names."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            if place or key not in LABELS:
                yield from _decisions(value, f"{place}.{key}" if place else str(key))
    elif isinstance(values, list | tuple) and any(isinstance(value, Mapping) for value in values):
        for index, value in enumerate(values):
            name = value.get("name", index) if isinstance(value, Mapping) else index
            yield from _decisions(value, f"{place}.{name}")
    elif values is not None:
        yield place, values


def _side(named: str | Path | Run) -> tuple[Store, str | None]:
    if isinstance(named, Run):
        return named.store, None
    folder, _, method = str(named).partition("::")
    store = Store.open(Path(folder))
    labels = [facts.label for facts in store.info.methods]
    if method and method not in labels:
        raise InputError(f"run {folder!r} has no method {method!r}; it has {', '.join(labels)}")
    return store, method or None


def _pairs(old: Store, old_method: str | None, new: Store, new_method: str | None) -> list[tuple[str, str]]:
    """Labels to compare; a named method meets the one of the same name, unless the other side names one too."""
    before, after = ([facts.label for facts in store.info.methods] for store in (old, new))
    if old_method or new_method:
        pairs = [(old_method or new_method or "", new_method or old_method or "")]
    else:
        pairs = [(label, label) for label in before if label in after]
    pairs = [(first, second) for first, second in pairs if first in before and second in after]
    if old.info.digest == new.info.digest:
        pairs = [(first, second) for first, second in pairs if first != second]
    if not pairs:
        raise InputError(
            f"nothing to compare: A has {', '.join(before)} and B has {', '.join(after)}; name methods as RUN::METHOD"
        )
    return pairs


def compare_methods(results: Results, first: str, second: str, margin: float) -> Comparison:
    """``second`` against ``first``, two method labels of ``results``, over the cases that both have.

    better, worse: the paired 95 % interval over clips excludes zero, and p of Wilcoxon's signed-rank test over clips is
    below 0.05. same: every clip scores alike, or the whole interval lies within ``margin`` times the first method's
    mean. unclear: neither, or there are fewer than 4 clips. incomparable: no case has a value of both, or the input,
    the truth or the holes of a case differ.
    """
    pair = _restricted(results, first, second)
    if reason := _other_data(pair, first, second):
        findings = [
            Finding(column.key, column.metric.unit, "incomparable", reason=reason) for column in columns_of(pair)
        ]
        return Comparison(first, second, tuple(findings))
    findings = [_finding(pair, column, first, second, margin) for column in columns_of(pair)]
    tests = sum(finding.p is not None for finding in findings)
    return Comparison(first, second, (*findings, _speed(pair, first, second)), tests, notes=version_notes(pair.records))


def _corrected(comparisons: list[Comparison]) -> list[Comparison]:
    """The same after Holm's correction; what p no longer supports is unclear."""
    tested = [
        finding
        for comparison in comparisons
        for finding in comparison.findings
        if finding.p is not None and finding.key != SPEED_KEY
    ]
    adjusted = dict(zip(map(id, tested), holm_corrected([finding.p or 0.0 for finding in tested]), strict=True))

    def corrected(finding: Finding) -> Finding:
        p = adjusted.get(id(finding))
        if p is None:
            return finding
        if finding.verdict in ("better", "worse") and p >= SIGNIFICANT:
            reason = f"p is not below {SIGNIFICANT} after Holm's correction"
            return replace(finding, p=p, verdict="unclear", reason=reason)
        return replace(finding, p=p)

    return [
        replace(comparison, findings=tuple(map(corrected, comparison.findings)), holm=True)
        for comparison in comparisons
    ]


def _restricted(results: Results, first: str, second: str) -> Results:
    """The results of two methods and the truth alone.

    A third method's failures must not shrink the set of cases over which these two are compared.
    """
    return replace(
        results,
        methods=tuple(facts for facts in results.methods if facts.label in (first, second)),
        records=results.records.of_methods((first, second, TRUTH)),
    )


def _other_data(results: Results, first: str, second: str) -> str:
    """In what a case of the one is not that of the other; empty where all cases of both are the same."""
    records = results.records.of_methods((first, second))
    made = records.chosen(np.flatnonzero(records.texts["status"].codes != records.texts["status"].place("failed")))
    case, what = next(iter(other_contents(made)), ("", ""))
    return f"the {what} of {case} {'differ' if what == 'holes' else 'differs'}" if case else ""


def _of_sets(results: Results, column: Column, first: str, second: str) -> Finding:
    """Two distances stand side by side: how sure their difference is, nobody can say from one number each."""
    distances = distances_of(results, column.metric, column.region).estimates
    if not {first, second} <= set(distances):
        return Finding(column.key, column.metric.unit, "incomparable", reason="no set of clips has a distance of both")
    old, new = distances[first], distances[second]
    change = Estimate(new.mean - old.mean, None, None, old.count, cases=old.cases, of_set=True)
    if old.mean == new.mean:
        return Finding(column.key, column.metric.unit, "same", old.mean, change, reason="both sets are equally far")
    reason = "a distance between sets of clips has no difference clip by clip"
    return Finding(column.key, column.metric.unit, "unclear", old.mean, change, reason=reason)


def _finding(results: Results, column: Column, first: str, second: str, margin: float) -> Finding:
    if not column.per_clip:
        return _of_sets(results, column, first, second)
    found = difference(results, column, first, second)
    if found is None:
        return Finding(column.key, column.metric.unit, "incomparable", reason="no case has a value of both")
    values, weights = compared_values(results, column)
    shared = values[[first, second]].dropna()
    mean = float(np.average(shared[first], weights=weights.loc[shared.index, first]))
    verdict, reason = _verdict(found, column.sign, abs(mean) * margin)
    return Finding(column.key, column.metric.unit, verdict, mean, found.estimate, found.p, reason)


def _verdict(found: Difference, sign: int, margin: float) -> tuple[Verdict, str]:
    change = found.estimate
    if found.identical:
        return "same", "every clip scores alike"
    if change.low is None or change.high is None:
        return "unclear", _too_few(change.count)
    if -margin <= change.low and change.high <= margin:
        return "same", "the interval is within the margin"
    if not change.excludes_zero:
        return "unclear", "the interval holds zero"
    if not found.is_significant:
        few = change.count < TOO_FEW
        return "unclear", f"p {f'of {change.count} clips cannot be' if few else 'is not'} below {SIGNIFICANT}"
    return ("better" if np.sign(change.mean) == sign else "worse"), ""


def _too_few(count: int) -> str:
    return f"{clips_text(count)} {'is' if count == 1 else 'are'} too few for an interval"


def _speed(results: Results, first: str, second: str) -> Finding:
    """Time of the second over the first; only of one machine, undisturbed, one case at a time."""
    old, new = _timed(results, first, second), _timed(results, second, first)
    if not old:
        return Finding(SPEED_KEY, "s", "incomparable", reason="no case was timed for both")
    if reason := _incomparable_times(results, old + new):
        return Finding(SPEED_KEY, "s", "incomparable", reason=reason)
    mean = float(np.mean(seconds_per_frame(old)))
    ratios = _ratios(old, new)
    change = Estimate(float(np.mean(seconds_per_frame(new))) - mean, None, None, len(ratios), cases=len(old))
    ratio, p = float(np.median(ratios)), wilcoxon_p(np.log(ratios))
    significant = p is not None and p < TIME_SIGNIFICANT
    if any(record.timing is not None and record.timing.disturbed for record in old + new):
        return Finding(SPEED_KEY, "s", "unclear", mean, change, p, "other load disturbed a time; see vibench regress")
    if len(ratios) < FEWEST:
        return Finding(SPEED_KEY, "s", "unclear", mean, change, p, f"{_too_few(len(ratios))}; see vibench regress")
    if significant and not 1 / SLOWER <= ratio <= SLOWER:
        return Finding(SPEED_KEY, "s", "worse" if ratio > 1 else "better", mean, change, p)
    if 1 / SLOWER <= ratio <= SLOWER:
        return Finding(SPEED_KEY, "s", "same", mean, change, p, f"the ratio {ratio:.2f} is below {SLOWER:.2f}")
    reason = f"the ratio {ratio:.2f} is not significant over {len(ratios)} clips; see vibench regress"
    return Finding(SPEED_KEY, "s", "unclear", mean, change, p, reason)


def _ratios(old: list[Record], new: list[Record]) -> Values:
    """Seconds a frame of the second method over those of the first, one ratio a clip, all of its cases together."""
    clips = [record.clip for record in old]
    times = {record.case: record.timing for record in new}
    paired = [(record.timing, times[record.case]) for record in old]
    log_ratios = [
        np.log((after.seconds / after.frames) / (before.seconds / before.frames))
        for before, after in paired
        if before is not None and after is not None
    ]
    values, _ = by_clip(np.array(log_ratios), np.ones(len(log_ratios)), clips)
    return np.exp(values)


def _timed(results: Results, label: str, other: str) -> list[Record]:
    """Records of ``label`` with a time, of cases that were timed for ``other`` too."""
    timed = {
        (record.method, record.case): record
        for record in results.records
        if record.timing is not None and record.timing.seconds > 0
    }
    return [record for (method, case), record in timed.items() if method == label and (other, case) in timed]


def _incomparable_times(results: Results, records: list[Record]) -> str:
    if differing := differing_facts(run.machine for run in results.runs):
        return f"the times are from different machines ({', '.join(differing)})"
    if len({record.timing.scope for record in records if record.timing}) > 1:
        return "one time is of a call, another of a whole process or what a program printed"
    settings = {
        (record.timing.device, record.timing.threads, record.timing.jobs) for record in records if record.timing
    }
    if len(machines := {record.timing.machine for record in records if record.timing}) > 1:
        return f"the times are from different machines ({'; '.join(map(one_line, sorted(machines)))})"
    return "device, threads or jobs differ" if len(settings) > 1 else ""
