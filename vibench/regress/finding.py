"""What a comparison says: one finding per measure, its word, and the exit status of them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vibench.regress.ratio import Outcome, Ratio

Measure = Literal["seconds per frame", "first-frame latency", "peak memory", "peak device memory", "quality"]

TIME: tuple[Measure, ...] = ("seconds per frame", "first-frame latency")
MEMORY: tuple[Measure, ...] = ("peak memory", "peak device memory")

NOTHING_WORSE, SOMETHING_WORSE, UNDECIDED = 0, 1, 3
"""Exit statuses; 2 is every command's own for what the user can fix."""


@dataclass(frozen=True)
class Finding:
    """One measure of one method: ``ratio`` is new / old and above 1 is worse, for quality too (there of the error).

    ``old`` and ``new`` are medians in ``unit``; None where they were not measured. ``note`` says what stands behind it,
    or why there is no verdict.
    """

    measure: Measure
    outcome: Outcome
    ratio: Ratio | None = None
    old: float | None = None
    new: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def word(self) -> str:
        """The outcome as a person says it: slower, hungrier or worse; faster, leaner or better; or the outcome itself."""
        if self.outcome not in ("worse", "better"):
            return self.outcome
        family = {**dict.fromkeys(TIME, ("slower", "faster")), **dict.fromkeys(MEMORY, ("hungrier", "leaner"))}
        worse, better = family.get(self.measure, ("worse", "better"))
        return worse if self.outcome == "worse" else better


@dataclass(frozen=True)
class Comparison:
    """All findings of one method, and how they were come by.

    ``blocks`` were measured in ``seconds`` of the budget; ``disturbed`` of them were repeated or said to be noisy.
    ``pairs`` of fresh processes took part.
    """

    method: str
    other: str
    findings: tuple[Finding, ...]
    seconds: float = 0.0
    blocks: int = 0
    disturbed: int = 0
    pairs: int = 1
    load_average: float | None = None


def exit_status(comparisons: Iterable[Comparison]) -> int:
    """1 where any finding is worse, else 3 where any is unclear or incomparable, else 0."""
    outcomes = {finding.outcome for comparison in comparisons for finding in comparison.findings}
    if "worse" in outcomes:
        return SOMETHING_WORSE
    return UNDECIDED if outcomes & {"unclear", "incomparable"} else NOTHING_WORSE
