"""A recipe: which network, which data, and the stages that train it, read from TOML and checked before anything runs."""

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from vinet.config import VINetConfig
from vinet.errors import VINetError

BUNDLED = Path(__file__).parents[1] / "recipes"
WEIGHTS = ("l1", "ssim", "hole", "decoded", "flow", "warping", "steady", "perceptual", "style", "endpoint")
"""Loss terms that a stage can weigh; `vinet.training.losses` says what each is."""

Kind = Literal["flow", "body", "joint", "unrolled"]
Record = TypeVar("Record")


@dataclass(frozen=True)
class NetworkRecipe:
    """The network that is trained, and what it starts from."""

    kind: str = "vinet"
    """`vinet`, or `frame`: the network of the method `frame_baseline`."""
    preset: str = "compact"
    width: float = 0.25
    """Of the published channels; the published preset has 1."""
    switches: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `VINetConfig` that differ from the preset."""
    start: tuple[str, ...] = ()
    """Weights files whose tensors of the same name and shape are taken over, a later file's rather than an earlier one's; all others are
    drawn from the seed. Of an aggregation over more sources the slices of those that stay are taken, and a flow encoder that no file
    holds starts as the body's. A single name will do."""

    def config(self) -> VINetConfig:
        """The configuration; of a frame network the compact one whose widths it shares."""
        try:
            switches = VINetConfig.from_dict(dict(self.switches)).to_dict() if self.switches else {}
            chosen = {name: tuple(v) if isinstance(v := switches[name], list) else v for name in self.switches}
            if self.preset == "published":
                return VINetConfig.published(**chosen)
            return VINetConfig.compact(self.width, **chosen)
        except ValueError as error:
            raise VINetError(f"the recipe's network cannot be: {error}") from error


@dataclass(frozen=True)
class DataRecipe:
    """Where frames come from. Folders are relative to the working directory."""

    photos: str = ""
    """Folder of photos for synthetic clips with exact flow."""
    clips: str = ""
    """Folder of videos; empty for none."""
    clip_share: float = 0.0
    """Part of the steps that see real clips (flow: DIS, computed once and kept)."""
    validation_clips: tuple[str, ...] = ()
    """Stems of the videos that are never trained on."""
    cache: str = "runs/cache"
    vgg16: str = ""
    """State dict of torchvision's `vgg16` for the terms `perceptual` and `style`; empty: downloaded by torchvision."""


