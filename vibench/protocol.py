"""A protocol: every decision behind a number, as a versioned TOML file that is never edited.

A change of meaning is a new version, and results of different protocols or versions are not compared. The fields below
are the five decisions that papers rarely state (polarity and dilation of the hole, resize filter, compositing,
quantisation, averaging order), and the data, holes and metrics that they apply to.
"""

from __future__ import annotations

import glob
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from vibench.clip import Frames
from vibench.document import Frozen, read_toml
from vibench.errors import InputError
from vibench.files.server import url_of
from vibench.plugins.definitions import definitions

FOLDER = Path(__file__).parent / "protocols"

NAME = r"^[a-z0-9][a-z0-9-]*$"
"""What a name may look like: small letters, digits and hyphens."""

Sees = Literal["holed", "everything"]
"""What a method may see of a case: frames whose holes are cut to 0, or the frames as they are."""


class Data(Frozen):
    """Which clips are used: those of a data set, of one ``split`` of it, or only the ``clips`` that are named.

    ``dataset`` is a name that ``vibench list datasets`` shows. Of each clip only the first ``frames`` are used, or all
    where that is None. ``sparse`` says what becomes of a clip of which only some frames have silhouettes:
    ``annotated`` uses these frames only, and ``nearest`` gives every frame the silhouettes of the nearest one that has
    some (the earlier of two). Where it is not set, such a clip is refused. ``masks`` is a folder of masks, found by the
    clips' names, that are the silhouettes of their objects instead of those that the data set has, if any.
    """

    dataset: str = Field(description="a name that `vibench list datasets` prints, or folder:PATH, pairs:PATH")
    split: str | None = Field(
        default=None, description="a part of the data set that its card names", examples=["validation"]
    )
    clips: tuple[str, ...] = Field(default=(), description="only the clips of these names", examples=[["cats"]])
    frames: int | None = Field(default=None, ge=1, description="only so many first frames of each clip", examples=[40])
    sparse: Literal["annotated", "nearest"] | None = Field(
        default=None,
        description="what becomes of clips with masks in some frames only: annotated or nearest",
        examples=["nearest"],
    )
    masks: str | None = Field(
        default=None, description="a folder of masks of your own, by the clips' names", examples=["masks"]
    )


class Resize(Frozen):
    """The size of the frames in pixels and the filter that makes it; masks always take the nearest pixel."""

    width_px: int = Field(ge=16, le=8192, description="the width of all frames in pixels")
    height_px: int = Field(ge=16, le=8192, description="the height of all frames in pixels")
    filter: Literal["area", "pillow-bicubic", "opencv-bilinear", "pillow-lanczos"] = Field(
        description="the filter that resizes frames; masks take the nearest pixel"
    )


class Given(Frozen):
    """The mask that a method is given in the place of the true hole, in which it is scored.

    ``how`` says what became of the mask: ``eroded`` or ``dilated`` by a 3x3 cross so many ``px`` times; ``shifted`` by
    ``px`` in one direction, which the case's seed draws; ``box``, its bounding rectangle in each frame; ``late``, that
    of so many ``frames`` earlier (the first one before there is any); ``missing`` in a ``share`` of the frames, which
    the case's seed draws. What a method is not told of stays in its input.
    """

    how: Literal["eroded", "dilated", "shifted", "box", "late", "missing"] = Field(
        description="what became of the mask"
    )
    px: int | None = Field(default=None, ge=1, le=256, description="by how many pixels it is eroded, dilated, shifted")
    frames: int | None = Field(default=None, ge=1, description="by how many frames it is late")
    share: float | None = Field(default=None, gt=0, lt=1, description="in which share of the frames it is missing")

    @model_validator(mode="after")
    def _measured(self) -> Given:
        measures = {"eroded": "px", "dilated": "px", "shifted": "px", "late": "frames", "missing": "share"}
        needed = measures.get(self.how)
        for name in ("px", "frames", "share"):
            if (getattr(self, name) is not None) != (name == needed):
                raise ValueError(f'a mask that is "{self.how}" needs ' + (f'"{needed}" and no other number'
                                 if needed else "no number"))  # fmt: skip
        return self


