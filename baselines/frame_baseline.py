"""Frame by frame: a convolutional network of VINet's parts and widths that never sees another frame.

The fair half of the comparison in the paper's tables 1 and 2 (Kim et al. 2019): the same encoder, bottleneck and
decoder, trained on the same scenes, so that what VINet gains over it is gained from other frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import InputError, MissingResource
from vinet.config import VINetConfig
from vinet.errors import translated
from vinet.network.frame_network import FrameNetwork, parameters, rounded
from vinet.weights import load_into, read

BUNDLED = Path(__file__).parent / "frame_baseline.safetensors"
MULTIPLE_PX = 8
SMALLEST_PX = 16


class FrameBaseline:
    """Fill each frame alone with a small trained network that is made of VINet's parts.

    ``weights`` is a file, None for the bundled one.
    """

    knows = "one frame"

    def __init__(self, *, weights: str | None = None, device: str = "cpu") -> None:
        path = BUNDLED if weights is None else Path(weights)
        with translated(InputError, MissingResource):
            self._file = read(path)
            network = load_into(FrameNetwork(self._file.config or VINetConfig.compact()), self._file.tensors, str(path))
        self._device = device
        self._network = network.to(device).eval().requires_grad_(False)

    def __call__(self, holed: Holed) -> Frames:
        """Fill every frame on its own."""
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    @torch.inference_mode()
    def _filled(self, frame: Frame, mask: Mask) -> Frame:
        height, width = mask.shape
        hole = torch.from_numpy(np.ascontiguousarray(mask)).to(self._device)[None, None].float()
        colours = torch.from_numpy(np.ascontiguousarray(frame)).to(self._device).permute(2, 0, 1)[None]
        bottom, right = (max(-size % MULTIPLE_PX, SMALLEST_PX - size) for size in (height, width))
        image, hole = (
            functional.pad(planes, (0, right, 0, bottom), mode="replicate")
            for planes in ((colours / 127.5 - 1) * (1 - hole), hole)
        )
        filled: Frame = rounded(self._network(image, hole))[0, :height, :width].contiguous().cpu().numpy()
        return filled

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Fill each frame as it comes."""
        for frame, mask in zip(frames, masks, strict=True):
            yield self._filled(frame, mask)

    def describe(self) -> Mapping[str, Any]:
        """Size and identity of the weights, and how they were trained."""
        return {
            "parameters": parameters(self._network),
            "weights_sha256": self._file.sha256,
            "weights_notes": self._file.notes,
        }
