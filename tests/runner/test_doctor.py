"""What an installation is said to be able to do is what it can do, and looking changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Outcome

import vibench
from vibench import plugins
from vibench.errors import MissingResource
from vibench.metrics.networks.weights import downloaded_weights

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found() -> list[vibench.Examined]:
    return vibench.examine()


def test_a_metric_is_ready_exactly_where_it_can_measure(found: list[vibench.Examined]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    ready = {one.name: one.is_there for one in found if one.part == "metric"}
    assert set(ready) == {one.name for one in vibench.list_metrics()}
    assert ready["psnr"] and vibench.measure("psnr", frames, frames)
    for name, is_ready in ready.items():
        if not is_ready and "raft" not in name and "squeeze" not in name:  # these two would be downloaded
            with pytest.raises(MissingResource):
                vibench.measure(name, frames, frames)


def test_every_method_is_there(found: list[vibench.Examined]) -> None:
    names = {one.name for one in found if one.part == "method" and one.is_there}
    assert names == set(plugins.names("methods")) and {"telea", "vinet"} <= names


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was downloaded")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    raft = next(one for one in vibench.examine() if one.name == "warping-error-raft")
    assert not raft.is_there and "is downloaded at first use" in raft.about


def test_offline_weights_are_missing_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIBENCH_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingResource, match=r"VIBENCH_OFFLINE is set; .* put that file at"):
        downloaded_weights("https://example.org/network-0123abcd.pth")


def test_what_is_missing_is_marked_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBENCH_I3D_WEIGHTS", "/nowhere/i3d.ckpt")
    text = vibench.doctor_text(vibench.examine())
    assert re.search(r"^  x VIBENCH_I3D_WEIGHTS +/nowhere/i3d.ckpt is no file$", text, re.MULTILINE)
    assert re.search(r"^  x vfid +.*i3d.ckpt", text, re.MULTILINE)
    assert re.search(r"^    psnr +ready$", text, re.MULTILINE)


def test_programs_get_json(vibench: Callable[..., Outcome]) -> None:
    status, out, _ = vibench("doctor", "--json")
    parts = {one["part"] for one in json.loads(out)}
    assert status == 0 and {"machine", "package", "cache", "variable", "encoder", "method", "metric"} <= parts


def test_the_page_names_every_variable_that_the_code_reads() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "vibench").rglob("*.py"))
    page = (ROOT / "docs" / "environment.md").read_text()
    read = re.findall(r"(?:VARIABLE = |environ\.get\()\"(VIBENCH_[A-Z0-9_]+)\"", code)
    assert set(read) == set(re.findall(r"\| `(VIBENCH_[A-Z0-9_]+)`", page))
