"""The terms of texture: what they look at, what they do not, and where VGG-16 comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.models import vgg16
from torchvision.models.feature_extraction import create_feature_extractor
from training_run import photo_folder

from vinet.errors import VINetError
from vinet.training.recipe import parse
from vinet.training.texture import WINDOW_PX, Texture, around, texture
from vinet.training.trainer import train


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The convolutions of a VGG-16 with random weights."""
    torch.manual_seed(0)
    state = {name: values for name, values in vgg16(weights=None).state_dict().items() if name.startswith("features.")}
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    save_file(state, path)
    return path


@pytest.fixture(scope="module")
def eyes(file: Path) -> Texture:
    return texture(str(file))


def picture(seed: int, size: int = 32) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def square(size: int = 32) -> Tensor:
    mask = torch.zeros(2, 1, size, size)
    mask[:, :, 8:20, 10:22] = 1
    return mask


def test_maps_are_those_after_torchvision_s_first_three_poolings(eyes: Texture, file: Path) -> None:
    network = vgg16(weights=None).eval()
    network.load_state_dict(dict(network.state_dict()) | load_file(file))
    nodes = ["features.4", "features.9", "features.16"]
    oracle = create_feature_extractor(network, nodes)
    image = picture(1)
    normalised = ((image + 1) / 2 - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    with torch.no_grad():
        for found, wanted in zip(eyes.maps(image), oracle(normalised).values(), strict=True):
            torch.testing.assert_close(found, wanted)


def test_outside_the_hole_the_output_does_not_count(eyes: Texture) -> None:
    output, truth, mask = picture(1), picture(2), square()
    elsewhere = output * mask + picture(3) * (1 - mask)
    assert {n: v.item() for n, v in eyes(output, truth, mask).items()} == {
        n: v.item() for n, v in eyes(elsewhere, truth, mask).items()
    }
    assert all(v.item() > 0 for v in eyes(output, truth, mask).values())
    assert all(v.item() == 0 for v in eyes(truth * mask, truth, mask).values())


def test_gradients_reach_the_fill_and_never_vgg(eyes: Texture) -> None:
    output = picture(1).requires_grad_()
    sum(eyes(output, picture(2), square()).values()).backward()  # type: ignore[union-attr]
    assert output.grad is not None
    assert bool((output.grad * square()).abs().sum() > 0) and bool((output.grad * (1 - square())).abs().sum() == 0)
    assert all(not values.requires_grad for values in eyes.parameters())


@given(
    height=st.integers(16, 300),
    width=st.integers(16, 300),
    top=st.floats(0, 1),
    left=st.floats(0, 1),
    side=st.integers(1, 100),
)
def test_windows_lie_in_the_frame_around_the_hole_s_middle(
    height: int, width: int, top: float, left: float, side: int
) -> None:
    mask = torch.zeros(1, 1, height, width)
    y, x = int(top * (height - 1)), int(left * (width - 1))
    mask[:, :, y : y + side, x : x + side] = 1
    ((rows, columns),) = around(mask)
    assert 0 <= rows.start < rows.stop <= height and 0 <= columns.start < columns.stop <= width
    assert rows.stop - rows.start == min(WINDOW_PX, height) and columns.stop - columns.start == min(WINDOW_PX, width)
    assert mask[:, :, rows, columns].sum() == mask.sum()


def test_without_a_hole_both_terms_are_nothing(eyes: Texture) -> None:
    assert all(v.item() == 0 for v in eyes(picture(1), picture(2), torch.zeros(2, 1, 32, 32)).values())


def test_a_file_that_is_not_vgg_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VINetError, match=r"data\.vgg16=FILE"):
        texture(str(tmp_path / "missing.safetensors"))
    (tmp_path / "text.pth").write_text("not a pickle")
    with pytest.raises(VINetError, match=r"data\.vgg16=FILE"):
        texture(str(tmp_path / "text.pth"))
    torch.save({"features.0.weight": "text"}, tmp_path / "words.pth")
    with pytest.raises(VINetError, match="no state dict of torchvision's vgg16"):
        texture(str(tmp_path / "words.pth"))
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(VINetError, match="no state dict of torchvision's vgg16"):
        texture(str(tmp_path / "other.safetensors"))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (ran,)

    torch.save(Hostile(), tmp_path / "hostile.pth")
    with pytest.raises(VINetError):
        texture(str(tmp_path / "hostile.pth"))
    assert not ran.exists()


@pytest.mark.parametrize("network", ["vinet", "frame"])
def test_a_stage_that_asks_for_texture_trains(network: str, file: Path, tmp_path: Path) -> None:
    stage = {"name": "texture", "kind": "body", "steps": 2, "crop_px": 16, "batch": 1}
    recipe = parse(
        {
            "name": "small",
            "network": {"kind": network, "width": 0.0625},
            "data": {"photos": str(photo_folder(tmp_path / "photos")), "vgg16": str(file)},
            "stages": [{**stage, "weights": {"l1": 1, "perceptual": 0.1, "style": 10}}],
        }
    )
    train(recipe, tmp_path / "run")
    lines = (tmp_path / "run" / "losses.csv").read_text().splitlines()
    columns = lines[0].split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in lines[1:]]
    assert len(rows) == 2
    for row in rows:
        whole = float(row["l1"]) + 0.1 * float(row["perceptual"]) + 10 * float(row["style"])
        assert float(row["loss"]) == pytest.approx(whole, rel=1e-4) and float(row["style"]) > 0


def test_a_missing_vgg_is_told_before_the_first_step(tmp_path: Path) -> None:
    plain = {"name": "plain", "kind": "body", "steps": 2, "crop_px": 16, "batch": 1}
    recipe = parse(
        {
            "name": "small",
            "network": {"kind": "frame", "width": 0.0625},
            "data": {"photos": str(photo_folder(tmp_path / "photos")), "vgg16": str(tmp_path / "missing.pth")},
            "stages": [plain, {**plain, "name": "texture", "weights": {"l1": 1, "style": 10}}],
        }
    )
    with pytest.raises(VINetError, match=r"data\.vgg16=FILE"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / "losses.csv").exists()
