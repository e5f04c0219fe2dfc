"""Metrics measure one case: each gives its values or the reason why it has none, and says by which code."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from pydantic import ValidationError

from vibench import plugins
from vibench.clip import Case, Frames, digest
from vibench.document import first_fault
from vibench.errors import InputError, UserError, one_line, shown_name
from vibench.machine.worker import Settings
from vibench.metric import Metric, MetricInfo, Series
from vibench.plugins import Spec
from vibench.results.record import TRUTH, MetricFacts, Record
from vibench.runner.fill import failure_of


@dataclass
class Scorer:
    """The metrics of an order, made once. ``unavailable`` says of each that could not be made what it lacks.

    ``identities`` maps a metric's name to the sha256 of its code, its options and the files that it reads.
    """

    metrics: dict[str, Metric] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Sequence[str], device: str, may_be_missing: Sequence[str] = ()) -> Scorer:
        """Make the metrics of these names; one of ``may_be_missing`` that lacks weights is kept as a reason.

        InputError for one that cannot be made as it is asked for, and where two have the same name.
        """
        made = cls()
        for asked in names:
            spec = Spec.parse(asked)
            try:
                metric: Metric = plugins.make("metrics", spec, device=device)
            except UserError as error:
                if asked not in may_be_missing or isinstance(error, InputError):
                    raise
                made.unavailable[asked] = str(error)
                continue
            name = _checked_info(metric, spec).name
            if name in made.metrics:
                raise InputError(f"two metrics are called {name!r}, the second asked for as {asked!r}; ask for one")
            made.metrics[name] = metric
            made.identities[name] = identity_of(spec, metric)
        return made

    @property
    def has_floor(self) -> bool:
        """Whether a metric wants the row of the truth itself."""
        return any(metric.info.has_floor for metric in self.metrics.values())

    def facts(self) -> tuple[MetricFacts, ...]:
        """What the run's page says of its metrics."""
        return tuple(_facts(metric) for metric in self.metrics.values())

    def lacking(self, record: Record, settled: Collection[str] = ()) -> tuple[str, ...]:
        """Names of the metrics of which ``record`` holds no value, or one that other code measured.

        Of a metric in ``settled`` a reason why it could not be measured is as good as a value, unless other code gave
        it.
        """
        return tuple(
            name
            for name, metric in self.metrics.items()
            if (metric.info.has_floor or record.method != TRUTH)
            and not (name in settled and self._is_settled(name, record))
            and (name not in record.metrics or record.measured_by.get(name) != self.identities[name])
        )

    def _is_settled(self, name: str, record: Record) -> bool:
        """Whether a record says why it lacks a metric, by the code of now or, in older records, by code unknown."""
        return name in record.unavailable and record.measured_by.get(name) in (None, self.identities[name])

    def score(self, record: Record, frames: Frames, case: Case) -> Record:
        """``record`` with every metric measured on composited ``frames`` of ``case``, or the reason why one was not.

        Of the truth only what has a floor is measured. Values of metrics that nobody asks for this time stay.
        """
        # A kept record may say why it lacks a metric that nobody asks for this time.
        unavailable = {name: reason for name, reason in record.unavailable.items() if name not in self.metrics}
        unavailable |= self.unavailable
        metrics, measured_by = dict(record.metrics), dict(record.measured_by)
        for name, metric in self.metrics.items():
            if record.method == TRUTH and not metric.info.has_floor:
                continue
            found = _measured(metric, frames, case)
            measured_by[name] = self.identities[name]
            if isinstance(found, str):
                unavailable[name] = found
                metrics.pop(name, None)
            else:
                metrics[name] = found
        changes: dict[str, Any] = {
            "metrics": metrics,
            "measured_by": measured_by,
            "unavailable": unavailable,
            "status": "scored",
            "output_sha256": digest(frames),
        }
        return record.model_copy(update=changes)


def identity_of(spec: Spec, metric: Metric) -> str:
    """Sha256 of what a metric's values depend on: its code, its options and its ``resources``, where it has any."""
    build = plugins.factory("metrics", spec.name)
    parts = {
        "code": plugins.source_digest(build),
        "options": {key: str(value) for key, value in plugins.option_values(build, spec).items()},
        "version": metric.info.version,
        "resources": dict(getattr(metric, "resources", {})),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _checked_info(metric: Metric, spec: Spec) -> MetricInfo:
    """What a metric says of itself; InputError where no table and no record could show it."""
    info = getattr(metric, "info", None)
    if not isinstance(info, MetricInfo) or not callable(getattr(metric, "measure", None)):
        raise InputError(f"{spec.label} makes no metric: it needs `info`, a vibench.metric.MetricInfo, and `measure`")
    try:
        facts = _facts(metric)
    except ValidationError as error:
        raise InputError(f"the info of the metric {spec.label} cannot be used: {first_fault(error)}") from error
    for text in (facts.name, facts.title, facts.unit, facts.source):
        if shown_name(text) != text:
            raise InputError(f"the info of the metric {spec.label} holds {one_line(text)!r}, which steers a terminal")
    return info


def _asked(metric: Metric, frames: Frames, case: Case) -> Mapping[str, Series]:
    """What a metric measures.

    One of other people gets copies, since it may write on them, and what it changes of this process is undone.
    """
    if type(metric).__module__.startswith("vibench."):
        return metric.measure(frames, case)
    with _undone():
        return metric.measure(*deepcopy((frames, case)))


@contextmanager
def _undone() -> Iterator[None]:
    """Put back what foreign code changes of this process, and let it end no more than itself."""
    settings, end = Settings(), os._exit

    def ended(status: int) -> NoReturn:
        raise SystemExit(status)

    os._exit = ended
    try:
        yield
    finally:
        os._exit = end
        settings.restore()
        settings.forget()


def _measured(metric: Metric, frames: Frames, case: Case) -> dict[str, tuple[float | None, ...]] | str:
    """Region -> values, or why there are none.

    Where nobody knows the truth behind the hole, what a method should leave alone is still known: it is the input.
    """
    if "truth" in metric.info.needs and case.truth is None:
        known = _measured(metric, frames, replace(case, truth=case.frames)) if case.kept else {}
        if isinstance(known, str):
            return known
        kept = {region: values for region, values in known.items() if region in case.kept}
        return kept or "nobody knows the truth of this case"
    if "exact-flow" in metric.info.needs and case.flow is None:
        return "the exact motion of this clip is not known"
    try:
        measured = _asked(metric, frames, case)
        found = {shown_name(str(region)): tuple(map(_finite, series.values)) for region, series in measured.items()}
        return found or "it gave no region"
    except UserError as error:
        return str(error)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises is a reason, not our end
        return f"it failed: {failure_of(error).message}"


def _finite(value: float | None) -> float | None:
    """A value as JSON knows it: what is not finite is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def _facts(metric: Metric) -> MetricFacts:
    info = metric.info
    return MetricFacts(
        name=info.name,
        title=info.title,
        unit=info.unit,
        better=info.better,
        has_floor=info.has_floor,
        source=info.source,
        version=info.version,
        aggregate=info.aggregate,
    )
