"""VINet as a method of vibench, the only module here that knows vibench."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from vibench.clip import Frames, Holed
from vibench.errors import MissingResource
from vibench.errors import UserError as BenchError
from vinet import weights as files
from vinet.config import VINetConfig
from vinet.cost import flop_per_frame, parameters
from vinet.errors import UserError
from vinet.inference import Frame, Inpainter, Mask, Options, Precision
from vinet.network.vinet import VINet

Preset = Literal["compact", "published"]
FlowSource = Literal["dis", "learned"]
Ablation = Literal["full", "no-memory", "no-recurrence", "one-neighbour", "no-flow"]
COUNTED_SIZE_PX = 256
"""Side of the square for which operations per frame are counted: the size of the paper's tables."""


class VINetMethod:
    """Fills holes with VINet; without weights of its own or of yours it refuses to be made."""

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
        warm_up: int = 0,
        precision: Precision = "float32",
        compile: bool = False,
        cuda_graphs: bool = False,
        winograd: bool = True,
        device: str | None = None,
    ) -> None:
        """Load a network.

        Args:
            weights: a `.safetensors` or a released `.pth`; None for the file that comes with the package for `preset`;
                "random" for untrained ones, which is then written into every record.
            preset: `compact`, or `published` for the architecture of the paper; by default that of a file which does not
                say what it holds, and compact otherwise.
            flow: `learned` by the network's own heads, or `dis`: OpenCV's DIS, completed in holes. By default what the file
                says, `dis` for the compact network and `learned` for the published one.
            ablation: bundled weights for the comparison of parts, all trained for as many steps from one start: without the part
                named, or with everything, `full` (docs/training.md); the switches below take a part from weights trained with it.
            double: the 512 px form of the published network, where the weights do not say what they are for.
            memory: carry the ConvLSTM's state from frame to frame; off, it is reset at every frame.
            recurrence: feed back the previous output; off, every frame is treated as a first one.
            neighbours: input frames beside the current one. Trained weights hold theirs; others need `weights=random`.
            flow_warping: off, sources are used where they are and the flow heads are dropped.
            feature_composition: off, the aggregate replaces the reference and the mask estimators are dropped.
            warm_up: frames from the start run first in reverse (30 in the published demo).
            precision: float32, or on CUDA bfloat16 or float16.
            compile: `torch.compile` behind the encoders.
            cuda_graphs: CUDA graphs of the compiled part.
            winograd: wide convolutions on a CPU by Winograd's minimal filtering; the record says how many layers it reached.
            device: where to run; the CPU if nobody says.
        """
        options = Options(recurrence, memory, warm_up, precision, compile, cuda_graphs, winograd)
        ablations = {"flow_warping": flow_warping, "feature_composition": feature_composition}
        try:
            preset = preset or ("compact" if weights in (None, "random") else "published")
            weights = _chosen(weights, ablation)
            source = flow or ("dis" if preset == "compact" else "learned")
            config = _preset(preset, source, double, neighbours)
            network, self._file = _network(config, weights, preset, source)
            if flow is not None and network.config.given_flow != (flow == "dis"):
                raise UserError(f"flow={flow} does not fit {weights}, whose network was trained for the other source")
            if neighbours not in (None, network.config.neighbours):
                raise UserError(
                    f"neighbours={neighbours} does not fit weights that were trained with {network.config.neighbours}: "
                    "train a network with fewer, or ask for weights=random"
                )
            network = ablated(network, **ablations)
            self.inpainter = Inpainter(network, device or "cpu", options)
        except UserError as error:
            raise BenchError(str(error)) from error

    def __call__(self, holed: Holed) -> Frames:
        """Fill a clip; the same computation as `stream`."""
        return np.stack(list(self.stream(holed.frames, holed.masks)))

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Fill a video frame by frame in constant memory, looking as far ahead as the farthest neighbour."""
        return self.inpainter.stream(frames, masks)

    def describe(self) -> Mapping[str, Any]:
        """Size, cost, identity of the weights, architecture and every option."""
        config = self.inpainter.config
        facts: dict[str, Any] = {
            "parameters": parameters(self.inpainter.network),
            "flop_per_frame": flop_per_frame(config, COUNTED_SIZE_PX, COUNTED_SIZE_PX),
            "flop_per_frame_size_px": COUNTED_SIZE_PX,
            "config": config.to_dict(),
            "options": dataclasses.asdict(self.inpainter.options),
            "winograd_layers": self.inpainter.winograd_layers,
        }
        if self._file is None:
            return {**facts, "weights_sha256": None, "warning": "VINet ran with random, untrained weights"}
        return {**facts, "weights_sha256": self._file.sha256, "weights_notes": self._file.notes}


def ablated(network: VINet, *, flow_warping: bool, feature_composition: bool) -> VINet:
    """The same weights without the parts that an ablation switches off; what is on stays what it was."""
    config = network.config
    smaller = dataclasses.replace(
        config,
        flow_warping=config.flow_warping and flow_warping,
        given_flow=config.given_flow and flow_warping,
        flow_encoder=config.flow_encoder and flow_warping,
        feature_composition=config.feature_composition and feature_composition,
    )
    if smaller == config:
        return network
    with torch.device("meta"):
        kept = VINet(smaller).state_dict().keys()
    tensors = network.state_dict()
    return files.build(smaller, {name: tensors[name] for name in kept}, "the ablated network")


def _chosen(weights: str | None, ablation: str | None) -> str | None:
    """The weights that were asked for, be it by the part that they were trained without."""
    if ablation is None:
        return weights
    if ablation not in get_args(Ablation):
        raise UserError(f"ablation is one of {', '.join(get_args(Ablation))}, not {ablation!r}")
    if weights is not None:
        raise UserError(f"ablation={ablation} names bundled weights: leave out weights={weights}")
    return str(files.bundled_ablation(ablation))


def _preset(preset: str, flow: str, double: bool, neighbours: int | None) -> VINetConfig:
    if preset not in ("compact", "published"):
        raise UserError(f"preset is 'compact' or 'published', not {preset!r}")
    if flow not in ("dis", "learned"):
        raise UserError(f"flow is 'dis' or 'learned', not {flow!r}")
    make = VINetConfig.compact if preset == "compact" else VINetConfig.published
    switches: dict[str, Any] = {"double": double, "given_flow": flow == "dis"}
    if neighbours is not None:
        switches["neighbours"] = neighbours
    try:
        return make(**switches)
    except ValueError as error:
        raise UserError(str(error)) from error


def _network(
    config: VINetConfig, weights: str | None, preset: str, flow: str
) -> tuple[VINet, files.WeightsFile | None]:
    if weights == "random":
        return files.random_network(config), None
    path = files.bundled(preset, flow) if weights is None else Path(weights)
    if path is None:
        raise MissingResource(
            f"no weights for the {preset} VINet with {flow} flow come with this package: give weights=FILE (`vinet convert` reads a "
            "released checkpoint, `vinet train` makes your own), or ask for untrained ones with weights=random"
        )
    return files.load(path, config)
