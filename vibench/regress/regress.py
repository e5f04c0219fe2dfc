"""`vibench regress`: every method against its other version in turn, within one budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from time import monotonic

from vibench.data.probe import Probe
from vibench.errors import InputError, MissingResource
from vibench.machine.device import resolve
from vibench.machine.facts import machine_facts, package_versions
from vibench.machine.processes import exit_on_termination
from vibench.plugins import Spec, split_outside_brackets
from vibench.regress.baseline import Baseline, compare_with, machine_now, measure
from vibench.regress.finding import TIME, Measure, Measured, Regression
from vibench.regress.pair import RegressSettings, VersionPair
from vibench.regress.version import LAST, MethodVersion, checkout_commit, here, versions_of
from vibench.results.findings import KeptComparison, KeptFinding, append_findings

MEASURES: tuple[Measure, ...] = ("quality", "peak memory", *TIME)


@dataclass(frozen=True)
class Request:
    """What is compared, how, and with what; ``settings.budget_seconds`` is for all methods together."""

    methods: tuple[Spec, ...]
    probe: Probe
    settings: RegressSettings
    against: str = LAST
    baseline: Path | None = None
    save: Path | None = None


def find_regressions(
    methods: str | Iterable[str],
    against: str = LAST,
    *,
    threshold: float = 1.10,
    quality_threshold_db: float = 0.1,
    budget_seconds: float = 600.0,
    size: tuple[int, int] = (128, 128),
    frames: int = 8,
    device: str = "cpu",
    threads: int = 1,
    seed: int | None = None,
    baseline: str | Path | None = None,
    save: str | Path | None = None,
    append: str | Path | None = None,
    done: Callable[[Regression], None] = lambda _: None,
) -> list[Regression]:
    """Say of every method whether the code here is slower, hungrier or worse than another version of it.

    Both versions are measured in turns on this machine, in processes of their own, until every verdict is sure or the
    budget is spent. A method whose verdicts are sure early leaves its time to the others. Where there is nothing to
    compare with, as in a shallow clone, every measure is incomparable. While it measures, SIGTERM and SIGHUP end this
    process with SystemExit, so that the other version's files are removed.

    Args:
        methods: names with options as the command line takes them, ``"vinet[memory=false],telea"``, or a list of them.
        against: a git ref; the path of a ``.whl`` file; ``last``, the newest tag before this commit, else the commit
            before it; or ``same[option=value]``, which is the code here with other options.
        threshold: ratio new / old, above 1 and below 100, beyond which time or memory counts as worse.
        quality_threshold_db: loss of PSNR in the hole, in dB, that counts as worse.
        budget_seconds: seconds for all methods together.
        size: width and height in pixels of the clips that are made for it.
        frames: frames of each of these clips.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: threads of each version.
        seed: makes the order of measurements repeatable.
        baseline: a file that ``save`` wrote on an equal machine; it is compared with instead of ``against``.
        save: the code here is measured alone, and its numbers are written to this file. Without ``baseline`` nothing
            is compared, and the result is empty.
        append: a file to which what is found is added, a line a method, for ``vibench.history``.
        done: called with what was found about each method as soon as it is known.

    Raises:
        InputError: where no method is named, or something cannot be used as it was given.
    """
    if not 1 < threshold < 100:
        raise InputError(f"--threshold {threshold:g} is not between 1 and 100 (1.10 stands for 10 % more)")
    named = split_outside_brackets(methods) if isinstance(methods, str) else methods
    specs = tuple(Spec.parse(text) for text in named)
    if not specs:
        raise InputError("--methods names no method; see `vibench list methods`")
    settings = RegressSettings(budget_seconds, threshold, quality_threshold_db, resolve(device), threads, seed=seed)
    read, written = (None if path is None else Path(path) for path in (baseline, save))
    request = Request(specs, Probe.make(*size, frames), settings, against, read, written)
    tell = done if append is None else _appending(Path(append), request, done)
    with exit_on_termination():
        return carry_out(request, tell)


def _appending(path: Path, request: Request, done: Callable[[Regression], None]) -> Callable[[Regression], None]:
    """Keep what is found about each method as soon as it is known, and then tell of it."""
    settings, started, commit = request.settings, datetime.now(UTC), checkout_commit()
    append_findings(path, ())  # a file that cannot be written is said before anything is measured
    machine, versions = {**machine_facts(), "torch_threads": settings.threads}, package_versions()

    def kept(regression: Regression) -> None:
        comparison = KeptComparison(
            method=regression.method, old=regression.other, commit=commit, started=started, machine=machine,
            device=settings.device, threads=settings.threads, probe=request.probe.digest, clock=regression.clock,
            versions=versions, load_average=regression.load_average,
            findings=tuple(_kept(measured) for measured in regression.findings),
        )  # fmt: skip
        append_findings(path, [comparison])
        done(regression)

    return kept


def _kept(measured: Measured) -> KeptFinding:
    ratio = measured.ratio
    bounds = (ratio.ratio, ratio.low, ratio.high) if ratio is not None else None
    return KeptFinding(
        measure=measured.measure, verdict=measured.outcome, old=measured.old, new=measured.new,
        unit=measured.unit, note=measured.note,
        ratio=None if bounds is None else tuple(value if isfinite(value) else None for value in bounds),
    )  # fmt: skip


def carry_out(request: Request, done: Callable[[Regression], None]) -> list[Regression]:
    """Compare every method with its other version, as ``find_regressions`` says."""
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
        """Return the settings of the next method, with its share of the time."""
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
