"""The files that a metric reads are part of what its values are told to be measured by."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from vibench.errors import MissingResource
from vibench.metrics import lpips, vfid, warping_error
from vibench.metrics.flow import sources
from vibench.metrics.networks import backbones, weights
from vibench.plugins import Spec
from vibench.runner.score import identity_of


def identity(name: str, metric: object) -> str:
    return identity_of(Spec(name), metric)  # type: ignore[arg-type]


def test_other_weights_of_the_backbone_are_another_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = lpips.alex()
    for file in weights.BUNDLED.glob("lpips-alexnet.*"):
        shutil.copy(file, tmp_path)
    from safetensors.torch import load_file, save_file

    state = load_file(tmp_path / "lpips-alexnet.safetensors")
    state["features.0.bias"] += 1e-3
    save_file(state, tmp_path / "lpips-alexnet.safetensors")
    other = weights.sha256_of(tmp_path / "lpips-alexnet.safetensors")
    card = tmp_path / "lpips-alexnet.toml"
    card.write_text(card.read_text().replace(weights.bundled_sha256("lpips-alexnet"), other))
    monkeypatch.setattr(weights, "BUNDLED", tmp_path)
    after = lpips.alex()
    assert after.resources["lpips-alexnet.safetensors"] == other
    assert identity("lpips-alex", after) != identity("lpips-alex", before)


def test_other_linear_layers_are_another_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = lpips.alex()
    (tmp_path / "alex.pth").write_bytes(b"other layers")
    monkeypatch.setattr(lpips, "packaged_file", lambda *_: tmp_path / "alex.pth")
    assert identity("lpips-alex", lpips.alex()) != identity("lpips-alex", before)


def test_every_backbone_names_the_file_that_it_reads() -> None:
    assert backbones.resources("alex") == {
        "lpips-alexnet.safetensors": weights.sha256_of(weights.BUNDLED / "lpips-alexnet.safetensors")
    }
    assert backbones.resources("vgg") == {"vgg16.ckpt": backbones.VGG_SHA256}
    assert backbones.resources("squeeze") == {"squeezenet1_1-b8a52dc0.pth": "b8a52dc0"}


def test_features_and_flow_name_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vfid, "load_i3d", lambda _: torch.nn.Identity())
    assert vfid.vfid().resources == {"i3d-kinetics-400.ckpt": vfid.WEIGHTS_SHA256}
    source = sources.FlowSource("gmflow", sources.dis_flow, True, {"flownet.pkl": sources.GMFLOW_SHA256})
    monkeypatch.setattr(sources, "gmflow", lambda _: source)
    before = warping_error.gmflow()
    assert before.resources == {"flownet.pkl": sources.GMFLOW_SHA256}
    source.resources["flownet.pkl"] = "0" * 64
    assert identity("warping-error-gmflow", warping_error.gmflow()) != identity("warping-error-gmflow", before)


@pytest.mark.parametrize(
    ("name", "file", "digits"),
    [("raft", "raft_large_C_T_SKHT_V2-ff5fadd5.pth", "ff5fadd5"), ("gmflow", "flownet.pkl", sources.GMFLOW_SHA256)],
)
def test_a_network_of_flow_names_the_weights_that_it_loads(name: str, file: str, digits: str) -> None:
    try:
        assert getattr(warping_error, name)().resources == {file: digits}
    except MissingResource as missing:
        pytest.skip(str(missing))
