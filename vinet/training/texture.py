"""What VGG-16 sees of a fill: maps of features for the terms that ask for texture where the truth cannot be known."""

from pathlib import Path

import torch
from torch import Tensor, nn

from vinet import weights
from vinet.errors import VINetError
from vinet.training import losses

POOLS = (4, 9, 16)
"""Places of the first three poolings in torchvision's `features`: the maps of Liu et al. 2018."""
WINDOW_PX = 128
"""Side of the window around a hole that is looked at: what lies far from it is the truth on both sides."""
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Texture(nn.Module):
    """The terms `perceptual` and `style` of a frame whose hole is filled; its own weights are never trained.

    VGG-16, where the benchmark's LPIPS looks through AlexNet: a method is not trained on what measures it.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, output: Tensor, truth: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Both terms of images (B, 3, H, W), RGB in [-1, 1], and a mask (B, 1, H, W), 1 = hole.

        Outside the hole, `output` does not count.
        """
        composed = output * mask + truth * (1 - mask)
        pairs = torch.stack([composed, truth])  # (2, B, 3, H, W)
        windows = torch.stack([pairs[:, i, :, rows, columns] for i, (rows, columns) in enumerate(around(mask))], dim=1)
        with torch.no_grad():
            wanted = self.maps(windows[1])
        maps = self.maps(windows[0])
        return {"perceptual": losses.perceptual(maps, wanted), "style": losses.style(maps, wanted)}

    def maps(self, image: Tensor) -> list[Tensor]:
        """Features (B, C, H / n, W / n) after each of the poolings, n = 2, 4, 8, of an image in [-1, 1]."""
        x = ((image + 1) / 2 - self.mean) / self.deviation
        found = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in POOLS:
                found.append(x)
        return found


def around(mask: Tensor) -> list[tuple[slice, slice]]:
    """Of each mask (B, 1, H, W) the rows and columns of the window, inside the frame, around the middle of its hole."""
    sides = [min(WINDOW_PX, side) for side in mask.shape[-2:]]
    windows = []
    for plane in mask[:, 0]:
        middle = (plane > 0.5).nonzero().float().mean(dim=0).nan_to_num().tolist()
        starts = [
            min(max(round(at - side / 2), 0), whole - side)
            for at, side, whole in zip(middle, sides, plane.shape, strict=True)
        ]
        rows, columns = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
        windows.append((rows, columns))
    return windows


def texture(file: str) -> Texture:
    """A `Texture` with the weights in `file`, a state dict of torchvision's `vgg16`; "" downloads torchvision's."""
    from torchvision.models import vgg16

    with torch.device("meta"):  # its classifier is not looked at, and takes half a gigabyte
        features = vgg16(weights=None).features
    try:
        state = weights.read(Path(file)).tensors if file else _downloaded()
        state = {name.removeprefix("features."): v for name, v in state.items() if name.startswith("features.")}
        weights.load_into(features, state, file)
    except VINetError as error:
        raise VINetError(
            f"data.vgg16={file!r} is no state dict of torchvision's vgg16, which `perceptual` and `style` look "
            f"through: {error}; name one with --set data.vgg16=FILE"
        ) from error
    return Texture(features[: POOLS[-1] + 1])


def _downloaded() -> dict[str, Tensor]:
    from torchvision.models import VGG16_Weights

    try:
        return dict(VGG16_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True))
    except (OSError, RuntimeError) as error:
        raise VINetError(f"torchvision's could not be downloaded: {error}") from error
