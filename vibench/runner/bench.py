"""One process's workbench: the clips, methods and metrics of an order, and what is done with one case of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from vibench import plugins
from vibench.clip import Case, Frames, digest
from vibench.data.cases import build_case, check_generators
from vibench.data.contents import Contents, contents_of, remember, what_changed
from vibench.data.dataset import Dataset
from vibench.data.layouts import open_clips
from vibench.data.manifest import check_against_published
from vibench.errors import InputError, UserError
from vibench.machine.call import thread_count
from vibench.machine.facts import deciding_versions
from vibench.machine.host import Host, hosted
from vibench.plugins.definitions import include
from vibench.results.record import TRUTH, Failure, Record
from vibench.runner.fill import Rules, fill_case
from vibench.runner.order import Order, Task
from vibench.runner.score import Scorer

KeptFrames = Callable[[Record], Frames | None]
"""Gives the frames that were kept for a record; None where they were not, or are torn."""


Filling = Callable[[str, str, int, int], None]
"""Told of a method, a case, how many frames are filled, and of how many."""


def untold(method: str, case: str, done: int, total: int) -> None:
    """Nobody wants to know."""


class Made(NamedTuple):
    """All that came of one method on one case, as ``Store.keep`` takes it.

    ``said`` is why nothing came of it, in one sentence; the record is then the one that was there before.
    """

    record: Record
    frames: Frames | None = None
    traceback: str = ""
    case: Case | None = None
    said: str = ""


@dataclass
class Workbench:
    """Everything that is built once per process."""

    order: Order
    clips: Dataset
    methods: dict[str, Host]
    scorer: Scorer
    run_digest: str
    versions: dict[str, str]

    @classmethod
    def build(cls, order: Order, run_digest: str = "") -> Workbench:
        """Open the data and make every method and metric; InputError where one of them cannot be had."""
        for (kind, name), factory in order.factories.items():
            plugins.register(kind, name, factory)
        for place in order.include:
            include(place)
        check_generators(order.protocol)
        clips = open_clips(order.protocol, order.data)
        labels = {spec.label for spec in order.methods}
        if len(labels) != len(order.methods):
            raise InputError("a method is named twice with the same options; name each once")
        if TRUTH in labels:
            raise InputError(f"no method may be called {TRUTH!r}: that is the row of the truth itself")
        scorer = Scorer.of(order.metrics, order.device, order.protocol.scoring.metrics)
        bench = cls(order, clips, {}, scorer, run_digest, deciding_versions())
        try:
            for spec in order.methods:
                bench.methods[spec.label] = hosted(spec, order.device, thread_count(), in_process=order.in_process)
        except BaseException:
            bench.close()
            raise
        return bench

    def close(self) -> None:
        """End the processes of the methods."""
        for host in self.methods.values():
            host.close()

    @property
    def rows(self) -> tuple[str, ...]:
        """Who has a record of every case: the methods, and the truth where a metric has a floor."""
        with_truth = self.scorer.has_floor and not self.order.predict_only
        return (*self.methods, TRUTH) if with_truth else tuple(self.methods)

    def work(self, task: Task, kept: KeptFrames, filling: Filling = untold) -> Iterator[Made]:
        """Make the records of one case; whatever a method does wrong becomes a record too.

        ``filling`` is told which method works on which case, how many frames of how many it has filled.
        """
        try:
            case = build_case(self.order.protocol, task.planned, self.clips)
            check_against_published(self.order.protocol, case)
        except UserError as error:
            yield from self._not_to_be_had(task, error)
            return
        contents = contents_of(case)
        remember(self.order.protocol, task.planned, self.clips, contents)
        for label in task.fill:
            blank = self._blank(label, case, contents)
            if label != TRUTH:
                yield self._filled(blank, case, task.planned.seed, filling)
            elif case.truth is not None:
                yield Made(self.scorer.score(blank, case.truth, case))
        for record in task.score:
            yield self._scored(record, case, contents, task.planned.seed, kept, filling)

    def _filled(self, blank: Record, case: Case, seed: int, filling: Filling) -> Made:
        order = self.order
        rules = Rules(order.protocol.scoring, order.device, order.time_limit_seconds, order.jobs)
        total = len(case.frames)
        filling(blank.method, case.name, 0, total)
        filled = fill_case(
            self.methods[blank.method], case, rules, seed, lambda done: filling(blank.method, case.name, done, total)
        )
        shown = case if order.keep_frames else None
        if filled.frames is None:
            return Made(blank.model_copy(update={"failure": filled.failure}), None, filled.traceback, shown)
        changes = {
            "timing": filled.timing, "output_sha256": digest(filled.frames), "status": "predicted",
            "notes": filled.notes,
        }  # fmt: skip
        record = blank.model_copy(update=changes)
        if not order.predict_only:
            record = self.scorer.score(record, filled.frames, case)
        return Made(record, filled.frames if order.keep_frames else None, case=shown)

    def _scored(
        self, record: Record, case: Case, contents: Contents, seed: int, kept: KeptFrames, filling: Filling
    ) -> Made:
        """Measure kept frames; where they are torn or were made for other data, fill anew if the method is at hand.

        InputError where it is not and the record is about another input, truth or hole than ``case`` has.
        """
        blank = self._blank(record.method, case, contents)
        what = what_changed(record, contents)
        frames = None if what else case.truth if record.method == TRUTH else kept(record)
        if frames is not None:
            return Made(self.scorer.score(record.model_copy(update=contents), frames, case))
        if record.method in self.methods:
            return self._filled(blank, case, seed, filling)
        if record.method == TRUTH and self.methods and case.truth is not None:
            return Made(self.scorer.score(blank, case.truth, case))
        if what:
            raise InputError(
                f"the {what} of {case.name!r} {'are' if what.endswith('s') else 'is'} not what {record.method} filled: "
                "the data or vibench changed; run again"
            )
        return Made(record, said=f"no frames of {record.method} on {case.name} were kept; its record stays as it is")

    def _blank(self, label: str, case: Case, contents: Contents) -> Record:
        """What is known of a record before the method has run."""
        frames, height, width = case.frames.shape[:3]
        return Record(
            run=self.run_digest,
            method=label,
            case=case.name,
            status="failed",
            frames=frames,
            height=height,
            width=width,
            hole_fraction=float(case.holes.mean()),
            attributes=dict(case.attributes),
            versions=self.versions,
            **contents,
        )

    def _not_to_be_had(self, task: Task, error: UserError) -> Iterator[Made]:
        """A record of every method that says why the case could not be made; what was kept before stays as it is."""
        failure = Failure(kind="bad-input", message=str(error))
        for label in task.fill:
            yield Made(
                Record(
                    run=self.run_digest, method=label, case=task.planned.name, status="failed", failure=failure,
                    versions=self.versions,
                )
            )  # fmt: skip
        for record in task.score:
            yield Made(record, said=f"{task.planned.name}: {error}")
