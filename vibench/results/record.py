"""What one run writes down: a record per case and method, and one page about the run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vibench.machine.stopwatch import Reading, is_disturbed
from vibench.metric import Aggregate, Series

SCHEMA = 1
TRUTH = "truth"
"""The method name under which the harness scores the truth itself: the floor of every table."""


class Frozen(BaseModel):
    """Validated, immutable, and strict about unknown keys: a foreign file is not a record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Timing(Frozen):
    """Seconds of one method on one clip, uint8 in to uint8 out, after warm-up, device synchronised.

    ``frame_seconds`` has one value per frame for a streaming method, and is empty where only the whole clip can be
    timed; ``seconds`` is the whole clip. ``peak_host_bytes`` is the growth of resident memory during the call. ``jobs``
    other than 1 says that cases ran side by side, so that times are those of a busy machine.

    ``cpu_seconds``, ``involuntary_switches``, ``stolen_share``, ``load_average`` and ``clock_megahertz`` say what the
    machine was doing at the time (None: written before they were recorded, or the system does not say). Precision
    and compilation are options or facts of the method, on the run's page.
    """

    device: str
    seconds: float
    frames: int
    frame_seconds: tuple[float, ...] = ()
    first_frame_seconds: float
    warm_up_seconds: float
    peak_host_bytes: int
    peak_device_bytes: int | None = None
    threads: int = 1
    jobs: int = 1
    cpu_seconds: float | None = None
    involuntary_switches: int | None = None
    stolen_share: float | None = None
    load_average: float | None = None
    clock_megahertz: float | None = None

    @property
    def disturbed(self) -> bool:
        """Whether other programs or machines took so much that this time should be measured again."""
        passed = Reading(self.seconds, self.cpu_seconds or 0.0, 0, self.involuntary_switches or 0)
        return is_disturbed(passed, self.stolen_share or 0.0)

    def real_time_factor(self, frames_per_second: float) -> float:
        """How many times faster than the video plays (``frames_per_second``) it was filled; 1 just keeps up."""
        return self.frames_per_second / frames_per_second

    @property
    def frames_per_second(self) -> float:
        """Frames over seconds of the whole clip."""
        return self.frames / self.seconds


class Failure(Frozen):
    """Why a case has no frames."""

    kind: Literal["error", "out-of-memory", "time-out", "bad-input"]
    message: str


class Record(Frozen):
    """One method on one case.

    ``metrics`` maps metric name -> region -> values (one a frame or pair; None where the region is empty);
    ``unavailable`` maps metric name -> reason. Everything but ``timing`` is equal in a repeated run.
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
    holes_sha256: str = ""
    output_sha256: str = ""
    attributes: dict[str, str | float] = Field(default_factory=dict)
    metrics: dict[str, dict[str, tuple[float | None, ...]]] = Field(default_factory=dict)
    unavailable: dict[str, str] = Field(default_factory=dict)
    timing: Timing | None = None

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
