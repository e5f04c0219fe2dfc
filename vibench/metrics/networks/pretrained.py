"""Backbones of the size of DINOv2, SAM and CLIP: weights that a user names, in the classes of the library transformers.

Nothing is downloaded: these files have up to 4.5 GB. They are named by an option, by an environment variable, or they
lie in the cache of the hub from which transformers loads. Beside them lies ``config.json``, as the hub has it; the
network is built from it, and its weights must be those of that network, all of them and no others.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from vibench.clip import digest
from vibench.errors import MissingResource, foreign
from vibench.metric import Direction, MetricInfo
from vibench.metrics.cache import Array, kept
from vibench.metrics.networks.weights import State

CONFIG = "config.json"
MOST_CONFIG_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Published:
    """A backbone as the authors of a metric used it, and how to get it.

    ``repository`` is its name in the hub, ``variable`` the environment variable that can name its file, ``size`` and
    ``licence`` are for the reader. ``model`` and ``config`` are the names of classes of transformers. ``architecture``
    has those values of the configuration that tell the authors' network from its smaller kin. ``other_parts`` are the
    beginnings of names of tensors that the file may hold besides, such as those of CLIP's text encoder.
    """

    name: str
    repository: str
    variable: str
    size: str
    licence: str
    model: str
    config: str
    architecture: Mapping[str, int]
    other_parts: tuple[str, ...] = ()
    renamed: Callable[[State], State] = field(default=lambda state: state)

    @property
    def how_to_get(self) -> str:
        """What to do about missing weights, as the second half of a sentence."""
        return (
            f"get {self.repository} ({self.size}, {self.licence}) with `hf download {self.repository}`, or name its "
            f"model.safetensors, with its config.json beside it, by weights=FILE or ${self.variable}"
        )


@dataclass(frozen=True)
class Backbone:
    """A network with its weights. ``resources`` maps the names of its two files to their sha256."""

    published: Published
    network: Any
    resources: Mapping[str, str]
    device: str

    @cached_property
    def identity(self) -> str:
        """All that the network's features depend on, for the cache's keys."""
        return f"{' '.join(self.resources.values())} {self.device}"

    def info(self, name: str, title: str, source: str, better: Direction = "higher") -> MetricInfo:
        """Return what tables show of a metric that looks through this network and needs no truth."""
        title = f"{title} ({self.label})"
        return MetricInfo(
            name=name, title=title, unit="", better=better, has_floor=True, needs=frozenset(), source=source
        )

    @property
    def as_published(self) -> bool:
        """Whether the network has the architecture of the authors' own."""
        config = self.network.config
        return all(getattr(config, key) == value for key, value in self.published.architecture.items())

    @property
    def label(self) -> str:
        """What a table calls it: its name and the first digits of its weights' sha256."""
        weights = next(iter(self.resources.values()))[:8]
        return f"{'' if self.as_published else 'not '}{self.published.name}, {weights}"

    def kept(self, what: str, picture: NDArray[Any], shape: tuple[int, ...], compute: Callable[[], Any]) -> Array:
        """Return ``compute()``, float32 of ``shape``, from the cache where these features of ``picture`` are in it."""
        kind = self.published.name.lower().replace(" ", "-")
        return kept(kind, f"{what} {self.identity} {digest(picture)}", shape, compute)

    def seconds(self, one_pass: Callable[[], object]) -> float | None:
        """How long one pass through the network takes on this CPU, measured once; None on another device."""
        if self.device != "cpu":
            return None
        if self.identity not in _SECONDS:
            begin = time.perf_counter()
            one_pass()
            _SECONDS[self.identity] = time.perf_counter() - begin
        return _SECONDS[self.identity]


_SECONDS: dict[str, float] = {}


def load(published: Published, weights: str | None, device: str) -> Backbone:
    """Return a backbone with its weights, in evaluation mode and float32, shared by all metrics that ask for it.

    ``weights`` is the path of a safetensors file, or of a state dict that torch reads, with ``config.json`` beside it;
    without it the environment variable of the backbone and then the hub's cache are looked at. Raises MissingResource
    with one sentence where they are not there, cannot be read or do not belong together, or where transformers is not
    installed.
    """
    path = find(published, weights)
    return _loaded(published, path, device, path.stat().st_mtime_ns)


