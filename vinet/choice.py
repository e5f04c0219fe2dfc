"""Which network a user asks for, by a preset, by weights, or by the part that it shall lack."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from vinet import weights as files
from vinet.config import VINetConfig
from vinet.errors import MissingWeights, VINetError
from vinet.network.vinet import VINet

Preset = Literal["compact", "published"]
FlowSource = Literal["dis", "learned"]
Ablation = Literal["full", "no-memory", "no-recurrence", "one-neighbour", "no-flow"]


@dataclass(frozen=True)
class Choice:
    """The options of the method `vinet` that say which network is made; None leaves a choice to the others."""

    weights: str | None = None
    """A weights file, `random` for untrained ones, or None for those that come with the package."""
    preset: Preset | None = None
    """None: that of a weights file which does not say what it holds (published), and compact otherwise."""
    flow: FlowSource | None = None
    """None: what the weights file says, or `dis` for the compact preset and `learned` for the published one."""
    ablation: Ablation | None = None
    """Bundled weights that were trained without the part named, or with all parts."""
    double: bool = False
    """The 512 px form of the published network."""
    neighbours: int | None = None
    """Input frames beside the current one; None for what the weights were trained with."""
    flow_warping: bool = True
    """False takes flow out of trained weights."""
    feature_composition: bool = True
    """False takes the mask estimators out of trained weights."""

    def load(self) -> tuple[VINet, files.WeightsFile | None]:
        """The network and the file that its weights are from, None for random ones.

        Raises VINetError for options that are unknown or do not fit each other or the file, and MissingWeights where no
        weights of that kind come with the package.
        """
        preset = self.preset or ("compact" if self.weights in (None, "random") else "published")
        file = self._file()
        flow = self.flow or ("dis" if preset == "compact" else "learned")
        config = _preset(preset, flow, self.double, self.neighbours)
        network, read = _network(config, file, preset, flow)
        if self.flow is not None and network.config.given_flow != (self.flow == "dis"):
            raise VINetError(f"flow={self.flow} does not fit {file}, whose network was trained for the other source")
        if self.neighbours not in (None, network.config.neighbours):
            raise VINetError(
                f"neighbours={self.neighbours} does not fit weights that were trained with "
                f"{network.config.neighbours}: train a network with fewer, or ask for weights=random"
            )
        return ablated(network, flow_warping=self.flow_warping, feature_composition=self.feature_composition), read

    def _file(self) -> str | None:
        """The weights that were asked for, be it by the part that they were trained without."""
        if self.ablation is None:
            return self.weights
        if self.ablation not in get_args(Ablation):
            raise VINetError(f"ablation is one of {', '.join(get_args(Ablation))}, not {self.ablation!r}")
        if self.weights is not None:
            raise VINetError(f"ablation={self.ablation} names bundled weights: leave out weights={self.weights}")
        return str(files.bundled_ablation(self.ablation))


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


def _preset(preset: str, flow: str, double: bool, neighbours: int | None) -> VINetConfig:
    """The configuration of a preset; VINetError for a preset, a flow or a number of neighbours that there is not."""
    if preset not in get_args(Preset):
        raise VINetError(f"preset is 'compact' or 'published', not {preset!r}")
    if flow not in get_args(FlowSource):
        raise VINetError(f"flow is 'dis' or 'learned', not {flow!r}")
    make = VINetConfig.compact if preset == "compact" else VINetConfig.published
    switches: dict[str, Any] = {"double": double, "given_flow": flow == "dis"}
    if neighbours is not None:
        switches["neighbours"] = neighbours
    try:
        return make(**switches)
    except ValueError as error:
        raise VINetError(str(error)) from error


def _network(
    config: VINetConfig, weights: str | None, preset: str, flow: str
) -> tuple[VINet, files.WeightsFile | None]:
    """A network with random, bundled or named weights; `config` speaks where a file does not say what it is for."""
    if weights == "random":
        return files.random_network(config), None
    path = files.bundled(preset, flow) if weights is None else Path(weights)
    if path is None:
        raise MissingWeights(
            f"no weights for the {preset} VINet with {flow} flow come with this package: give weights=FILE "
            "(`vinet convert` reads a released checkpoint, `vinet train` makes your own), or ask for untrained ones "
            "with weights=random"
        )
    return files.load(path, config)
