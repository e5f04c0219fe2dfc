"""A metric of other people is foreign code too: what it does is a reason or is undone, and moves no other number."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from listening import Silent
from written_module import written_module

from vibench.errors import InputError, UserError
from vibench.plugins import Spec
from vibench.protocol import Protocol
from vibench.results.record import Record
from vibench.runner.order import Order
from vibench.runner.run import carry_out

MODULE = """
import os, sys
from vibench.metric import MetricInfo, Series

class Unsayable(Exception):
    def __str__(self):
        raise RuntimeError("no words")

class Metric:
    name, said = "foreign", "t"

    @property
    def info(self):
        return MetricInfo(name=self.name, title=self.said, unit="", better="higher", needs=frozenset())

    def measure(self, frames, case):
        self.do(frames, case)
        return {"frame": Series.of([1.0] * len(frames))}

class Exits(Metric):
    def do(self, frames, case): sys.exit(0)

class Base(Metric):
    def do(self, frames, case): raise BaseException("bare")

class Speechless(Metric):
    def do(self, frames, case): raise Unsayable

class Writes(Metric):
    def do(self, frames, case):
        frames[:] = case.truth
        case.truth[:] = 7
        case.frames[:] = 9
        case.holes[:] = True

class Nothing(Metric):
    def measure(self, frames, case): return {}

class Steers(Metric):
    def measure(self, frames, case): return {"fr\\x1b[31mame": Series.of([1.0])}

class Dies(Metric):
    def do(self, frames, case): os.kill(os.getpid(), 9)

class NoInfo:
    def measure(self, frames, case): return {}

class NumberAsInfo(NoInfo):
    info = 3

class SteeringName(Metric):
    name = "a\\x1b[31m"

class OtherDirection(NoInfo):
    info = MetricInfo(name="x", title="x", unit="", better="best")

class Mended(Metric):
    def do(self, frames, case): raise ValueError("not yet")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return written_module("metrics", MODULE, tmp_path, monkeypatch)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    holes = [{"name": name, "generator": "stationary-square"} for name in ("a", "b")]
    protocol = Protocol.model_validate(
        {
            "name": "tiny", "version": 1, "title": "Tiny", "description": "For tests.", "seed": 3,
            "data": {"dataset": "bundled", "clips": ["carphone"], "frames": 5},
            "resize": {"width_px": 64, "height_px": 48, "filter": "area"},
            "holes": holes, "scoring": {"metrics": ["psnr"]},
        }
    )  # fmt: skip
    return Order(protocol, (Spec("telea"),), ("psnr",), tmp_path / "out")


def measured(order: Order, *metrics: str) -> list[Record]:
    return carry_out(replace(order, metrics=metrics), Silent()).records()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Exits", "it failed: SystemExit: 0"),
        ("Base", "it failed: BaseException: bare"),
        ("Speechless", "it failed: Unsayable: (it cannot say what)"),
        ("Nothing", "it gave no region"),
    ],
)
def test_what_a_metric_raises_is_a_reason_and_the_others_are_measured(
    order: Order, module: str, name: str, reason: str
) -> None:
    for record in measured(order, f"{module}:{name}", "psnr"):
        assert record.status == "scored" and record.unavailable == {"foreign": reason} and "psnr" in record.metrics


def test_a_metric_that_writes_on_what_it_measures_moves_no_number(order: Order, module: str, tmp_path: Path) -> None:
    alone = measured(order, "psnr")
    beside = measured(replace(order, output=tmp_path / "beside"), f"{module}:Writes", "psnr")
    assert [record.metrics["psnr"] for record in beside] == [record.metrics["psnr"] for record in alone]
    assert [record.output_sha256 for record in beside] == [record.output_sha256 for record in alone]
    assert all(record.metrics["foreign"]["frame"] == (1.0,) * 5 for record in beside)


def test_a_region_cannot_steer_a_terminal(order: Order, module: str) -> None:
    assert [[*record.metrics["foreign"]] for record in measured(order, f"{module}:Steers")] == [["fr\\x1b[31mame"]] * 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("NoInfo", "makes no metric"),
        ("NumberAsInfo", "makes no metric"),
        ("SteeringName", "steers a terminal"),
        ("OtherDirection", "cannot be used: better can be 'higher' or 'lower'"),
    ],
)
def test_a_metric_that_no_table_could_show_is_refused_before_anything_is_measured(
    order: Order, module: str, name: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        measured(order, f"{module}:{name}", "psnr")
    assert not (order.output).exists()


def test_a_metric_that_was_mended_is_asked_again(order: Order, module: str, tmp_path: Path) -> None:
    """The reason why there is no value belongs to the code that failed, as a value belongs to the code that gave it."""
    file, asked = tmp_path / f"{module}.py", f"{module}:Mended"
    assert all(record.unavailable == {"foreign": "it failed: ValueError: not yet"} for record in measured(order, asked))
    listener = Silent()
    carry_out(replace(order, metrics=(asked,)), listener)
    assert listener.remaining == 0  # nothing is tried again that fails in the same way
    file.write_text(file.read_text().replace('raise ValueError("not yet")', "pass"))
    importlib.reload(sys.modules[module])
    for record in measured(order, asked):
        assert record.unavailable == {} and record.metrics["foreign"]["frame"] == (1.0,) * 5


def test_a_metric_that_ends_its_process_is_one_sentence_and_what_is_finished_is_kept(order: Order, module: str) -> None:
    with pytest.raises(UserError, match="one of the processes that work side by side has died") as raised:
        measured(replace(order, jobs=2), f"{module}:Dies")
    assert "\n" not in str(raised.value)
    assert len(measured(replace(order, jobs=2), "psnr")) == 2
