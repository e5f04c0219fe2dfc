"""Profiles of methods whose costs are known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from regress_methods import Busy
from torch import nn
from waiting import until

from vibench.clip import Frames, Holed
from vibench.data.probe import Probe
from vibench.machine.host import Here, hosted
from vibench.plugins import Spec
from vibench.speed.flame import Call, draw, sampled
from vibench.speed.passes import network_of
from vibench.speed.profile import profile

PROBE = Probe.make(32, 24, 4).cases[0].holed()


class Two(nn.Module):
    """A convolution of 3 to 8 channels, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.there, self.back = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.never = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.back(self.there(x))


class Networked:
    def __init__(self) -> None:
        self.network = Two()

    @torch.no_grad()
    def __call__(self, holed: Holed) -> Frames:
        for frame in holed.frames:
            self.network(torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float())
        return holed.frames


def test_flop_of_a_part_is_what_is_counted_by_hand() -> None:
    found = profile(Here(Networked()), PROBE, "two")
    by_hand = 4 * 2 * 3 * 8 * 9 * 32 * 24
    flop = {part.name: (part.calls, part.flop) for part in found.parts}
    assert flop["there"] == flop["back"] == (4, by_hand)
    assert "never" not in flop
    assert found.flop == 2 * by_hand


def test_torch_names_the_operators() -> None:
    names = {operator.name for operator in profile(Here(Networked()), PROBE, "two").operators}
    assert any("conv" in name for name in names)


def test_a_profile_in_a_process_of_its_own_counts_the_same() -> None:
    with hosted(Spec(f"{__name__}:Networked"), "cpu", 1) as child:
        there = profile(child, PROBE, "two")
    here = profile(Here(Networked()), PROBE, "two")
    assert [(part.name, part.calls, part.flop) for part in sorted(there.parts, key=lambda part: part.name)] == [
        (part.name, part.calls, part.flop) for part in sorted(here.parts, key=lambda part: part.name)
    ]
    assert {one.name for one in there.operators} & {one.name for one in here.operators}


@pytest.mark.parametrize("in_process", [False, True])
def test_a_method_without_a_network_still_has_a_flame(in_process: bool) -> None:
    spec = Spec("regress_methods:Busy", {"rounds": "2000000"})  # long enough to be seen on a busy machine
    with hosted(spec, "cpu", 1, in_process=in_process) as host:
        found = profile(host, PROBE, "busy")
    assert found.parts == found.operators == ()
    assert any("burn" in line for line in found.flame.collapsed())


def test_the_network_is_found_inside_the_method() -> None:
    method = Networked()
    assert network_of(method) is method.network
    assert network_of(Busy()) is None


def test_time_is_seen_where_it_is_spent() -> None:
    with sampled("both") as root:

        def long() -> None:
            until(lambda: root.samples >= 200)

        def short() -> None:
            until(lambda: root.samples >= 210)

        long()
        short()
    samples = {call.name.partition(" ")[0].rpartition(".")[2]: call.samples for call in root.called.values()}
    assert samples["long"] > samples.get("short", 0)


def test_inner_samples_never_exceed_outer_ones() -> None:
    root = Call("root")
    for stack in (["a", "b"], ["a"], ["a", "c"], ["d"]):
        root.add(stack)
    assert root.samples == 4
    lines = sorted(root.collapsed())
    assert lines == ["root;a 1", "root;a;b 1", "root;a;c 1", "root;d 1"]
    assert Call.read("root", lines) == root


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_picture_is_written(tmp_path: Path, suffix: str) -> None:
    root = Call("root")
    root.add(["a_$b", "c"])
    draw(root, tmp_path / f"flame.{suffix}")
    assert (tmp_path / f"flame.{suffix}").stat().st_size > 1000


def test_nothing_sampled_is_still_a_picture(tmp_path: Path) -> None:
    draw(Call("root"), tmp_path / "flame.svg")


def test_the_command_prints_tables(vibench, tmp_path: Path) -> None:
    status, out, _ = vibench("profile", "telea", "--size", "48x32", "--frames", 4)
    assert status == 0
    assert "telea at 48x32" in out
    assert (tmp_path / "profile" / "telea.svg").exists()


def test_input_is_left_alone() -> None:
    before = PROBE.frames.copy()
    profile(Here(Busy(rounds=100)), PROBE, "busy")
    assert np.array_equal(before, PROBE.frames)