class Holes(Frozen):
    """One kind of hole that is cut into every clip; each clip, kind and repeat is one case.

    ``source`` says where the masks (True inside the hole) come from: ``generator`` draws them from the case's seed
    with the mask generator named by ``generator`` and its ``options``; ``objects`` takes the silhouettes of the clip's
    own objects; ``other-objects`` takes those of another clip of the data set, fitted to this clip's size and length.
    That is the next clip, or with ``pairing = "seeded"`` one that the case's seed chooses among all others. With
    ``paste`` the other clip's object itself is pasted into the frames: it is what a method has to remove, and the truth
    is the clip as it was. ``instances`` are the numbers of the objects that count where a data set numbers them; left
    empty, all of them do, as one. After resizing, masks are dilated ``dilation_iterations`` times by a 3x3 cross, and
    after that a method may be ``given`` a worse mask.
    """

    name: str = Field(pattern=NAME, description="what cases and slices call this kind of hole")
    source: Literal["generator", "objects", "other-objects"] = Field(
        default="generator", description="a mask generator, the clip's own objects, or those of another clip"
    )
    generator: str | None = Field(
        default=None, description="a name that `vibench list masks` prints", examples=["moving-object"]
    )
    options: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="options of the generator", examples=[{"size": 0.5}]
    )
    pairing: Literal["next", "seeded"] = Field(default="next", description="which other clip gives its objects")
    paste: bool = Field(default=False, description="whether the other clip's object is pasted in, to be removed")
    instances: tuple[int, ...] = Field(
        default=(), description="only the objects of these numbers; empty: all", examples=[[1]]
    )
    dilation_iterations: int = Field(default=0, ge=0, le=64, description="how often a 3x3 cross grows the hole")
    given: Given | None = Field(
        default=None, description="a worse mask that methods get", examples=[{"how": "eroded", "px": 4}]
    )

    @model_validator(mode="after")
    def _generator_named(self) -> Holes:
        if (self.generator is None) == (self.source == "generator"):
            raise ValueError('"generator" must be named when source = "generator", and only then')
        if self.pairing != "next" and self.source != "other-objects":
            raise ValueError('"pairing" chooses among other clips, so it needs source = "other-objects"')
        if self.paste and self.source != "other-objects":
            raise ValueError('"paste" puts the object of another clip in, so it needs source = "other-objects"')
        if self.instances and self.source == "generator":
            raise ValueError('"instances" chooses among objects, so it needs source = "objects" or "other-objects"')
        return self


class Scoring(Frozen):
    """How the frames that a method returns become numbers.

    ``composite = "holes"`` takes the method's pixels inside the hole only and the input's outside it; ``none`` scores
    the frames as they were returned, and then metrics with a truth also have the region ``kept``: all that lies outside
    the hole, which a method should leave alone. With ``kept_margin_px = N`` there is also ``kept-Npx``, which is what
    lies outside the hole after it was dilated N times by a 3x3 cross. ``quantise`` says how float frames become uint8:
    ``round`` (halves away from zero) or ``truncate``. ``averaging = "clips"`` takes the mean over the frames of each
    clip and then over clips; ``frames`` takes the mean over all frames of all clips, in which long clips weigh more.
    ``metrics`` are the metrics' names.
    """

    composite: Literal["holes", "none"] = Field(
        default="holes", description="holes puts the input back outside the holes; none scores output as it comes"
    )
    quantise: Literal["round", "truncate"] = Field(default="round", description="how float frames become uint8")
    averaging: Literal["clips", "frames"] = Field(
        default="clips", description="whether every clip weighs the same in a mean, or every frame"
    )
    kept_margin_px: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="what lies further from the hole is measured by itself (composite none)",
        examples=[8],
    )
    metrics: tuple[str, ...] = Field(min_length=1, description="names that `vibench list metrics` prints")

    @model_validator(mode="after")
    def _kept_pixels_can_be_wrong(self) -> Scoring:
        if self.kept_margin_px is not None and self.composite != "none":
            raise ValueError(
                '"kept_margin_px" measures pixels that a method should keep, so it needs composite = "none"'
            )
        return self


