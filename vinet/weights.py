"""Weights from a file into a network: every key and every shape checked, nothing in the file is ever run."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vinet.config import VINetConfig
from vinet.errors import VINetError
from vinet.files import replacing
from vinet.network.vinet import VINet

CONFIG_KEY = "vinet_config"
"""Entry of a safetensors header that holds the configuration as JSON."""
BUNDLED = Path(__file__).parent / "bundled"
NAMED_AT_MOST = 8
SHOWN_CHARACTERS = 300
"""An error shows so much of what a decoder says."""

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class WeightsFile:
    """What a file holds, not yet held against a network."""

    tensors: dict[str, Tensor]
    config: VINetConfig | None
    """None in a released checkpoint, which does not say what it is for."""
    notes: dict[str, str]
    """The rest of the header: how the weights were trained."""
    sha256: str


def load(path: Path, config: VINetConfig | None = None) -> tuple[VINet, WeightsFile]:
    """A network with the weights of a `.safetensors` or of a released `.pth`.

    `config` speaks only where the file itself does not; without either it is the published network. Raises VINetError
    for a file that cannot be read, that wants to run code, or whose keys, shapes or values do not fit.
    """
    file = read(path)
    return build(file.config or config or VINetConfig.published(), file.tensors, str(path)), file


def build(config: VINetConfig, tensors: Mapping[str, Tensor], origin: str) -> VINet:
    """A network of `config` made of `tensors`; VINetError as in `load_into`."""
    # A header may ask for any size: compare shapes before memory is taken.
    with _reading(f"{origin} describes no network that can be made"), torch.device("meta"):
        network = VINet(config)
    return load_into(network, tensors, origin)


def load_into(network: Network, tensors: Mapping[str, Tensor], origin: str) -> Network:
    """Make `tensors` the parameters of `network`; VINetError names those that are missing, unknown or unfit."""
    expected = {name: tuple(values.shape) for name, values in network.state_dict().items()}
    faults = [f"{name} is missing" for name in expected.keys() - tensors.keys()]
    faults += [f"{name} is unknown" for name in tensors.keys() - expected.keys()]
    for name in expected.keys() & tensors.keys():
        if tuple(tensors[name].shape) != expected[name]:
            faults.append(f"{name} is {list(tensors[name].shape)}, not {list(expected[name])}")
        elif not (tensors[name].is_floating_point() and bool(tensors[name].isfinite().all())):
            faults.append(f"{name} holds values that are not finite numbers")
    if faults:
        named, more = "; ".join(sorted(faults)[:NAMED_AT_MOST]), len(faults) - NAMED_AT_MOST
        raise VINetError(f"{origin} does not fit this network: {named}{f'; and {more} more' if more > 0 else ''}")
    network.load_state_dict({name: tensors[name].float() for name in expected}, assign=True)
    return network


def read(path: Path) -> WeightsFile:
    """Tensors and header of a weights file, `module.` prefixes removed; raises VINetError."""
    if not os.path.isfile(path):
        raise VINetError(f"there is no weights file {path}")
    safetensors = path.suffix == ".safetensors"
    fault = "is not a whole safetensors file" if safetensors else "is refused, as it is no plain checkpoint of tensors"
    with _reading(f"{path} {fault}"):
        tensors, header = _read_safetensors(path) if safetensors else _read_checkpoint(path)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): values for name, values in tensors.items()}
    config = _config(header.pop(CONFIG_KEY), path) if CONFIG_KEY in header else None
    return WeightsFile(tensors, config, header, digest)


def save(network: nn.Module, path: Path, notes: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file whose header holds `notes` and the configuration."""
    tensors = {name: values.detach().cpu().contiguous() for name, values in network.state_dict().items()}
    header = dict(notes or {})
    if isinstance(config := getattr(network, "config", None), VINetConfig):
        header[CONFIG_KEY] = json.dumps(config.to_dict())
    save_file(tensors, path, metadata=header)


def save_released(network: VINet, path: Path) -> None:
    """Write a checkpoint as the authors released theirs: `state_dict`, its names prefixed with `module.`.

    VINetError where the network has parts that the released one lacks, or lacks some.
    """
    config = network.config
    released = VINetConfig.published(double=config.double)
    differing = [name for name, value in config.to_dict().items() if value != released.to_dict()[name]]
    if differing:
        raise VINetError(
            f"the released layout holds the published network alone, and this one differs in {', '.join(differing)}"
        )
    state = {f"module.{name}": values.detach().cpu().clone() for name, values in network.state_dict().items()}
    with replacing(path) as temporary:
        torch.save({"state_dict": state}, temporary)


def bundled(preset: str, flow: str) -> Path | None:
    """The weights that came with this package for `preset` with learned or given (DIS) `flow`, where there are any."""
    path = BUNDLED / f"{preset}-{flow}-flow.safetensors"
    return path if path.is_file() else None


def bundled_ablation(name: str) -> Path:
    """The bundled compact weights that were trained without a part, such as `no-memory`, or with all parts (`full`)."""
    return BUNDLED / "ablations" / f"compact-{name}.safetensors"


def random_network(config: VINetConfig) -> VINet:
    """Untrained weights, the same every time, without touching the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VINet(config)


@contextmanager
def _reading(beginning: str) -> Iterator[None]:
    """Turn whatever a decoder of damaged bytes raises into a VINetError of one line: `beginning`, colon, reason."""
    try:
        yield
    except (VINetError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a panic of a library written in Rust is no Exception
        lines = str(error).splitlines() or [""]
        reason = "".join(letter for letter in lines[0][:SHOWN_CHARACTERS] if letter.isprintable())
        raise VINetError(f"{beginning}: {reason or type(error).__name__}") from error


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:  # it holds the header against the size of the file first
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118


def _read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        # torch itself packs nothing, so that only a bomb unpacks to much more than it takes.
        if unpacked > 2 * path.stat().st_size + 2**20:
            raise VINetError(f"{path} is refused: it says that it unpacks to {unpacked} bytes")
    content: Any = torch.load(path, map_location="cpu", weights_only=True)
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    plain = isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(values, Tensor) for name, values in state.items()
    )
    if not plain:
        raise VINetError(f"{path} holds no dictionary of names and tensors, neither at the top nor under 'state_dict'")
    return dict(state), {}


def _config(text: str, path: Path) -> VINetConfig:
    with _reading(f"the header of {path} describes no network"):
        return VINetConfig.from_dict({**json.loads(text)})
