"""Collects blocks of two versions' times until a verdict is sure; knows no process and no clock, so it can be replayed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from vibench.machine.stopwatch import STOLEN_TOO_MUCH, Clock, Reading, is_disturbed
from vibench.regress.finding import TIME, Finding, Measure
from vibench.regress.ratio import FIRST_LOOK, Block, looks, mann_whitney_stratified, outcome_of, ratio_of

SMALLEST_SECONDS = 1e-9
"""Times are compared as logs; a clock that did not move counts as this."""


@dataclass(frozen=True)
class Burst:
    """Some fills of one version in a row: medians per frame and to the first frame, by either clock, in seconds.

    ``passed`` is the whole burst's.
    """

    frame: dict[Clock, float]
    first: dict[Clock, float]
    passed: Reading

    @classmethod
    def of(cls, calls: Sequence[Sequence[float]], frames: int) -> Burst:
        """From a worker's list of calls: wall, cpu, voluntary, involuntary, wall and cpu to the first frame."""
        columns = list(zip(*calls, strict=True))
        middle = [max(SMALLEST_SECONDS, median(column)) for column in columns]
        total = Reading(sum(columns[0]), sum(columns[1]), int(sum(columns[2])), int(sum(columns[3])))
        return cls(
            {"wall": middle[0] / frames, "cpu": middle[1] / frames}, {"wall": middle[4], "cpu": middle[5]}, total
        )


def reading_of(call: Sequence[float]) -> Reading:
    """The clocks' share of one of a worker's calls."""
    return Reading(call[0], call[1], int(call[2]), int(call[3]))


@dataclass(frozen=True)
class TimedBlock:
    """Four bursts and when they were over, in seconds from the start of the comparison."""

    old: tuple[Burst, Burst]
    new: tuple[Burst, Burst]
    at_seconds: float
    stolen_share: float

    def disturbed(self, clock: Clock) -> bool:
        """Whether others took so much of the machine that the block should be repeated.

        Says nothing about which version it harmed, so that leaving such blocks out cannot favour one.
        """
        if clock == "cpu":
            return self.stolen_share > STOLEN_TOO_MUCH
        return any(is_disturbed(burst.passed, self.stolen_share) for burst in (*self.old, *self.new))

    def values(self, measure: Measure, clock: Clock) -> Block:
        """The block's four numbers of one measure."""
        old, new = (
            [(burst.frame if measure == TIME[0] else burst.first)[clock] for burst in side]
            for side in (self.old, self.new)
        )
        return Block((old[0], old[1]), (new[0], new[1]))


@dataclass
class Contest:
    """Blocks so far, and what may be said about them at the looks that were fixed beforehand."""

    clock: Clock
    threshold: float
    blocks: list[TimedBlock] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.look = 1
        self._looks: Iterator[int] = looks()
        self._next = next(self._looks)
        self._decided: dict[Measure, Finding] = {}
        self._latest: dict[Measure, Finding] = {}

    @property
    def over(self) -> bool:
        """Whether every measure has its verdict."""
        return len(self._decided) == len(TIME)

    @property
    def disturbed(self) -> int:
        """Blocks during which others took too much of the machine."""
        return sum(block.disturbed(self.clock) for block in self.blocks)

    def add(self, block: TimedBlock) -> None:
        """One more block; looks at the data when it is time to."""
        self.blocks.append(block)
        quiet = self._quiet()
        if len(quiet) >= self._next:
            self._look_at(quiet)
            self.look, self._next = self.look + 1, next(self._looks)

    def findings(self) -> tuple[Finding, ...]:
        """The verdicts; what is open is looked at a last time, with disturbed blocks where there is nothing else."""
        quiet = self._quiet()
        last = quiet if len(quiet) >= FIRST_LOOK else self.blocks
        return tuple(self._decided.get(measure) or self._last_look(measure, last) for measure in TIME)

    def _last_look(self, measure: Measure, blocks: list[TimedBlock]) -> Finding:
        """What may be said at the end; the look before it, where too few blocks have come since to bound anything."""
        finding = self._finding(measure, blocks, self.look)
        unbounded = finding.ratio is None or finding.ratio.low == 0
        return self._latest.get(measure, finding) if unbounded else finding

    def _quiet(self) -> list[TimedBlock]:
        return [block for block in self.blocks if not block.disturbed(self.clock)]

    def _look_at(self, blocks: list[TimedBlock]) -> None:
        for measure in TIME:
            if measure not in self._decided:
                finding = self._latest[measure] = self._finding(measure, blocks, self.look)
                if finding.outcome != "unclear":
                    self._decided[measure] = finding

    def _finding(self, measure: Measure, blocks: list[TimedBlock], look: int) -> Finding:
        if len(blocks) < FIRST_LOOK:
            note = f"only {len(blocks)} of the {FIRST_LOOK} blocks that a verdict needs fitted into the budget"
            return Finding(measure, "unclear", note=note)
        values = [block.values(measure, self.clock) for block in blocks]
        ratio, p = ratio_of(values, look), mann_whitney_stratified(values)
        outcome = outcome_of(ratio, p, self.threshold)
        other: Clock = "wall" if self.clock == "cpu" else "cpu"
        witness = ratio_of([block.values(measure, other) for block in blocks], look)
        note = f"{len(blocks)} blocks, p = {p:.2g}, by {self.clock} time; {other} time says {witness.ratio:.3f}"
        if self.clock == "cpu" and (
            (outcome == "worse" and witness.high < 1) or (outcome == "better" and witness.low > 1)
        ):
            outcome, note = "unclear", f"{note}: the two clocks contradict each other"
        if len(blocks) == len(self.blocks) and self.disturbed:
            note = f"{note}; disturbed by other load"
        return Finding(
            measure, outcome, ratio,
            old=median(time for value in values for time in value.old),
            new=median(time for value in values for time in value.new),
            unit="s", note=note,
        )  # fmt: skip