class Protocol(Frozen):
    """All decisions behind a table of results, which a paper cites as ``name@version``.

    ``task = "restore"`` cuts holes into true frames, so that the truth is known. ``remove`` takes objects away, and
    the truth is the clip's background where the data set knows it. ``sees = "holed"`` gives a method frames whose
    holes are cut to 0; ``everything`` gives it the frames as they are, for removers that need to see the object, and is
    possible only where the input shows no truth: ``task = "remove"``, with the clip's own objects as holes or others
    pasted in. Each case is repeated ``repeats`` times with other seeds, all of which follow from ``seed``. ``headline``
    names the columns that a report shows first, and decides nothing about numbers.
    """

    name: str = Field(pattern=NAME, description="what a paper cites, together with the version")
    version: int = Field(ge=1, description="a whole number from 1, which grows with every change of meaning")
    title: str = Field(description="a few words for lists")
    description: str = Field(description="one sentence on what is measured")
    task: Literal["restore", "remove"] = Field(
        default="restore", description="restore: holes are cut into the truth; remove: an object is taken away"
    )
    sees: Sees = Field(default="holed", description="holed cuts what is inside the holes; everything shows it (remove)")
    seed: int = Field(ge=0, description="a whole number from 0, from which all that is drawn follows")
    repeats: int = Field(default=1, ge=1, le=100, description="how often each case is drawn, with other seeds")
    data: Data = Field(description="a table [data] that names the dataset")
    resize: Resize | None = Field(default=None, description="a table [resize] with width_px, height_px and filter")
    headline: tuple[str, ...] = Field(
        default=(),
        max_length=4,
        description="the few columns that a report shows first, each as metric/region",
        examples=[["psnr/hole"]],
    )
    holes: tuple[Holes, ...] = Field(min_length=1, description="one table [[holes]] or more, each a kind of hole")
    scoring: Scoring = Field(description="a table [scoring] that names the metrics")

    @model_validator(mode="after")
    def _headline_is_measured(self) -> Protocol:
        for key in self.headline:
            metric, _, region = key.partition("/")
            if metric not in self.scoring.metrics or not region:
                raise ValueError(
                    f'"headline" names columns as metric/region, of metrics that [scoring] names; {key!r} is none'
                )
        return self

    @model_validator(mode="after")
    def _no_truth_in_sight(self) -> Protocol:
        """Refuse whatever would show a method the truth behind its hole, where the hole is or where it is not told."""
        shows = {
            'sees = "everything"': self.sees == "everything",
            "given (another mask than the hole)": any(holes.given for holes in self.holes),
        }
        for field in (name for name, is_set in shows.items() if is_set):
            if self.task != "remove":
                raise ValueError(f'{field} needs task = "remove": in a task "restore" the input is the truth')
            if any(holes.source != "objects" and not holes.paste for holes in self.holes):
                raise ValueError(
                    f'{field} needs holes with source = "objects", or with paste = true: '
                    "under any other hole the input is the truth"
                )
        if self.task != "remove" and any(holes.paste for holes in self.holes):
            raise ValueError('paste = true needs task = "remove": what is pasted in is to be removed')
        return self

    @property
    def label(self) -> str:
        """The name and version, as in ``davis-object@1``."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """Sha256 of every decision behind a number.

        Title and description are left out, so that they can be corrected, and ``headline``, which only says what is
        shown first.
        """
        decisions = self.model_dump(mode="json", exclude={"title", "description", "headline"})
        parts = {"protocol": [decisions], "holes": decisions["holes"]}
        parts |= {name: [decisions[name]] for name in ("data", "scoring")}
        for part, fields in _LATER_FIELDS.items():
            for name, unset in fields.items():
                for table in parts[part]:
                    if table[name] == unset:
                        del table[name]
        return hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()

    def with_masks(self, folder: str | Path | None) -> Protocol:
        """Return this protocol with the masks in ``folder`` as silhouettes, or itself where that is None.

        Raises InputError where the holes are drawn by a generator, so that no silhouettes are used.
        """
        if folder is None:
            return self
        if all(holes.source == "generator" for holes in self.holes):
            raise InputError(
                f"--masks {folder} would have no effect: the holes of {self.label} are drawn by a generator"
            )
        return self.model_copy(update={"data": self.data.model_copy(update={"masks": url_of(folder) or str(folder)})})

    def plan(self, clips: list[str]) -> Iterator[PlannedCase]:
        """Yield every case for the named clips: for each clip every kind of hole, and for that every repeat."""
        for clip in clips:
            for holes in self.holes:
                for repeat in range(self.repeats):
                    yield PlannedCase(clip, holes, repeat, self._seed(clip, holes, repeat), self.repeats > 1)

    def _seed(self, clip: str, holes: Holes, repeat: int) -> int:
        return zlib.crc32(f"{self.seed}/{clip}/{holes.name}/{repeat}".encode())


_LATER_FIELDS: dict[str, dict[str, Any]] = {
    "protocol": {"sees": "holed"},
    "data": {"sparse": None, "masks": None},
    "holes": {"pairing": "next", "paste": False, "instances": [], "given": None},
    "scoring": {"kept_margin_px": None},
}
"""Fields that came after the first protocols, whose digests must stay: their default values do not count."""


@dataclass(frozen=True)
class PlannedCase:
    """A case before its pixels are read: its clip, its kind of hole, the number of its repeat and its seed."""

    clip: str
    holes: Holes
    repeat: int
    seed: int
    repeated: bool = False

    @property
    def name(self) -> str:
        """The name ``clip/hole``, or ``clip/hole/repeat`` where the protocol repeats its cases."""
        return f"{self.clip}/{self.holes.name}" + (f"/{self.repeat}" if self.repeated else "")


def repeat_of(case: str, repeats: int) -> int:
    """Return the number of the repeat that stands in a case's name; ``repeats`` is how many its protocol has."""
    return int(case.rpartition("/")[2]) if repeats > 1 else 0


