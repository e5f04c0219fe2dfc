"""VINet as a method of vibench; with `vinet.cli` the only module here that knows vibench."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from vibench.clip import Frames, Holed
from vibench.errors import InputError, MissingResource
from vinet.choice import Ablation, Choice, FlowSource, Preset
from vinet.cost import flop_per_frame, parameters
from vinet.errors import translated
from vinet.inference import Frame, Inpainter, Mask, Precision, Settings
from vinet.large import Pyramid

COUNTED_SIZE_PX = 256
"""Side of the square for which operations per frame are counted: the size of the paper's tables."""


class VINetMethod:
    """Fill holes with VINet, a recurrent network that aggregates neighbouring frames along optical flow (Kim 2019)."""

    # The parameters stay a flat list because their names are the options that people type, as in `vinet[memory=false]`.
    def __init__(
        self,
        *,
        weights: str | None = None,
        preset: Preset | None = None,
        flow: FlowSource | None = None,
        ablation: Ablation | None = None,
        double: bool = False,
        memory: bool = True,
        recurrence: bool = True,
        neighbours: int | None = None,
        flow_warping: bool = True,
        feature_composition: bool = True,
        halvings: int | None = None,
        warm_up: int = 0,
        precision: Precision = "float32",
        compile: bool = False,
        cuda_graphs: bool = False,
        winograd: bool = True,
        device: str | None = None,
    ) -> None:
        """Load a network. Raises vibench's UserError for options that cannot be, and where there are no weights.

        Args:
            weights: a `.safetensors` or a released `.pth`; None for the file that comes with the package for `preset`;
                "random" for untrained ones, which is then written into every record.
            preset: `compact`, or `published` for the architecture of the paper; by default that of a file which does
                not say what it holds, and compact otherwise.
            flow: `learned` by the network's own heads, or `dis`: OpenCV's DIS, completed in holes. By default what the
                file says, `dis` for the compact network and `learned` for the published one.
            ablation: bundled weights for the comparison of parts, all trained for as many steps from one start: without
                the part named, or with everything, `full` (docs/training.md). The switches below take a part from
                weights that were trained with it.
            double: the 512 px form of the published network, where the weights do not say what they are for.
            memory: carry the ConvLSTM's state from frame to frame; off, it is reset at every frame.
            recurrence: feed back the previous output; off, every frame is treated as a first one.
            neighbours: input frames beside the current one. Trained weights hold theirs; others need `weights=random`.
            flow_warping: off, sources are used where they are and the flow heads are dropped.
            feature_composition: off, the aggregate replaces the reference and the mask estimators are dropped.
            halvings: how often frames are halved before the network fills them; each doubling refines the holes by
                pixels of other frames. By default as often as brings the shorter side to 288 px or less, near the
                size of training; never for a network that copies no pixels.
            warm_up: frames from the start run first in reverse (30 in the published demo).
            precision: float32, bfloat16, or on CUDA float16.
            compile: `torch.compile` behind the encoders.
            cuda_graphs: CUDA graphs of the compiled part.
            winograd: wide convolutions on a CPU by Winograd's minimal filtering; the record says in how many layers.
            device: where to run; the CPU if nobody says.
        """
        choice = Choice(weights, preset, flow, ablation, double, neighbours, flow_warping, feature_composition)
        settings = Settings(recurrence, memory, warm_up, precision, compile, cuda_graphs, winograd)
        with translated(InputError, MissingResource):
            network, self._file = choice.load()
            self.inpainter = Inpainter(network, device or "cpu", settings)
            self._pyramid = Pyramid(self.inpainter, halvings)

    def __call__(self, holed: Holed) -> Frames:
        """Fill a clip; the same computation as `stream`."""
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Fill a video frame by frame in constant memory, looking as far ahead as the farthest neighbour."""
        return self._pyramid.stream(frames, masks)

    def describe(self) -> Mapping[str, Any]:
        """Size, cost, identity of the weights, architecture and every option of inference, for the record."""
        config = self.inpainter.config
        facts: dict[str, Any] = {
            "parameters": parameters(self.inpainter.network),
            "flop_per_frame": flop_per_frame(config, COUNTED_SIZE_PX, COUNTED_SIZE_PX),
            "flop_per_frame_size_px": COUNTED_SIZE_PX,
            "config": config.to_dict(),
            "options": {**dataclasses.asdict(self.inpainter.settings), "halvings": self._pyramid.halvings},
            "winograd_layers": self.inpainter.winograd_layers,
        }
        if self._file is None:
            return {**facts, "weights_sha256": None, "warning": "VINet ran with random, untrained weights"}
        return {**facts, "weights_sha256": self._file.sha256, "weights_notes": self._file.notes}
