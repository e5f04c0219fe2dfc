"""`vibench regress`: every method against its other version in turn, within one budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from vibench.data.probe import Probe
from vibench.errors import MissingResource
from vibench.plugins import Spec
from vibench.regress.baseline import Baseline, compare_with, machine_now, measure
from vibench.regress.finding import TIME, Measure, Measured, Regression
from vibench.regress.pair import RegressSettings, VersionPair
from vibench.regress.version import LAST, MethodVersion, here, versions_of

MEASURES: tuple[Measure, ...] = ("quality", "peak memory", *TIME)


@dataclass(frozen=True)
class Request:
    """What is compared with what; ``settings.budget_seconds`` is for all methods together."""

    methods: tuple[Spec, ...]
    probe: Probe
    settings: RegressSettings
    against: str = LAST
    baseline: Path | None = None
    save: Path | None = None


def regress(request: Request, done: Callable[[Regression], None] = lambda _: None) -> list[Regression]:
    """Compare every method with its other version; ``done`` is called with what was found about each.

    A method whose verdicts are sure early leaves its time to the others. InputError where the request cannot be met as
    it stands; where there is nothing to compare with, every measure is incomparable.
    """
    if request.baseline is not None or request.save is not None:
        return _with_baseline(request, done)
    try:
        with versions_of(request.methods, request.against) as pairs:
            shares = Shares(request.settings, len(pairs))
            regressions = []
            for old, new in pairs:
                regressions.append(VersionPair(old, new, request.probe, shares.next()).compare())
                done(regressions[-1])
            return regressions
    except MissingResource as absent:  # nothing to compare with, as in a shallow clone: no fault of the new version
        regressions = [_incomparable(spec, request.against, str(absent)) for spec in request.methods]
        for regression in regressions:
            done(regression)
        return regressions


class Shares:
    """Divides what is left of the budget among the methods that are left."""

    def __init__(self, settings: RegressSettings, count: int) -> None:
        self.settings, self.left = settings, count
        self._end = monotonic() + settings.budget_seconds

    def next(self) -> RegressSettings:
        """The settings of the next method, with its share of the time."""
        share = max(0.0, self._end - monotonic()) / self.left
        self.left -= 1
        return replace(self.settings, budget_seconds=share)


def _with_baseline(request: Request, done: Callable[[Regression], None]) -> list[Regression]:
    version = replace(here(), owns_methods=False)
    machine = machine_now(request.settings.threads, request.settings.device)
    stored = Baseline.read(request.baseline) if request.baseline is not None else None
    fresh = Baseline(machine=machine, probe=request.probe.digest, code=version.title)
    shares, regressions = Shares(request.settings, len(request.methods)), []
    for spec in request.methods:
        reason = stored.mismatch(machine, request.probe.digest, spec.label) if stored is not None else None
        if reason and request.save is None:
            regression = _incomparable(spec, str(request.baseline), reason)
        else:
            samples = fresh.methods[spec.label] = measure(MethodVersion(version, spec), request.probe, shares.next())
            if stored is None:
                continue
            regression = (
                _incomparable(spec, str(request.baseline), reason)
                if reason
                else compare_with(stored.methods[spec.label], samples, spec.label, stored.code, request.settings)
            )
        regressions.append(regression)
        done(regression)
    if request.save is not None:
        fresh.write(request.save)
    return regressions


def _incomparable(spec: Spec, other: str, reason: str) -> Regression:
    return Regression(spec.label, other, tuple(Measured(name, "incomparable", note=reason) for name in MEASURES))
