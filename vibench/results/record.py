"""What one run writes down: a record per case and method, and one page about the run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from vibench.document import Frozen
from vibench.machine.timing import Timing
from vibench.metric import Aggregate, Series

SCHEMA = 1
TRUTH = "truth"
"""The method name under which the harness scores the truth itself: the floor of every table."""


class Failure(Frozen):
    """Why a case has no frames."""

    kind: Literal["error", "out-of-memory", "time-out", "bad-input"]
    message: str


class Record(Frozen):
    """One method on one case.

    ``metrics`` maps metric name -> region -> values (one a frame or pair; None where the region is empty), and
    ``measured_by`` the name to the sha256 of the code and files that measured it; ``unavailable`` maps metric name ->
    reason. ``input_sha256``, ``truth_sha256`` and ``holes_sha256`` are of the arrays that the method and the metrics
    saw, ``output_sha256`` of the composited frames. ``versions`` are those of the packages whose arithmetic is in the
    numbers. What an older version did not write yet is empty. Everything but ``timing`` is equal in a repeated run.
    """

    schema_version: int = Field(default=SCHEMA, alias="schema")
    run: str
    method: str
    case: str
    status: Literal["scored", "predicted", "failed"]
    failure: Failure | None = None
    frames: int = 0
    height: int = 0
    width: int = 0
    hole_fraction: float = 0.0
    input_sha256: str = ""
    truth_sha256: str = ""
    holes_sha256: str = ""
    output_sha256: str = ""
    attributes: dict[str, str | float] = Field(default_factory=dict)
    metrics: dict[str, dict[str, tuple[float | None, ...]]] = Field(default_factory=dict)
    measured_by: dict[str, str] = Field(default_factory=dict)
    unavailable: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    timing: Timing | None = None

    @property
    def clip(self) -> str:
        """The clip that the case is made of; in records of older versions, the case's name before its first slash."""
        return str(self.attributes.get("clip") or self.case.partition("/")[0])

    def value(self, metric: str, region: str) -> float | None:
        """Clip value of a metric: the mean of its series, or None where it was not measured."""
        values = self.metrics.get(metric, {}).get(region)
        return None if values is None else Series(values).mean


class MethodFacts(Frozen):
    """One method of a run: its canonical label, factory, the state of its code, options and what it says of itself."""

    label: str
    factory: str
    source_sha256: str
    options: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)

    @property
    def warning(self) -> str | None:
        """A sentence that every table must show beside this method."""
        return self.facts.get("warning")


class MetricFacts(Frozen):
    """How a table shows one metric of a run (see ``vibench.metric.MetricInfo``)."""

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    has_floor: bool
    source: str
    version: int
    aggregate: Aggregate = "mean"


class RunInfo(Frozen):
    """The page about a run, ``run.json``: everything needed to repeat it, and nothing that changes while it runs."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    digest: str
    protocol: dict[str, Any]
    protocol_label: str
    protocol_digest: str
    methods: tuple[MethodFacts, ...]
    metrics: tuple[MetricFacts, ...]
    cases: tuple[str, ...]
    machine: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    data: str | None
    device: str
    command: str
    started: str