OWN_DATA = ("folder", "pairs", "video")
"""Data sets that are a place on the user's disk, such as ``pairs:PATH``."""


def load_protocol(name_or_file: str) -> Protocol:
    """Return a protocol by ``name@version`` (or ``name`` for its newest version), or read one from a TOML file.

    Named are the protocols that come with vibench, and those that a user includes. ``folder:PATH``, ``pairs:PATH`` and
    ``video:PATH`` give ``protocol_for`` that data. Raises InputError where there is none of that name, or the file is
    not a protocol.
    """
    path = Path(name_or_file)
    if path.suffix == ".toml":
        return read_toml(path, Protocol, "protocol")
    if name_or_file.partition(":")[0] in OWN_DATA and ":" in name_or_file:
        return protocol_for(name_or_file)
    return _named(name_or_file)


def protocol_for(dataset: str) -> Protocol:
    """Return a protocol that removes the objects in data of the user's own: ``folder:``, ``pairs:`` or ``video:PATH``.

    Frames keep their size, and masks are used as they are. Output is composited. A pair has a truth to compare with;
    otherwise the metrics say how steady the fill is.
    """
    kind = dataset.partition(":")[0]
    with_truth = ("psnr", "ssim-gaussian", "lpips-alex", "warping-error-dis")
    without = ("warping-error-own-dis", "flicker-dis", "seam")
    return Protocol(
        name=kind,
        version=1,
        title=f"Object removal from {dataset}",
        description=f"The objects that the masks mark are removed from every clip of {dataset}.",
        task="remove",
        seed=0,
        data=Data(dataset=dataset),
        holes=(Holes(name="object", source="objects"),),
        scoring=Scoring(metrics=with_truth if kind == "pairs" else without),
    )


def bundled_protocols() -> list[Protocol]:
    """Return all protocols that come with vibench, sorted by name and version."""
    return _in_order(read_toml(path, Protocol, "protocol") for path in FOLDER.glob("*.toml"))


def known_protocols() -> list[Protocol]:
    """Return all protocols that can be named: those that come with vibench, and those that are included.

    Raises InputError where two of them have the same name and version, since nobody could tell their results apart.
    """
    found: dict[str, Protocol] = {protocol.label: protocol for protocol in bundled_protocols()}
    for path in definitions("protocol"):
        protocol = read_toml(path, Protocol, "protocol")
        if found.setdefault(protocol.label, protocol) is not protocol:
            raise InputError(
                f"{path} defines {protocol.label}, which there is already; a protocol that differs needs another "
                "name or version"
            )
    return _in_order(found.values())


def _in_order(protocols: Iterable[Protocol]) -> list[Protocol]:
    return sorted(protocols, key=lambda protocol: (protocol.name, protocol.version))


def _named(name: str) -> Protocol:
    """One that comes with vibench, which no other can stand in for, or else an included one."""
    files = FOLDER.glob(f"{glob.escape(name.partition('@')[0])}@*.toml")
    found = _newest(name, (read_toml(path, Protocol, "protocol") for path in files)) or _newest(name, known_protocols())
    if found is None:
        labels = ", ".join(protocol.label for protocol in known_protocols())
        raise InputError(
            f"no protocol is called {name!r}; there are {labels}; or name a .toml file, or data of your own as "
            "folder:PATH or pairs:PATH"
        )
    return found


def _newest(name: str, protocols: Iterable[Protocol]) -> Protocol | None:
    """The protocol of a label, or the newest of a name."""
    fitting = [protocol for protocol in protocols if name in (protocol.name, protocol.label)]
    return max(fitting, key=lambda protocol: protocol.version, default=None)


def quantise(frames: NDArray[Any], how: Literal["round", "truncate"]) -> Frames:
    """Turn float frames in 0..255 into uint8, rounding halves away from zero or truncating; uint8 stays as it is."""
    if frames.dtype == np.uint8:
        return frames
    clipped = np.clip(frames, 0, 255)
    # Half away from zero: numpy's own rounding goes to the even neighbour and would darken 0.5 and 2.5.
    settled: Frames = (np.floor(clipped + 0.5) if how == "round" else clipped).astype(np.uint8)
    return settled
