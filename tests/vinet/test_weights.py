"""Weights go in through one door, which checks every key and shape and never runs what a file says."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_vinet import SHAPES, golden_weights
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from vinet import weights
from vinet.cli import app
from vinet.config import VINetConfig
from vinet.errors import VINetError


def released(path: Path, tensors: dict[str, Tensor]) -> Path:
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": values for name, values in tensors.items()}}, path)
    return path


def test_a_released_checkpoint_survives_convert_bit_for_bit(tmp_path: Path) -> None:
    checkpoint = released(tmp_path / "save_agg_rec.pth", golden_weights())
    output = tmp_path / "vinet.safetensors"
    assert CliRunner().invoke(app, ["convert", str(checkpoint), str(output)]).exit_code == 0
    network, file = weights.load(output)
    assert network.config == VINetConfig.published()
    assert list(network.state_dict()) and set(network.state_dict()) == set(SHAPES)
    assert all(torch.equal(values, file.tensors[name]) for name, values in golden_weights().items())


@pytest.mark.parametrize("double", [False, True])
def test_convert_there_and_back_again_is_the_same_bit_for_bit(tmp_path: Path, double: bool) -> None:
    ours, theirs, again = (tmp_path / name for name in ("ours.safetensors", "theirs.pth", "again.safetensors"))
    weights.save(weights.build(VINetConfig.published(double=double), golden_weights(), "golden"), ours)
    option = ["--double"] if double else []
    for words in ([ours, theirs], [*option, theirs, again]):
        assert CliRunner().invoke(app, ["convert", *map(str, words)]).exit_code == 0
    released_state = torch.load(theirs, weights_only=True)
    assert list(released_state) == ["state_dict"]
    assert {name: list(values.shape) for name, values in released_state["state_dict"].items()} == {
        f"module.{name}": shape for name, shape in SHAPES.items()
    }
    network, file = weights.load(again)
    assert network.config == VINetConfig.published(double=double)
    assert all(torch.equal(values, file.tensors[name]) for name, values in golden_weights().items())


def test_a_network_that_the_released_layout_cannot_hold_is_refused_by_what_differs(tmp_path: Path) -> None:
    weights.save(weights.random_network(VINetConfig.published(soft_argmax=True)), tmp_path / "ours.safetensors")
    result = CliRunner().invoke(app, ["convert", str(tmp_path / "ours.safetensors"), str(tmp_path / "x.pth")])
    assert isinstance(result.exception, VINetError) and "differs in soft_argmax" in str(result.exception)
    assert not (tmp_path / "x.pth").exists()


def test_convert_records_double_mode(tmp_path: Path) -> None:
    checkpoint = released(tmp_path / "save_agg_rec_512.pth", golden_weights())
    output = tmp_path / "double.safetensors"
    assert CliRunner().invoke(app, ["convert", "--double", str(checkpoint), str(output)]).exit_code == 0
    assert weights.load(output)[0].config.double


def test_every_key_that_differs_is_named(tmp_path: Path) -> None:
    tensors = golden_weights()
    tensors["decoder.dc7.weight"] = tensors.pop("decoder.dc6.weight")
    tensors["encoder1.ec0.conv.weight"] = torch.zeros(64, 4, 3, 3)
    tensors["convlstm.Gates.bias"][5] = torch.nan
    with pytest.raises(VINetError) as refusal:
        weights.load(released(tmp_path / "other.pth", tensors))
    assert "decoder.dc6.weight is missing" in str(refusal.value)
    assert "decoder.dc7.weight is unknown" in str(refusal.value)
    assert "encoder1.ec0.conv.weight is [64, 4, 3, 3], not [64, 5, 3, 3]" in str(refusal.value)
    assert "convlstm.Gates.bias holds values that are not finite" in str(refusal.value)


class Hostile:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    victim = tmp_path / "made_by_pickle"
    torch.save({"state_dict": {"module.x": Hostile(victim)}}, tmp_path / "hostile.pth")
    with pytest.raises(VINetError, match="refused"):
        weights.load(tmp_path / "hostile.pth")
    assert not victim.exists()


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\xff" * 64])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_something_else_is_refused_in_one_sentence(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(content)
    with pytest.raises(VINetError, match="noise"):
        weights.load(path)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": [1, 2, 3]}, tmp_path / "list.pth")
    with pytest.raises(VINetError, match="no dictionary of names and tensors"):
        weights.load(tmp_path / "list.pth")


@pytest.mark.parametrize(
    "header",
    [
        "[]",
        "3",
        "{",
        '{"width": 2}',
        '{"stride": "3"}',
        '{"channels": [1, 2]}',
        '{"neighbours": true}',
        '{"double": 1}',
    ],
)
def test_a_header_that_describes_no_network_is_refused(tmp_path: Path, header: str) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata={weights.CONFIG_KEY: header})
    with pytest.raises(VINetError, match="describes no network"):
        weights.load(tmp_path / "odd.safetensors")


def test_a_header_that_asks_for_terabytes_costs_nothing(tmp_path: Path) -> None:
    fields = {**VINetConfig.compact().to_dict(), "channels": [8, 16, 24, 2**20]}
    save_file({"x": torch.zeros(1)}, tmp_path / "huge.safetensors", metadata={weights.CONFIG_KEY: json.dumps(fields)})
    with pytest.raises(VINetError, match="does not fit"):
        weights.load(tmp_path / "huge.safetensors")


@pytest.mark.parametrize("switch", ["double", "given_flow", "shared_encoder"])
def test_configuration_and_notes_survive_a_file(tmp_path: Path, switch: str) -> None:
    config = VINetConfig.compact(0.125, **{switch: True})
    network = weights.random_network(config)
    weights.save(network, tmp_path / "mine.safetensors", {"steps": "500"})
    again, file = weights.load(tmp_path / "mine.safetensors")
    assert again.config == config
    assert file.notes == {"steps": "500"}
    assert all(torch.equal(again.state_dict()[name], values) for name, values in network.state_dict().items())


def test_random_weights_are_the_same_every_time_and_leave_the_callers_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = (weights.random_network(VINetConfig.compact(0.125)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(before, torch.random.get_rng_state())
