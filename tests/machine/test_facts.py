"""When times of two runs may stand beside each other: one rule for the table and for the comparison."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from small_run import record, run_info, timing

from vibench.machine.facts import differing_facts, fingerprint
from vibench.report.numbers import footnotes
from vibench.results.comparison import SPEED_KEY, compare_methods
from vibench.results.record import Record, RunInfo
from vibench.results.records import Records
from vibench.results.results import Results, gather
from vibench.results.table import tabulate

HERE = {
    "processor": "made up",
    "cores": 2,
    "accelerators": [],
    "torch_threads": 1,
    "python": "3.11.7",
    "memory_bytes": 8,
}


class FakeRun:
    def __init__(self, info: RunInfo, records: list[Record]) -> None:
        self.info, self._records = info, records

    def records(self) -> Records:
        return Records.of(self._records)


def side_by_side(there: Mapping[str, object]) -> Results:
    runs = []
    for digest, method, machine in (("d1" * 32, "old", HERE), ("d2" * 32, "new", there)):
        info = run_info([method], ["x", "y"], digest=digest, machine=machine)
        scores = {"psnr": {"frame": [20.0]}}
        runs.append(FakeRun(info, [record(info, method, case, scores, timing=timing(1.0, 10)) for case in info.cases]))
    (results,) = gather(runs)
    return results


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({}, ()),
        ({"processor": "another"}, ("processor",)),
        ({"torch_threads": 2, "accelerators": ["a GPU"]}, ("accelerators", "torch_threads")),
        ({"python": "3.13.1"}, ("python",)),
        ({"clock": "a fact that the other page lacks"}, ("clock",)),
    ],
)
def test_table_and_comparison_refuse_the_same_pairs_and_name_what_differs(
    changed: dict[str, object], named: tuple[str, ...]
) -> None:
    results = side_by_side({**HERE, **changed})
    assert differing_facts(run.machine for run in results.runs) == named
    said = [note for note in footnotes(tabulate(results)) if note.startswith("Times are from different machines")]
    (speed,) = (
        finding for finding in compare_methods(results, "old", "new", 0.01).findings if finding.key == SPEED_KEY
    )
    assert bool(said) == bool(named) == (speed.verdict == "incomparable")
    for text in [*said, *([speed.reason] if named else [])]:
        assert ", ".join(named) in text


def test_one_machine_differs_in_nothing() -> None:
    assert differing_facts([]) == differing_facts([HERE]) == differing_facts([HERE, dict(HERE), HERE]) == ()


def test_a_third_machine_is_seen() -> None:
    assert differing_facts([HERE, HERE, {**HERE, "cores": 4}]) == ("cores",)


def test_a_kept_baseline_outlives_an_update_of_the_system_and_no_other_processor() -> None:
    assert fingerprint(HERE) == fingerprint({**HERE, "python": "3.13.1"})
    assert fingerprint(HERE) != fingerprint({**HERE, "processor": "another"})
