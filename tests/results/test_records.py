"""Records in columns equal the records that went in, however they are cut and put together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_run import failed, psnr_records, record, run_info, timing

from vibench.results.record import Failure, Record
from vibench.results.records import CLOCK, Records

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.lists(st.none() | st.floats(-1e300, 1e300), max_size=5).map(tuple)
TIMINGS = st.none() | st.builds(
    lambda seconds, frames, streams, device, machine: timing(seconds, frames, streams).model_copy(
        update={"peak_device_bytes": device, "machine": machine}
    ),
    st.floats(1e-3, 1e3), st.integers(1, 4), st.booleans(), st.none() | st.integers(0, 2**50), NAMES,
)  # fmt: skip
RECORDS = st.builds(
    Record,
    run=NAMES, method=st.sampled_from("abc"), case=NAMES, status=st.sampled_from(["scored", "predicted", "failed"]),
    failure=st.none() | st.builds(Failure, kind=st.just("error"), message=NAMES), frames=st.integers(0, 9),
    hole_fraction=st.floats(0, 1), input_sha256=NAMES, output_sha256=NAMES, given_sha256=NAMES,
    attributes=st.dictionaries(NAMES, NAMES | st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    metrics=st.dictionaries(st.sampled_from(["psnr", "ssim", "lpips"]), st.dictionaries(NAMES, VALUES, max_size=2)),
    measured_by=st.dictionaries(NAMES, NAMES, max_size=2), unavailable=st.dictionaries(NAMES, NAMES, max_size=2),
    versions=st.dictionaries(NAMES, NAMES, max_size=2), timing=TIMINGS, made_by=NAMES,
)  # fmt: skip


@given(st.lists(RECORDS, max_size=6))
@settings(deadline=None)
def test_what_goes_in_comes_out_and_is_written_as_the_same_bytes(records: list[Record]) -> None:
    columns = Records.of(records)
    assert len(columns) == len(records) and list(columns) == records
    # The order of metrics, regions and all else decides the bytes of a file that is written again.
    assert [each.model_dump_json() for each in columns] == [each.model_dump_json() for each in records]


@given(st.lists(RECORDS, min_size=1, max_size=6), st.data())
@settings(deadline=None)
def test_records_are_cut_and_put_together(records: list[Record], data: st.DataObject) -> None:
    columns = Records.of(records)
    order = data.draw(st.permutations(range(len(records))))
    rows = order[: data.draw(st.integers(0, len(order)))]
    import numpy as np

    assert list(columns.chosen(np.array(rows, np.int64))) == [records[row] for row in rows]
    cut = data.draw(st.integers(0, len(records)))
    parts = [columns[:cut], Records.of(records[cut:]), columns[:0]]
    assert list(Records.concatenated(parts)) == records
    assert list(Records.concatenated(parts)[::-1]) == records[::-1]


def test_records_are_found_by_method_and_case() -> None:
    info = run_info(["a", "b"], ["x", "y"])
    records = psnr_records(info, {"a": {"x": [1.0], "y": [2.0]}, "b": {"y": [3.0]}})
    columns = Records.of(records)
    assert columns.find("b", "y") == records[2] and columns.find("b", "x") is None
    assert columns.of_methods(["a"]) == records[:2] and columns.of_cases({"y"}) == records[1:]
    assert columns[-1] == records[2]
    with pytest.raises(IndexError):
        columns[3]


def test_methods_and_metrics_take_new_names() -> None:
    info = run_info(["a"], ["x"])
    one = record(info, "a", "x", {"psnr": {"hole": [1.0, None]}}, measured_by={"psnr": "c"}, timing=timing(1.0, 2))
    renamed = Records.of([one]).renamed({"a": "b"}, {"psnr": "old psnr"})
    expected: dict[str, Any] = {"method": "b", "metrics": {"old psnr": one.metrics["psnr"]}}
    assert list(renamed) == [one.model_copy(update={**expected, "measured_by": {"old psnr": "c"}})]


def test_columns_hold_what_tables_ask_for() -> None:
    info = run_info(["a"], ["x", "y"])
    one = record(info, "a", "x", {"psnr": {"hole": [1.0, None, 2.0]}}, timing=timing(3.0, 3))
    columns = Records.of([one, failed(info, "a", "y", "it fell over")])
    block = columns.blocks["psnr", "hole"]
    assert (block.rows.tolist(), block.means.tolist(), block.weights.tolist()) == ([0], [1.5], [2])
    assert not block.is_complete.any() and columns.blocks[CLOCK].of_row(1) is None
    assert columns.texts["failure"].at(1) == "error: it fell over"
    assert columns.numbers["timing.seconds"][0] == 3.0
    assert columns.doubles() == [] and Records.of([one, one]).doubles() == [[0, 1]]
