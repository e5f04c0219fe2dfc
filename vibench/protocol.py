"""A protocol: every decision behind a number, as a versioned TOML file that is never edited.

A change of meaning is a new version, and results of different protocols or versions are not compared. The fields below
are the five decisions that papers rarely state (polarity and dilation of the hole, resize filter, compositing,
quantisation, averaging order), and the data, holes and metrics that they apply to.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from vibench.clip import Frames
from vibench.document import Frozen, read_toml
from vibench.errors import InputError

FOLDER = Path(__file__).parent / "protocols"

Sees = Literal["holed", "everything"]
"""What a method may see of a case: frames whose holes are cut to 0, or the frames as they are."""


class Data(Frozen):
    """Which clips are used: those of a data set, of one ``split`` of it, or only the ``clips`` that are named.

    ``dataset`` is a name that ``vibench list datasets`` shows. Of each clip only the first ``frames`` are used, or all
    where that is None. ``sparse`` says what becomes of a clip of which only some frames have silhouettes:
    ``annotated`` uses these frames only, and ``nearest`` gives every frame the silhouettes of the nearest one that has
    some (the earlier of two). Where it is not set, such a clip is refused.
    """

    dataset: str
    split: str | None = None
    clips: tuple[str, ...] = ()
    frames: int | None = Field(default=None, ge=1)
    sparse: Literal["annotated", "nearest"] | None = None


class Resize(Frozen):
    """The size of the frames in pixels and the filter that makes it; masks always take the nearest pixel."""

    width_px: int = Field(ge=16, le=8192)
    height_px: int = Field(ge=16, le=8192)
    filter: Literal["area", "pillow-bicubic", "opencv-bilinear", "pillow-lanczos"]


class Given(Frozen):
    """The mask that a method is given in the place of the true hole, in which it is scored.

    ``how`` says what became of the mask: ``eroded`` or ``dilated`` by a 3x3 cross so many ``px`` times; ``shifted`` by
    ``px`` in one direction, which the case's seed draws; ``box``, its bounding rectangle in each frame; ``late``, that
    of so many ``frames`` earlier (the first one before there is any); ``missing`` in a ``share`` of the frames, which
    the case's seed draws. What a method is not told of stays in its input.
    """

    how: Literal["eroded", "dilated", "shifted", "box", "late", "missing"]
    px: int | None = Field(default=None, ge=1, le=256)
    frames: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, gt=0, lt=1)

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

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    source: Literal["generator", "objects", "other-objects"] = "generator"
    generator: str | None = None
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    pairing: Literal["next", "seeded"] = "next"
    paste: bool = False
    instances: tuple[int, ...] = ()
    dilation_iterations: int = Field(default=0, ge=0, le=64)
    given: Given | None = None

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

    composite: Literal["holes", "none"] = "holes"
    quantise: Literal["round", "truncate"] = "round"
    averaging: Literal["clips", "frames"] = "clips"
    kept_margin_px: int | None = Field(default=None, ge=1, le=256)
    metrics: tuple[str, ...] = Field(min_length=1)

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
    pasted in. Each case is repeated ``repeats`` times with other seeds, all of which follow from ``seed``.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1)
    title: str
    description: str
    task: Literal["restore", "remove"] = "restore"
    sees: Sees = "holed"
    seed: int = Field(ge=0)
    repeats: int = Field(default=1, ge=1, le=100)
    data: Data
    resize: Resize | None = None
    holes: tuple[Holes, ...] = Field(min_length=1)
    scoring: Scoring

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
        """Sha256 of every decision. Title and description are left out, so that they can be corrected."""
        decisions = self.model_dump(mode="json", exclude={"title", "description"})
        parts = {"protocol": [decisions], "holes": decisions["holes"]}
        parts |= {name: [decisions[name]] for name in ("data", "scoring")}
        for part, fields in _LATER_FIELDS.items():
            for name, unset in fields.items():
                for table in parts[part]:
                    if table[name] == unset:
                        del table[name]
        return hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()

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
    "data": {"sparse": None},
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


def load_protocol(name_or_file: str) -> Protocol:
    """Return a bundled protocol by ``name@version`` (or ``name`` for its newest version), or read one from a TOML file.

    Raises InputError where there is none of that name, or the file is not a protocol.
    """
    path = Path(name_or_file)
    return read_toml(path if path.suffix == ".toml" else _bundled_file(name_or_file), Protocol, "protocol")


def bundled_protocols() -> list[Protocol]:
    """Return all protocols that come with vibench, sorted by name and version."""
    found = [load_protocol(str(path)) for path in FOLDER.glob("*.toml")]
    return sorted(found, key=lambda protocol: (protocol.name, protocol.version))


def quantise(frames: NDArray[Any], how: Literal["round", "truncate"]) -> Frames:
    """Turn float frames in 0..255 into uint8, rounding halves away from zero or truncating; uint8 stays as it is."""
    if frames.dtype == np.uint8:
        return frames
    clipped = np.clip(frames, 0, 255)
    # Half away from zero: numpy's own rounding goes to the even neighbour and would darken 0.5 and 2.5.
    settled: Frames = (np.floor(clipped + 0.5) if how == "round" else clipped).astype(np.uint8)
    return settled


def _bundled_file(name: str) -> Path:
    protocol, _, version = name.partition("@")
    versions = sorted(FOLDER.glob("*.toml"), key=lambda path: _version(path.stem))
    candidates = [path for path in versions if path.stem.partition("@")[0] == protocol]
    if version:
        candidates = [path for path in candidates if path.stem == name]
    if not candidates:
        known = ", ".join(path.stem for path in sorted(versions)) or "none"
        raise InputError(f"no protocol is called {name!r}; there are {known}, or name a .toml file")
    return candidates[-1]


def _version(stem: str) -> int:
    number = stem.partition("@")[2]
    return int(number) if number.isdigit() else 0
