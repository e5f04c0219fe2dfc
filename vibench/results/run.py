"""A run as a person in a notebook holds it: its values as a data frame, its table, its frames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vibench.clip import Frames
from vibench.errors import InputError
from vibench.files.mirror import shown_place
from vibench.results.kept_case import KeptCase, load_case
from vibench.results.record import TRUTH, RunInfo
from vibench.results.store import Store, runs_in

if TYPE_CHECKING:
    import pandas as pd

    from vibench.results.damage import Problem
    from vibench.results.records import Records
    from vibench.results.results import Results


@dataclass(frozen=True)
class Run:
    """One run on the disk, finished or not. Its records are read when they are first asked for, and then once."""

    store: Store

    @property
    def folder(self) -> Path:
        """The folder that the run lies in."""
        return self.store.folder

    @property
    def place(self) -> str:
        """Where the run lies, as commands take it: its folder, or its URL where that folder only stands for one."""
        return shown_place(self.folder)

    @property
    def info(self) -> RunInfo:
        """The page about the run: protocol, methods, metrics, machine, versions, and how it was started."""
        return self.store.info

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of its methods with their options, such as ``vinet[memory=false]``."""
        return tuple(facts.label for facts in self.info.methods)

    @property
    def cases(self) -> tuple[str, ...]:
        """The names of its cases, such as ``blackswan/stationary``."""
        return self.info.cases

    @cached_property
    def results(self) -> Results:
        """Its records in the form that tables are made from."""
        from vibench.results.results import Results

        return Results.of(self.info, self._scanned[0])

    @cached_property
    def _scanned(self) -> tuple[Records, list[Problem]]:
        return self.store.scan()

    @cached_property
    def values(self) -> pd.DataFrame:
        """A data frame with one row for every method, case, metric and region.

        The columns are ``method``, ``case``, ``clip`` and ``hole`` (what the case is made of), ``metric``, ``region``,
        ``value`` (the mean over the clip's frames or pairs), ``weight`` (how many these are), ``unit`` and ``better``
        (``higher`` or ``lower``). The truth has rows too, where a metric gives it no perfect value. Metrics that
        compare sets of clips have no rows, since they have no value for a single case.
        """
        found, records = self.results.values.copy(), self.results.records
        texts = records.texts["attributes"]
        attributes = [json.loads(text) for text in texts.texts]
        rows = [records.row(*key) or 0 for key in zip(found["method"], found["case"], strict=True)]
        for place, name in enumerate(("clip", "hole"), start=2):
            values = [told.get(name, "") for told in attributes]
            found.insert(place, name, [values[code] for code in texts.codes[rows]])
        facts = {metric.name: metric for metric in self.info.metrics}
        for name in ("unit", "better"):
            found[name] = [getattr(facts[metric], name) for metric in found["metric"]]
        return found

    def table(self, holm: bool = False) -> pd.DataFrame:
        """Return one row for every method, metric and region.

        The columns are the mean, its 95 % interval, the number of clips, and whether it is the best or the second.
        Means are over the cases that every method with a value has. The row ``truth`` is the best that a perfect
        method could reach. ``holm`` corrects the tests behind best and second for their number.
        """
        from vibench.results.table import tabulate

        return tabulate(self.results, holm).frame()

    def frames(self, method: str, case: str) -> Frames:
        """Return what ``method`` made of ``case``, with the known pixels put back: uint8 (T, H, W, 3).

        ``method`` may also be ``truth``. Raises InputError where there is no such method or case, or where its frames
        were not kept.
        """
        self._check(method, case)
        if method == TRUTH:
            truth = self.case(case).truth
            if truth is None:
                raise InputError(f"nobody knows the truth of {case!r}")
            return truth
        found = self.store.frames(method, case)
        if found is None:
            raise InputError(f"{str(self.folder)!r} kept no sound frames of {method!r} for {case!r}")
        return found

    def case(self, case: str) -> KeptCase:
        """Return input, holes, truth and every method's frames of a case; raise InputError where they were not kept."""
        return load_case(self.folder, case)

    @property
    def failures(self) -> dict[tuple[str, str], str]:
        """The reason for every failure, by (method, case)."""
        records = self.results.records
        rows = np.flatnonzero(records.texts["failure"].codes != records.texts["failure"].place(""))
        failed = [records[row] for row in rows.tolist()]
        return {(record.method, record.case): record.failure.message for record in failed if record.failure}

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each file among its records that is torn or belongs to another run."""
        return tuple(problem.sentence for problem in self._scanned[1])

    def _check(self, method: str, case: str) -> None:
        if method not in (*self.methods, TRUTH):
            raise InputError(f"{str(self.folder)!r} has no method {method!r}; its methods: {', '.join(self.methods)}")
        if case not in self.cases:
            raise InputError(f"{str(self.folder)!r} has no case {case!r}; its cases: {', '.join(self.cases[:8])}")

    def __repr__(self) -> str:
        done = len(self._scanned[0])
        return f"Run({str(self.folder)!r}: {self.info.protocol_label}, {', '.join(self.methods)}, {done} records)"


def open_run(folder: str | Path) -> Run:
    """Open the run in ``folder``, or the only run inside it; raise InputError where there is none, or several.

    ``folder`` may also be a file that ``vibench.pack`` wrote, and a URL of either.
    """
    path = Path(folder)
    inside = runs_in(path)
    return Run(Store.open(inside[0] if len(inside) == 1 else path))
