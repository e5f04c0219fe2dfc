"""`vibench regress`: every method against its other version in turn, within one budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from vibench.data.probe import Probe
from vibench.errors import MissingResource
from vibench.plugins import Spec
from vibench.regress.against import entrants
from vibench.regress.baseline import Baseline, compare_with, machine_now, measure
from vibench.regress.duel import Duel, Entrant, Terms
from vibench.regress.finding import TIME, Comparison, Finding, Measure
from vibench.regress.version import LAST, here

MEASURES: tuple[Measure, ...] = ("quality", "peak memory", *TIME)


@dataclass(frozen=True)
class Request:
    """What is compared with what; ``terms.budget_seconds`` is for all methods together."""

    methods: tuple[Spec, ...]
    probe: Probe
    terms: Terms
    against: str = LAST
    baseline: Path | None = None
    save: Path | None = None


def regress(request: Request, done: Callable[[Comparison], None] = lambda _: None) -> list[Comparison]:
    """Compare every method; a method that is sure early leaves its time to the others. ``done`` hears each one."""
    if request.baseline is not None or request.save is not None:
        return _with_baseline(request, done)
    try:
        with entrants(request.methods, request.against) as pairs:
            shares = Shares(request.terms, len(pairs))
            comparisons = []
            for old, new in pairs:
                comparisons.append(Duel(old, new, request.probe, shares.next()).run())
                done(comparisons[-1])
            return comparisons
    except MissingResource as absent:  # nothing to compare with, as in a shallow clone: no fault of the new version
        comparisons = [_incomparable(spec, request.against, str(absent)) for spec in request.methods]
        for comparison in comparisons:
            done(comparison)
        return comparisons


class Shares:
    """Deals what is left of the budget to the methods that are left."""

    def __init__(self, terms: Terms, count: int) -> None:
        self.terms, self.left = terms, count
        self._end = monotonic() + terms.budget_seconds

    def next(self) -> Terms:
        """The terms of the next method, with its share of the time."""
        share = max(0.0, self._end - monotonic()) / self.left
        self.left -= 1
        return replace(self.terms, budget_seconds=share)


def _with_baseline(request: Request, done: Callable[[Comparison], None]) -> list[Comparison]:
    version = replace(here(), owns_methods=False)
    machine = machine_now(request.terms.threads, request.terms.device)
    stored = Baseline.read(request.baseline) if request.baseline is not None else None
    fresh = Baseline(machine=machine, probe=request.probe.digest, code=version.title)
    shares, comparisons = Shares(request.terms, len(request.methods)), []
    for spec in request.methods:
        reason = stored.mismatch(machine, request.probe.digest, spec.label) if stored is not None else None
        if reason and request.save is None:
            comparison = _incomparable(spec, str(request.baseline), reason)
        else:
            samples = fresh.methods[spec.label] = measure(Entrant(version, spec), request.probe, shares.next())
            if stored is None:
                continue
            comparison = (
                _incomparable(spec, str(request.baseline), reason)
                if reason
                else compare_with(stored.methods[spec.label], samples, spec.label, stored.code, request.terms)
            )
        comparisons.append(comparison)
        done(comparison)
    if request.save is not None:
        fresh.write(request.save)
    return comparisons


def _incomparable(spec: Spec, other: str, reason: str) -> Comparison:
    return Comparison(spec.label, other, tuple(Finding(name, "incomparable", note=reason) for name in MEASURES))