@dataclass(frozen=True)
class Stage:
    """One stage: what is trained, for how long, on what."""

    name: str
    kind: Kind
    steps: int
    crop_px: int = 96
    batch: int = 8
    learning_rate: float = 1e-3
    final_rate: float = 0.01
    """Of the first rate, where the cosine ends."""
    warm_up: int = 0
    """Steps over which the rate grows from nothing."""
    weights: Mapping[str, float] = field(default_factory=dict)
    sources: int = 2
    """Random sources per scene of a flow stage."""
    targets: int = 1
    """Consecutive frames filled per scene; more than one only in unrolled stages."""
    lead: int = 0
    """Frames filled before the targets of an unrolled stage, without a gradient: the targets then see outputs that have been
    through the recurrence as often as those in the middle of a clip."""
    frozen: tuple[str, ...] = ()
    """Beginnings of the names of parameters that this stage leaves alone: `flow` for heads and their own encoder."""
    longest_lead: int = 0
    """Above 0, scenes are clips from their first frame on: sources before it are reflected, as in inference, and how many frames
    come before the targets is drawn anew for each step, from `lead` to this, small numbers more often than large ones."""
    motion_px: tuple[float, ...] = (2.0, 2.0)
    """Fastest camera and object motion per frame at the first and at the middle step; constant after that."""
    given: str = "exact"
    """Flow fed to a network with given_flow: `exact`, or `dis` as inference computes it."""

    @property
    def asks_for_texture(self) -> bool:
        """Whether a term of this stage looks through VGG-16."""
        return bool(self.weights.get("perceptual") or self.weights.get("style"))


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights."""

    name: str
    stages: tuple[Stage, ...]
    network: NetworkRecipe = NetworkRecipe()
    data: DataRecipe = DataRecipe()
    seed: int = 0
    precision: str = "auto"
    """`float32`, `bfloat16` (autocast), or `auto`: bfloat16 on CUDA alone. CPUs with bfloat16 instructions gain a third."""
    ema: float = 0.999
    clip_norm: float = 1.0
    validate_every: int = 200
    validation_batches: int = 4
    checkpoint_seconds: float = 60.0

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON knows it."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain

    def digest(self, stages: int) -> str:
        """What a checkpoint in the last of the first `stages` must agree with: later ones may still be changed or added.

        How often a checkpoint is written and where the cache and VGG-16 lie change no number.
        """
        fields = self.to_dict()
        del fields["checkpoint_seconds"], fields["data"]["cache"], fields["data"]["vgg16"], fields["stages"][stages:]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def read(recipe: str, settings: Sequence[str] = ()) -> Recipe:
    """A recipe from a file, or a bundled one by name, with `key=value` settings applied; VINetError for what is wrong."""
    path = Path(recipe)
    if path.suffix != ".toml":
        path = BUNDLED / f"{recipe}.toml"
        if not path.is_file():
            names = ", ".join(sorted(file.stem for file in BUNDLED.glob("*.toml")))
            raise VINetError(f"there is no bundled recipe {recipe!r}: name one of {names}, or a .toml file")
    if not path.is_file():
        raise VINetError(f"there is no recipe {path}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VINetError(f"{path} is not TOML: {error}") from error
    for setting in settings:
        _set(values, setting)
    return parse({"name": path.stem, **values})


def parse(values: Mapping[str, Any]) -> Recipe:
    """The recipe that a TOML document describes; VINetError names the field that cannot be."""
    tables = dict(values)
    stages = tables.pop("stages", [])
    if not isinstance(stages, list) or not stages or not all(isinstance(stage, dict) for stage in stages):
        raise VINetError("a recipe needs at least one [[stages]] table")
    network = _record(NetworkRecipe, tables.pop("network", {}), "network")
    data = _record(DataRecipe, tables.pop("data", {}), "data")
    read_stages = tuple(_record(Stage, stage, f"stages.{stage.get('name', i)}") for i, stage in enumerate(stages))
    recipe = _record(Recipe, {**tables, "stages": read_stages, "network": network, "data": data}, "recipe")
    _check(recipe)
    return recipe


def _record(kind: type[Record], values: Mapping[str, Any], where: str) -> Record:
    """`values` as a frozen record, every name and type checked against the record's own defaults."""
    if not isinstance(values, Mapping):
        raise VINetError(f"{where} must be a table, not {values!r}")
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name not in fields:
            raise VINetError(f"{where} has no field {name!r}; it has {', '.join(fields)}")
        wanted = _type(fields[name])
        value = tuple(value) if isinstance(value, list) else value
        if wanted is tuple and isinstance(value, str):
            value = (value,)
        if wanted is float and type(value) is int:
            value = float(value)
        if not isinstance(value, wanted) or (type(value) is bool and wanted is not bool):
            raise VINetError(f"{where}.{name} must be {_NAMES.get(wanted, wanted.__name__)}, not {value!r}")
        arguments[name] = value
    missing = [n for n, f in fields.items() if n not in arguments and _required(f)]
    if missing:
        raise VINetError(f"{where} lacks {', '.join(missing)}")
    return kind(**arguments)


_NAMES = {int: "a whole number", float: "a number", str: "text", tuple: "a list", Mapping: "a table"}
_REQUIRED = {"name": str, "kind": str, "steps": int, "stages": tuple}


def _required(entry: "dataclasses.Field[Any]") -> bool:
    return entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING


def _type(entry: "dataclasses.Field[Any]") -> type:
    if entry.default_factory is not dataclasses.MISSING:
        return Mapping
    return _REQUIRED[entry.name] if _required(entry) else type(entry.default)


def _check(recipe: Recipe) -> None:
    """Values that no type can catch."""
    network = recipe.network
    if network.kind not in ("vinet", "frame") or network.preset not in ("compact", "published"):
        raise VINetError(
            f"network is kind 'vinet' or 'frame', preset 'compact' or 'published', not {network.kind!r}, {network.preset!r}"
        )
    if not 0 <= recipe.ema < 1:
        raise VINetError(f"ema must be at least 0 and below 1, not {recipe.ema}")
    if recipe.precision not in ("auto", "float32", "bfloat16"):
        raise VINetError(f"precision is auto, float32 or bfloat16, not {recipe.precision!r}")
    for name in ("clip_norm", "validate_every", "validation_batches", "checkpoint_seconds"):
        if not getattr(recipe, name) > 0:
            raise VINetError(f"{name} must be above 0, not {getattr(recipe, name)}")
    if not 0 <= recipe.data.clip_share <= 1:
        raise VINetError(f"data.clip_share must be from 0 to 1, not {recipe.data.clip_share}")
    if len({stage.name for stage in recipe.stages}) < len(recipe.stages):
        raise VINetError("two stages have the same name")
    config = network.config()
    for stage in recipe.stages:
        _check_stage(stage, network.kind, config)


