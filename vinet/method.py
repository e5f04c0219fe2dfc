"""VINet as a method of vibench; with `vinet.cli` the only module here that knows vibench."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from vibench.clip import Frames, Holed
from vibench.errors import InputError, MissingResource
from vibench.method import windows
from vinet import both
from vinet.both import Directions
from vinet.choice import Ablation, Choice, FlowSource, Preset
from vinet.cost import flop_per_frame, parameters
from vinet.errors import translated
from vinet.inference import Frame, Inpainter, Mask, Precision, Settings
from vinet.large import Pyramid

WARM_UP = 30
"""Frames that the published demo runs in reverse first."""
OVERLAP = 12
"""So many frames on either side does a window of `directions=both` see of its neighbours."""
WINDOW_BYTES = 2 * 2**30
"""What its arrays may take; 432x240 has room for some 340 frames, 1280x720 for 48."""
PIXEL_BYTES = 60
"""Of a frame: five sources of 6 bytes, both passes and what they are made of."""
COUNTED_SIZE_PX = 256
"""Side of the square for which operations per frame are counted: the size of the paper's tables."""


class VINetMethod:
    """Fill holes with VINet, a recurrent network that aggregates neighbouring frames along optical flow (Kim 2019)."""

    stream: Callable[[Iterable[Frame], Iterable[Mask]], Iterator[Frame]]
    """Fills a video frame by frame in constant memory, looking as far ahead as the farthest neighbour and, for the
    warm-up, at the first frames. There is no such attribute with `directions=both`, but the next one."""
    stream_windows: Callable[[Iterable[Frame], Iterable[Mask]], Iterator[Frame]]
    """Fills a video in both directions: the whole clip, or windows of it where it is too long for `WINDOW_BYTES`."""

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
        directions: Directions = "forward",
        merge: str = "learned",
        warm_up: int | None = None,
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
            directions: `forward` in time, which streams; or `both`, which takes the whole clip: a pass backward, a pass
                forward that goes on where the first ended, and a merge of the two.
            merge: how both directions are merged: `learned`, by the bundled weights, from the two passes and from
                pixels followed along flow through the whole clip; the name of a file with other such weights; or
                `linear`, the two passes weighted by the frames since the end that each came from.
            warm_up: frames from the start that are first run in reverse, so that the first frames are filled as well as
                later ones; 0 for a live video. By default 30, as in the published demo; 0 with `ablation`, whose
                table was made without, with `directions=both`, which warms up on everything, and where nothing is
                carried from frame to frame.
            precision: float32, bfloat16, or on CUDA float16.
            compile: `torch.compile` behind the encoders.
            cuda_graphs: CUDA graphs of the compiled part.
            winograd: wide convolutions on a CPU by Winograd's minimal filtering; the record says in how many layers.
            device: where to run; the CPU if nobody says.
        """
        choice = Choice(weights, preset, flow, ablation, double, neighbours, flow_warping, feature_composition)
        with translated(InputError, MissingResource):
            self._merging = both.merging(directions, merge, warm_up, device or "cpu")
            network, self._file = choice.load()
            if warm_up is None:
                unwanted = self._merging is not None or ablation is not None or not (recurrence or memory)
                warm_up = 0 if unwanted else WARM_UP
            settings = Settings(recurrence, memory, warm_up, precision, compile, cuda_graphs, winograd)
            self.inpainter = Inpainter(network, device or "cpu", settings)
            self._pyramid = Pyramid(self.inpainter, halvings)
        if self._merging is None:
            self.stream = self._pyramid.stream
        else:
            self.stream_windows = self._filled_windows

    def __call__(self, holed: Holed) -> Frames:
        """Fill a clip; the same computation as that of the attribute which streams it."""
        fill = self._filled_windows if self._merging else self._pyramid.stream
        filled = np.empty_like(holed.frames)
        for t, frame in enumerate(fill(holed.frames, holed.masks)):
            filled[t] = frame
        return filled

    def _filled_windows(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        if self._merging is None:
            raise ValueError("one direction of time streams frame by frame")
        for window in windows(
            frames, masks, overlap=OVERLAP, most_bytes=WINDOW_BYTES, bytes_of=lambda mask: PIXEL_BYTES * mask.size
        ):
            filled = self._merging.fill(self._pyramid, window.frames, window.masks)
            yield from filled[window.begin : window.end]

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
            "knows": self._knows(),
        }
        if self._merging is not None:
            facts |= self._merging.describe()
            facts["flop_per_frame"] *= 2
        if self._file is None:
            return {**facts, "weights_sha256": None, "warning": "VINet ran with random, untrained weights"}
        return {**facts, "weights_sha256": self._file.sha256, "weights_notes": self._file.notes}

    def _knows(self) -> str:
        """Which frames a filled one may depend on."""
        if self._merging is not None:
            return "whole clip"
        lookahead, warm_up = self.inpainter.config.lookahead, self.inpainter.settings.warm_up
        ahead = f"{lookahead} frames ahead" if lookahead else "causal"
        return f"{ahead}, first {warm_up}" if warm_up else ahead