def find(published: Published, weights: str | None) -> Path:
    """Return the path of a backbone's weights; raise MissingResource with what to get where there are none."""
    named = weights or os.environ.get(published.variable)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise MissingResource(f"there is no file {str(path)!r}: {published.how_to_get}")
    else:
        cached = _in_hub_cache(published.repository)
        if cached is None:
            raise MissingResource(f"the weights of {published.name} are not on this machine: {published.how_to_get}")
        path = cached
    if not (path.parent / CONFIG).is_file():
        raise MissingResource(f"{CONFIG} is not beside {str(path)!r}: {published.how_to_get}")
    return path


def _in_hub_cache(repository: str) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = (try_to_load_from_cache(repository, name) for name in ("model.safetensors", "pytorch_model.bin"))
    return next((Path(path) for path in found if isinstance(path, str)), None)


@lru_cache(maxsize=8)
def _loaded(published: Published, path: Path, device: str, _: int) -> Backbone:
    """The backbone in a file; a file that was written since is another one."""
    transformers = library()
    with foreign(f"{str(path)!r} is no {published.name}", MissingResource):
        config_path = path.parent / CONFIG
        with quiet(transformers):
            config = _config(getattr(transformers, published.config), config_path)
            state = published.renamed(_state(path, published.other_parts))
            network = _network(getattr(transformers, published.model), config, state)
    resources = {path.name: _sha256(path), f"{path.name} {CONFIG}": _sha256(config_path)}
    return Backbone(published, network.to(device).eval(), resources, device)


def library() -> Any:
    """Return the module transformers; raise MissingResource where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise MissingResource("the Python package 'transformers' is missing: pip install 'vibench[removal]'") from error
    return transformers


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Keep the library's bars and reports off the terminal."""
    bars, level = transformers.utils.logging.is_progress_bar_enabled(), transformers.utils.logging.get_verbosity()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()


_NOT_SHAPES = frozenset({"attn_implementation", "auto_map", "dtype", "quantization_config", "torch_dtype"})


def _config(kind: Any, path: Path) -> Any:
    if path.stat().st_size > MOST_CONFIG_BYTES:
        raise MissingResource(f"{path} is larger than a configuration can be")
    values = json.loads(path.read_bytes())
    # A whole CLIP or SAM has a configuration for each of its parts.
    inside = values.get("vision_config") if kind.base_config_key == "vision_config" else None
    if inside is not None:
        values = {**inside, **{key: values[key] for key in ("projection_dim",) if key in values}}
    # These make the library fetch code or change the arithmetic; a network that is only looked through needs neither.
    plain = {key: value for key, value in values.items() if not key.startswith("_") and key not in _NOT_SHAPES}
    return kind.from_dict(plain)


def _state(path: Path, other_parts: tuple[str, ...]) -> State:
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if not name.startswith(other_parts)}  # noqa: SIM118
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return {name: tensor for name, tensor in state.items() if not name.startswith(other_parts)}


def _network(kind: Any, config: Any, state: State) -> Any:
    """The network of ``config`` with exactly the tensors of ``state``, which are counted before memory is taken."""
    with torch.device("meta"):
        wanted = sum(tensor.numel() for tensor in kind(config).parameters())
    found = sum(tensor.numel() for tensor in state.values() if tensor.is_floating_point())
    if wanted != found:
        raise MissingResource(
            f"{CONFIG} tells of {wanted:,} parameters and the file has {found:,}; get both from one place"
        )
    network, told = kind.from_pretrained(
        None,
        config=config,
        state_dict=state,
        dtype=torch.float32,
        attn_implementation="sdpa",
        output_loading_info=True,
    )
    for fault in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if told[fault]:
            raise MissingResource(f"{fault.replace('_', ' ')}: {min(map(str, told[fault]))}")
    return network


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
