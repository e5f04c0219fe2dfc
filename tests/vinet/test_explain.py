"""The picture of one step: every part of it is there, and colours mean what they say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from vinet.cli import app
from vinet.config import VINetConfig
from vinet.errors import VINetError
from vinet.explain import explain, flow_colours, principal_colours
from vinet.inference import Inpainter
from vinet.weights import random_network


def test_opposite_flows_have_other_colours_and_no_flow_is_white() -> None:
    flow = torch.zeros(2, 4, 6)
    flow[0, :, :2], flow[0, :, 4:] = 3, -3
    picture = flow_colours(flow)
    assert (picture[:, 2:4] == 255).all()
    assert np.abs(picture[0, 0].astype(int) - picture[0, 5]).max() > 100


def test_equal_features_have_equal_colours_and_different_ones_do_not() -> None:
    features = torch.zeros(8, 4, 6)
    features[3, :, 3:] = 1
    picture = principal_colours(features)
    assert len(np.unique(picture[:, :3].reshape(-1, 3), axis=0)) == 1
    assert not np.array_equal(picture[0, 0], picture[0, 5])


@pytest.mark.parametrize(
    "switches", [{}, {"given_flow": True}, {"pixel_composition": False}, {"feature_composition": False}]
)
def test_every_architecture_can_be_drawn(tmp_path: Path, switches: dict[str, bool]) -> None:
    generator = np.random.default_rng(0)
    frames = list(generator.integers(0, 256, (4, 32, 48, 3), np.uint8))
    masks = list(np.zeros((4, 32, 48), bool))
    masks[2][8:16, 8:16] = True
    inpainter = Inpainter(random_network(VINetConfig.compact(0.125, **switches)))
    explain(inpainter, frames, masks, 2, tmp_path / "step.png")
    with Image.open(tmp_path / "step.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10
    with pytest.raises(VINetError, match="frames 0 to 3"):
        explain(inpainter, frames, masks, 4, tmp_path / "step.png")


def test_the_command_draws_a_frame_of_a_video(tmp_path: Path) -> None:
    bundled = Path(__file__).parents[2] / "datasets" / "bundled" / "carphone.mp4"
    mask = np.zeros((144, 176), np.uint8)
    mask[40:80, 60:100] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = [
        "explain",
        str(bundled),
        "--mask",
        str(tmp_path / "mask.png"),
        "--frame",
        "1",
        "-o",
        str(tmp_path / "x.png"),
    ]
    assert CliRunner().invoke(app, words).exit_code == 0
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size[0] > 800
