"""A recipe: network, data and the stages of a training, read from TOML and checked before anything runs."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from vinet.config import VINetConfig
from vinet.errors import VINetError

BUNDLED = Path(__file__).parents[1] / "recipes"
WEIGHTS = ("l1", "ssim", "hole", "decoded", "drawn", "flow", "warping", "steady", "perceptual", "style", "endpoint")
"""Loss terms that a stage can weigh; `vinet.training.losses` says what each is."""

LATER = ("longest_shown", "drop_output", "drop_holes", "drop_memory")
"""Fields of a stage that came after trainings had been begun: unused, they are no part of the digest."""

Kind = Literal["flow", "body", "joint", "unrolled"]


def _as_tuple(value: object) -> object:
    """A list of TOML or JSON as a tuple; a single name will do for a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = int | float
"""Not `float` alone, which would turn 1 into 1.0: a recipe's digest is over its JSON, and so told from that of
others."""


class Table(BaseModel):
    """A table of a recipe: names and types are checked; only 1 becomes 1.0 where a float is wanted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class NetworkRecipe(Table):
    """The network that is trained, and what it starts from."""

    kind: Literal["vinet", "frame"] = "vinet"
    """`vinet`, or `frame`: the network of the method `frame_baseline`."""
    preset: Literal["compact", "published"] = "compact"
    width: float = 0.25
    """Share of the published channels; the published preset has 1."""
    switches: dict[str, Any] = {}
    """Fields of `VINetConfig` that differ from the preset."""
    start: Names = ()
    """Weights files whose tensors of the same name and shape are taken over, a later file's rather than an earlier
    one's; all others are drawn from the seed. Of an aggregation over more sources the slices of those that stay are
    taken, and a flow encoder that no file holds starts as the body's. A single name will do."""

    def config(self) -> VINetConfig:
        """The configuration; that of a frame network is the compact one whose widths it shares.

        Raises VINetError where the switches make no network.
        """
        try:
            switches = VINetConfig.from_dict(dict(self.switches)).to_dict() if self.switches else {}
            chosen = {name: tuple(v) if isinstance(v := switches[name], list) else v for name in self.switches}
            if self.preset == "published":
                return VINetConfig.published(**chosen)
            return VINetConfig.compact(self.width, **chosen)
        except ValueError as error:
            raise VINetError(f"the recipe's network cannot be: {error}") from error


class DataRecipe(Table):
    """Where frames come from. Folders are relative to the working directory."""

    photos: str = ""
    """Folder of photos for synthetic clips with exact flow."""
    clips: str = ""
    """Folder of videos; empty for none."""
    clip_share: Share = 0.0
    """Share of the steps that see real clips; their flow is that of DIS, computed once and kept."""
    validation_clips: Names = ()
    """Names, without suffix, of the videos that are never trained on."""
    cache: str = "runs/cache"
    """Folder that keeps the flow of real clips."""
    vgg16: str = ""
    """State dict of torchvision's `vgg16` for the terms `perceptual` and `style`; empty: downloaded by torchvision."""