def _check_stage(stage: Stage, network: str, config: VINetConfig) -> None:
    where = f"stages.{stage.name}"
    if stage.kind not in ("flow", "body", "joint", "unrolled"):
        raise VINetError(f"{where}.kind is flow, body, joint or unrolled, not {stage.kind!r}")
    if network == "frame" and stage.kind != "body":
        raise VINetError(f"{where}: a frame network is trained in body stages, not in {stage.kind!r}")
    if stage.kind in ("flow", "joint") and not config.has_flow_heads:
        raise VINetError(f"{where}: a {stage.kind} stage trains flow heads, and this network has none")
    if stage.kind == "unrolled" and stage.targets < 2:
        raise VINetError(f"{where}: an unrolled stage needs at least 2 targets, not {stage.targets}")
    if stage.kind != "unrolled" and stage.targets != 1:
        raise VINetError(f"{where}.targets is 1 in all but unrolled stages, not {stage.targets}")
    if stage.lead < 0 or (stage.lead and stage.kind != "unrolled"):
        raise VINetError(f"{where}.lead is 0 in all but unrolled stages and never below, not {stage.lead}")
    if stage.longest_lead and (stage.kind != "unrolled" or stage.longest_lead < stage.lead):
        raise VINetError(
            f"{where}.longest_lead is 0 in all but unrolled stages, or at least lead={stage.lead}, not {stage.longest_lead}"
        )
    if stage.given not in ("exact", "dis"):
        raise VINetError(f"{where}.given is 'exact' or 'dis', not {stage.given!r}")
    least = 2 * config.size_multiple
    if stage.crop_px < least or stage.crop_px % config.size_multiple:
        raise VINetError(
            f"{where}.crop_px must be a multiple of {config.size_multiple} from {least} up, not {stage.crop_px}"
        )
    for name in ("steps", "batch", "learning_rate", "sources"):
        if not getattr(stage, name) > 0:
            raise VINetError(f"{where}.{name} must be above 0, not {getattr(stage, name)}")
    if len(stage.motion_px) != 2 or not all(isinstance(v, int | float) and 0 <= v <= 16 for v in stage.motion_px):
        raise VINetError(f"{where}.motion_px is two numbers from 0 to 16, not {list(stage.motion_px)}")
    if not 0 <= stage.final_rate <= 1 or stage.warm_up < 0:
        raise VINetError(f"{where} needs final_rate from 0 to 1 and warm_up from 0 up")
    needed = ("endpoint",) if stage.kind == "flow" else ("l1", "ssim", "hole")
    if stage.weights and not any(stage.weights.get(name) for name in needed):
        raise VINetError(f"{where}.weights must weigh {' or '.join(needed)}, or the stage has nothing to learn from")
    for name, weight in stage.weights.items():
        if name not in WEIGHTS or not isinstance(weight, int | float) or weight < 0:
            raise VINetError(f"{where}.weights has {name}={weight!r}; it weighs {', '.join(WEIGHTS)} by 0 or more")


def _set(values: dict[str, Any], setting: str) -> None:
    """Apply `seed=3`, `data.photos="folder"`, `stages.flow.steps=2` or `stages.*.batch=1` to a TOML document."""
    key, equals, text = setting.partition("=")
    if not equals:
        raise VINetError(f"a setting is key=value, not {setting!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # unquoted text
    *path, last = key.split(".")
    if path[:1] == ["stages"] and len(path) == 2:
        tables = [s for s in values.get("stages", []) if path[1] in ("*", s.get("name"))]
        if not tables:
            raise VINetError(f"the recipe has no stage {path[1]!r}")
    else:
        table = values
        for name in path:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise VINetError(f"{setting!r} names no table of a recipe")
        tables = [table]
    for table in tables:
        table[last] = value
