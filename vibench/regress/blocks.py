"""Blocks of two versions' times, collected until every verdict on time is sure.

Nothing here starts a process or reads a clock, so that a comparison can be replayed from its blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from vibench.machine.stopwatch import STOLEN_TOO_MUCH, Clock, Reading, is_disturbed
from vibench.regress.finding import TIME, Measure, Measured
from vibench.regress.ratio import FIRST_LOOK, Block, looks, mann_whitney_stratified, ratio_of, verdict_of

SMALLEST_SECONDS = 1e-9
"""Times are compared as logs; a clock that did not move counts as this."""


@dataclass(frozen=True)
class Burst:
    """Some fills of one version in a row.

    ``frame`` and ``first`` are medians over these fills, in seconds by either clock: the time per frame, and the time
    to the first frame. ``passed`` is what passed on the clocks during the whole burst.
    """

    frame: dict[Clock, float]
    first: dict[Clock, float]
    passed: Reading

    @classmethod
    def of(cls, calls: Sequence[Sequence[float]], frames: int) -> Burst:
        """Make one from a worker's calls on a clip of ``frames`` frames.

        Each call is a list: wall and cpu seconds, voluntary and involuntary context switches, and wall and cpu seconds
        to the first frame.
        """
        columns = list(zip(*calls, strict=True))
        middle = [max(SMALLEST_SECONDS, median(column)) for column in columns]
        total = Reading(sum(columns[0]), sum(columns[1]), int(sum(columns[2])), int(sum(columns[3])))
        return cls(
            {"wall": middle[0] / frames, "cpu": middle[1] / frames}, {"wall": middle[4], "cpu": middle[5]}, total
        )


def reading_of(call: Sequence[float]) -> Reading:
    """The part of one of a worker's calls that tells the clocks and the context switches."""
    return Reading(call[0], call[1], int(call[2]), int(call[3]))


@dataclass(frozen=True)
class TimedBlock:
    """Four bursts, two of each version, and when they were over, in seconds from the start of the comparison.

    ``stolen_share`` is the part of the machine's time that the hypervisor gave to others meanwhile.
    """

    old: tuple[Burst, Burst]
    new: tuple[Burst, Burst]
    at_seconds: float
    stolen_share: float

    def disturbed(self, clock: Clock) -> bool:
        """Whether others took so much of the machine that the block should be repeated.

        The answer does not say which version was harmed, so that leaving such blocks out cannot favour one.
        """
        if clock == "cpu":
            return self.stolen_share > STOLEN_TOO_MUCH
        return any(is_disturbed(burst.passed, self.stolen_share) for burst in (*self.old, *self.new))

    def values(self, measure: Measure, clock: Clock) -> Block:
        """The four numbers of this block for one measure, in seconds by one clock."""
        old, new = (
            [(burst.frame if measure == TIME[0] else burst.first)[clock] for burst in bursts]
            for bursts in (self.old, self.new)
        )
        return Block((old[0], old[1]), (new[0], new[1]))


@dataclass
class BlockSeries:
    """The blocks so far, and what may be said about them at the looks that were fixed beforehand.

    ``threshold`` is the ratio new / old beyond which a version is slower.
    """

    clock: Clock
    threshold: float
    blocks: list[TimedBlock] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.look = 1
        self._looks: Iterator[int] = looks()
        self._next = next(self._looks)
        self._decided: dict[Measure, Measured] = {}
        self._latest: dict[Measure, Measured] = {}

    @property
    def over(self) -> bool:
        """Whether every measure of time has its verdict."""
        return len(self._decided) == len(TIME)

    @property
    def disturbed(self) -> int:
        """How many blocks there are during which others took too much of the machine."""
        return sum(block.disturbed(self.clock) for block in self.blocks)

    def add(self, block: TimedBlock) -> None:
        """Add one more block, and look at the data when it is time to."""
        self.blocks.append(block)
        quiet = self._quiet()
        if len(quiet) >= self._next:
            self._look_at(quiet)
            self.look, self._next = self.look + 1, next(self._looks)

    def findings(self) -> tuple[Measured, ...]:
        """The verdicts; what is open is looked at a last time, with disturbed blocks where there are too few others."""
        quiet = self._quiet()
        last = quiet if len(quiet) >= FIRST_LOOK else self.blocks
        return tuple(self._decided.get(measure) or self._last_look(measure, last) for measure in TIME)

    def _last_look(self, measure: Measure, blocks: list[TimedBlock]) -> Measured:
        """What may be said at the end: what the look before it said, where this last one can bound nothing."""
        measured = self._measured(measure, blocks, self.look)
        unbounded = measured.ratio is None or measured.ratio.low == 0
        return self._latest.get(measure, measured) if unbounded else measured

    def _quiet(self) -> list[TimedBlock]:
        return [block for block in self.blocks if not block.disturbed(self.clock)]

    def _look_at(self, blocks: list[TimedBlock]) -> None:
        for measure in TIME:
            if measure not in self._decided:
                measured = self._latest[measure] = self._measured(measure, blocks, self.look)
                if measured.outcome != "unclear":
                    self._decided[measure] = measured

    def _measured(self, measure: Measure, blocks: list[TimedBlock], look: int) -> Measured:
        if len(blocks) < FIRST_LOOK:
            note = f"only {len(blocks)} of the {FIRST_LOOK} blocks that a verdict needs fitted into the budget"
            return Measured(measure, "unclear", note=note)
        values = [block.values(measure, self.clock) for block in blocks]
        ratio, p = ratio_of(values, look), mann_whitney_stratified(values)
        verdict = verdict_of(ratio, p, self.threshold)
        other: Clock = "wall" if self.clock == "cpu" else "cpu"
        witness = ratio_of([block.values(measure, other) for block in blocks], look)
        note = f"{len(blocks)} blocks, p = {p:.2g}, by {self.clock} time; {other} time says {witness.ratio:.3f}"
        opposed = (verdict == "worse" and witness.high < 1) or (verdict == "better" and witness.low > 1)
        if self.clock == "cpu" and opposed:
            verdict, note = "unclear", f"{note}: the two clocks contradict each other"
        if len(blocks) == len(self.blocks) and self.disturbed:
            note = f"{note}; disturbed by other load"
        old = median(seconds for value in values for seconds in value.old)
        new = median(seconds for value in values for seconds in value.new)
        return Measured(measure, verdict, ratio, old, new, "s", note)
