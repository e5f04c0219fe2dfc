"""Holes filled with a smooth continuation of what surrounds them: colours that an encoder can start from, instead of 0."""

import torch
from torch import Tensor
from torch.nn import functional


def continued(image: Tensor, mask: Tensor) -> Tensor:
    """Image (B, 3, H, W), any float dtype, its pixels under `mask` (B, 1, H, W), 1 = hole, replaced; the rest stays as it is.

    Pull-push (Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4): means of known pixels over ever larger squares, and back
    from the largest to the smallest, each giving what the smaller ones lack. All 0 where nothing is known.
    """
    colours, weights = [image.float() * (1 - mask.float())], [1 - mask.float()]
    with torch.autocast(image.device.type, enabled=False):
        while max(colours[-1].shape[-2:]) > 1:
            sums, counts = _halved(colours[-1] * weights[-1]), _halved(weights[-1])
            colours.append(sums / counts.clamp(min=1e-6))
            weights.append((4 * counts).clamp(max=1))  # one known pixel of four is enough
        whole = colours[-1]
        for colour, weight in zip(colours[-2::-1], weights[-2::-1], strict=True):
            larger = functional.interpolate(whole, size=colour.shape[-2:], mode="bilinear", align_corners=False)
            whole = weight * colour + (1 - weight) * larger
    return whole.to(image.dtype)


def _halved(plane: Tensor) -> Tensor:
    return functional.avg_pool2d(plane, 2, ceil_mode=True, count_include_pad=False)
