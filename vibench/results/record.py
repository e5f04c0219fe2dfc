"""What a run writes down: a record for every method on every case, and one page about the run itself."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from vibench.document import Frozen
from vibench.machine.timing import Timing
from vibench.metric import Aggregate, Series

SCHEMA = 1
TRUTH = "truth"
"""The method name under which the harness scores the truth itself: the floor of every table."""


FailureKind = Literal["error", "out-of-memory", "time-out", "bad-input"]


class Failure(Frozen):
    """Why a method gave no frames for a case: the kind of failure, and a sentence about it."""

    kind: FailureKind
    message: str


class Record(Frozen):
    """What one method did on one case.

    ``metrics`` maps the name of a metric to its regions, and each region to its values: one for every frame or pair of
    frames, None where the region is empty there. ``measured_by`` maps the name of a metric to the sha256 of the code,
    options and files that measured it or failed at it, ``unavailable`` to the reason why it could not be measured.
    ``input_sha256``, ``truth_sha256`` and ``holes_sha256`` are those of the arrays that the method and the metrics saw,
    ``given_sha256`` is that of the masks that the method was given where these are not the holes, and ``output_sha256``
    is that of the composited frames. ``versions`` are those of the packages whose arithmetic is in the numbers.
    ``notes`` are sentences about what a program did to the case. ``made_by`` is the digest of the run that filled the
    case, where this run took the record over from that one. A field that the version which wrote the record did not
    know is empty. Everything but ``timing`` and ``made_by`` is equal when the run is repeated.
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
    given_sha256: str = ""
    output_sha256: str = ""
    attributes: dict[str, str | float] = Field(default_factory=dict)
    metrics: dict[str, dict[str, tuple[float | None, ...]]] = Field(default_factory=dict)
    measured_by: dict[str, str] = Field(default_factory=dict)
    unavailable: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    timing: Timing | None = None
    notes: tuple[str, ...] = ()
    made_by: str = ""

    @property
    def clip(self) -> str:
        """The clip that the case is made of; in records of older versions, the case's name before its first slash."""
        return str(self.attributes.get("clip") or self.case.partition("/")[0])

    def value(self, metric: str, region: str) -> float | None:
        """Return the mean of a metric over the frames or pairs of the clip, or None where it was not measured."""
        values = self.metrics.get(metric, {}).get(region)
        return None if values is None else Series(values).mean


class MethodFacts(Frozen):
    """One method of a run: its name with options, its factory, the sha256 of its code, and what it says of itself."""

    label: str
    factory: str
    source_sha256: str
    options: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, ...]:
        """What the method's frames depend on: its options, its code, its weights, and files of results it reads."""
        contents = (str(self.facts.get(name)) for name in ("weights_sha256", "content_sha256"))
        return self.label, self.source_sha256, *contents

    @property
    def warning(self) -> str | None:
        """A sentence that every table must show beside this method; None where there is none."""
        return self.facts.get("warning")

    @property
    def knows(self) -> str | None:
        """Which frames a filled one may depend on, in the method's own words; None where it does not say."""
        return self.facts.get("knows")


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
    """The page about a run, ``run.json``: everything needed to repeat it, and nothing that changes while it runs.

    ``clip_bytes`` are the sizes of each clip's files, where the run was made in shards: by these they know that they
    read the same data.
    """

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
    clip_bytes: dict[str, int] = Field(default_factory=dict)