class Stage(Table):
    """One stage: what is trained, for how long, on what."""

    name: str
    kind: Kind
    steps: Annotated[int, Field(gt=0)]
    crop_px: int = 96
    batch: Annotated[int, Field(gt=0)] = 8
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    final_rate: Share = 0.01
    """Share of the first rate at which the cosine ends."""
    warm_up: Annotated[int, Field(ge=0)] = 0
    """Steps over which the rate grows from nothing."""
    weights: dict[str, Number] = {}
    """Weights of the loss terms; empty for those in `vinet.training.trainer.DEFAULT_WEIGHTS`."""
    sources: Annotated[int, Field(gt=0)] = 2
    """Random sources per scene of a flow stage."""
    targets: int = 1
    """Consecutive frames filled per scene; more than one only in unrolled stages."""
    lead: int = 0
    """Frames filled before the targets of an unrolled stage, without a gradient: the targets then see outputs that have
    been through the recurrence as often as those in the middle of a clip."""
    frozen: Names = ()
    """Beginnings of the names of parameters that this stage leaves alone: `flow` for heads and their own encoder."""
    longest_lead: int = 0
    """Above 0, scenes are clips from their first frame on, and sources before it are reflected, as in inference. How
    many frames come before the targets is then drawn anew for each step, from `lead` to this, small numbers more often
    than large ones."""
    longest_shown: Annotated[int, Field(ge=0)] = 0
    """Frames from the start of a clip that may have no hole, drawn evenly from 0 to this for each step, and filled
    before `lead`: what the holes hide was then last seen as many frames before the targets as these are led up to."""
    drop_output: Share = 0.0
    """Chance that a frame of an unrolled stage is not given the previous output; 1 trains without recurrence."""
    drop_holes: Share = 0.0
    """Chance that it is given the previous output without what had been filled in it."""
    drop_memory: Share = 0.0
    """Chance that it finds the memory empty; 1 trains as the released inference runs, which resets it each time."""
    motion_px: Annotated[tuple[Number, ...], BeforeValidator(_as_tuple)] = (2.0, 2.0)
    """Fastest camera and object motion per frame at the first and at the middle step; constant after that."""
    given: Literal["exact", "dis"] = "exact"
    """Flow fed to a network with given_flow: `exact`, or `dis` as inference computes it."""

    @property
    def asks_for_texture(self) -> bool:
        """Whether a term of this stage looks through VGG-16."""
        return bool(self.weights.get("perceptual") or self.weights.get("style"))


class Recipe(Table):
    """Everything that decides the weights."""

    name: str
    stages: Annotated[tuple[Stage, ...], BeforeValidator(_as_tuple)]
    network: NetworkRecipe = NetworkRecipe()
    data: DataRecipe = DataRecipe()
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 (autocast) on CUDA alone; CPUs with bfloat16 instructions gain a third from it."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the average of the weights, which is what a training hands out."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Longest gradient, over all parameters, that a step takes as it is."""
    validate_every: Annotated[int, Field(gt=0)] = 200
    """Steps between two validations."""
    validation_batches: Annotated[int, Field(gt=0)] = 4
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 60.0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len({stage.name for stage in self.stages}) < len(self.stages):
            raise ValueError("two stages have the same name")
        config = self.network.config()
        for stage in self.stages:
            _check_stage(stage, self.network.kind, config)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON knows it."""
        return self.model_dump(mode="json")

    def digest(self, stages: int) -> str:
        """The sha256 that a checkpoint in the last of the first `stages` must agree with.

        Later stages may still be changed or added. How often a checkpoint is written and where the cache and VGG-16 lie
        change no number and do not count.
        """
        fields = self.to_dict()
        del fields["checkpoint_seconds"], fields["data"]["cache"], fields["data"]["vgg16"], fields["stages"][stages:]
        for stage in fields["stages"]:
            for name in LATER:
                if stage[name] == Stage.model_fields[name].default:
                    del stage[name]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _check_stage(stage: Stage, network: str, config: VINetConfig) -> None:
    """Raise ValueError where fields of a stage do not fit each other or the network."""
    where = f"stages.{stage.name}"
    if network == "frame" and stage.kind != "body":
        raise ValueError(f"{where}: a frame network is trained in body stages, not in {stage.kind!r}")
    if stage.kind in ("flow", "joint") and not config.has_flow_heads:
        raise ValueError(f"{where}: a {stage.kind} stage trains flow heads, and this network has none")
    if stage.kind == "unrolled" and stage.targets < 2:
        raise ValueError(f"{where}: an unrolled stage needs at least 2 targets, not {stage.targets}")
    if stage.kind != "unrolled" and stage.targets != 1:
        raise ValueError(f"{where}.targets is 1 in all but unrolled stages, not {stage.targets}")
    if stage.lead < 0 or (stage.lead and stage.kind != "unrolled"):
        raise ValueError(f"{where}.lead is 0 in all but unrolled stages and never below, not {stage.lead}")
    longest = stage.longest_lead
    if longest and (stage.kind != "unrolled" or longest < stage.lead):
        raise ValueError(
            f"{where}.longest_lead is 0 in all but unrolled stages, or at least lead={stage.lead}, not {longest}"
        )
    for name in LATER:
        if stage.kind != "unrolled" and getattr(stage, name):
            raise ValueError(f"{where}.{name} is 0 in all but unrolled stages, not {getattr(stage, name)}")
    if stage.longest_shown and not longest:
        raise ValueError(f"{where}.longest_shown={stage.longest_shown} needs whole clips: set longest_lead too")
    if stage.drop_output + stage.drop_holes > 1:
        raise ValueError(f"{where}: drop_output and drop_holes are chances of one draw and add up to at most 1")
    multiple = config.size_multiple
    if stage.crop_px < 2 * multiple or stage.crop_px % multiple:
        raise ValueError(
            f"{where}.crop_px must be a multiple of {multiple} from {2 * multiple} up, not {stage.crop_px}"
        )
    if len(stage.motion_px) != 2 or not all(0 <= value <= 16 for value in stage.motion_px):
        raise ValueError(f"{where}.motion_px is two numbers from 0 to 16, not {list(stage.motion_px)}")
    needed = ("endpoint",) if stage.kind == "flow" else ("l1", "ssim", "hole")
    if stage.weights and not any(stage.weights.get(name) for name in needed):
        raise ValueError(f"{where}.weights must weigh {' or '.join(needed)}, or the stage has nothing to learn from")
    for name, weight in stage.weights.items():
        if name not in WEIGHTS or not weight >= 0:
            raise ValueError(f"{where}.weights has {name}={weight!r}; it weighs {', '.join(WEIGHTS)} by 0 or more")


