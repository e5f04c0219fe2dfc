"""A smooth continuation of a frame's known pixels into its holes, and its composition with a decoded image."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vinet.network.layers import blended, mask_layers

HIDDEN = 16
OPEN = 1.0
"""First bias of the mask: before it is trained, the continuation is nearer to the truth behind a large hole than the
decoder."""

RELAXATIONS = 2
"""Steps towards the mean of the four neighbours at every scale: more bring the colours of a hole no nearer to the
truth's."""


def continued(image: Tensor, mask: Tensor) -> Tensor:
    """Replace the pixels under a mask by a smooth continuation of the others.

    Takes an image (B, 3, H, W) of any float dtype and `mask` (B, 1, H, W), 1 = hole. Pixels outside stay as they are.

    Pull-push (Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4): means of known pixels over ever larger
    squares, and back from the largest to the smallest, each giving what the smaller ones lack, with relaxations in
    between. All 0 where nothing is known.
    """
    weights = [1 - mask.float()]
    colours = [image.float().contiguous() * weights[0]]  # pooling three channels is twice as fast plane by plane
    while max(colours[-1].shape[-2:]) > 1:
        sums, counts = _halved(colours[-1] * weights[-1]), _halved(weights[-1])
        colours.append(sums / counts.clamp(min=1e-6))
        weights.append((4 * counts).clamp(max=1))  # one known pixel of four is enough
    whole = colours[-1]
    for colour, weight in zip(colours[-2::-1], weights[-2::-1], strict=True):
        larger = functional.interpolate(whole, size=colour.shape[-2:], mode="bilinear", align_corners=False)
        whole = weight * colour + (1 - weight) * larger
        for _ in range(RELAXATIONS):
            whole = weight * colour + (1 - weight) * _mean_around(whole)
    return whole.to(image.dtype)


class SmoothComposition(nn.Module):
    """Composes the decoder's image with the continuation by a learned mask, a departure of the compact network."""

    def __init__(self) -> None:
        super().__init__()
        self.blend = mask_layers(10, HIDDEN, OPEN)

    def forward(self, decoded: Tensor, current: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compose a decoded image (B, 3, H, W) with the continuation of a holed frame (B, 3, H, W).

        The frame is 0 in its holes; `mask` is (B, 1, H, W), 1 = hole. Returns the image and the blending mask
        (B, 1, H, W), 1 = continuation.
        """
        smooth = continued(current, mask)
        seen = torch.cat([decoded, smooth, (smooth - decoded).abs(), mask], dim=1)
        share = torch.sigmoid(self.blend(seen.contiguous(memory_format=torch.channels_last)))
        return blended(decoded, smooth, share), share


def _halved(plane: Tensor) -> Tensor:
    return functional.avg_pool2d(plane, 2, ceil_mode=True, count_include_pad=False)


def _mean_around(plane: Tensor) -> Tensor:
    """Mean of the four neighbours; beyond the edge lies the edge."""
    wider = functional.pad(plane, (1, 1, 1, 1), mode="replicate")
    across = wider[..., 1:-1, 2:] + wider[..., 1:-1, :-2]
    return (across + wider[..., 2:, 1:-1] + wider[..., :-2, 1:-1]) / 4