def read(recipe: str, settings: Sequence[str] = ()) -> Recipe:
    """A recipe from a file, or a bundled one by name, with `key=value` settings applied.

    Raises VINetError for a file, a setting or a value that cannot be.
    """
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
    """The recipe that a TOML or JSON document describes; VINetError names the field that cannot be."""
    stages = values.get("stages", [])
    if not isinstance(stages, list) or not stages or not all(isinstance(stage, dict) for stage in stages):
        raise VINetError("a recipe needs at least one [[stages]] table")
    try:
        return Recipe.model_validate(dict(values))
    except ValidationError as error:
        raise VINetError(_sentence(error.errors()[0], stages)) from error


_TABLES: dict[object, type[Table]] = {"network": NetworkRecipe, "data": DataRecipe, "stages": Stage}
_TYPES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def _sentence(fault: ErrorDetails, stages: Sequence[Mapping[str, Any]]) -> str:
    """One sentence for a fault that pydantic found: which field it is, what would be right, and what was given."""
    if fault["type"] == "value_error":  # from a check of our own, which said it all
        return str(fault["ctx"]["error"])
    place = [*fault["loc"]]
    if place[-1] in ("int", "float"):  # which half of `Number` was tried first
        place.pop()
        fault["type"] = "float_type"
    *path, name = place
    table = _TABLES.get(path[0], Recipe) if path else Recipe
    if path[:1] == ["stages"]:
        path[1] = stages[int(path[1])].get("name", path[1])
    where = ".".join(map(str, path))
    if fault["type"] == "missing":
        return f"{where or 'the recipe'} lacks {name}"
    if fault["type"] == "extra_forbidden":
        return f"{where or 'the recipe'} has no field {name!r}; it has {', '.join(table.model_fields)}"
    context = fault.get("ctx", {})
    if "expected" in context:
        right = str(context["expected"]).replace("'", "")
    elif context.keys() & _BOUNDS.keys():
        limits = table.model_fields[str(name)].metadata
        bounds = [(word, getattr(limit, key, None)) for limit in limits for key, word in _BOUNDS.items()]
        right = " and ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
    else:
        right = _TYPES.get(fault["type"], fault["msg"])
    return f"{f'{where}.' if where else ''}{name} must be {right}, not {fault['input']!r}"


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
