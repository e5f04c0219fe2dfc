"""A protocol: every decision behind a number, as a versioned TOML file that is never edited.

A change of meaning is a new version, and results of different protocols or versions are not compared. The
fields below are the five decisions that papers hide (polarity and dilation of the hole, resize filter, compositing,
quantisation, averaging order) and the data, holes and metrics they apply to.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from vibench.clip import Frames
from vibench.document import Frozen, first_fault
from vibench.errors import InputError

FOLDER = Path(__file__).parent / "protocols"


class Data(Frozen):
    """Which clips: a data set by name, a split of it, or the clips named here; only the first ``frames`` of each."""

    dataset: str
    split: str | None = None
    clips: tuple[str, ...] = ()
    frames: int | None = Field(default=None, ge=1)


class Resize(Frozen):
    """Frame size and the filter that makes it; masks are always resized by nearest neighbour."""

    width_px: int = Field(ge=16, le=8192)
    height_px: int = Field(ge=16, le=8192)
    filter: Literal["area", "pillow-bicubic", "opencv-bilinear", "pillow-lanczos"]


class Holes(Frozen):
    """One kind of hole, True = hole, cut into every clip: one case a clip and kind (and repeat).

    ``source``: ``generator`` draws seeded masks with the named generator; ``objects`` takes the clip's own object
    silhouettes; ``other-objects`` those of another clip of the data set, fitted to this one's size and length: of the
    ``next`` one, or with ``pairing = "seeded"`` of one that the case's seed draws among all others.
    ``dilation_iterations`` times a 3x3 cross is added after resizing.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    source: Literal["generator", "objects", "other-objects"] = "generator"
    generator: str | None = None
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    pairing: Literal["next", "seeded"] = "next"
    dilation_iterations: int = Field(default=0, ge=0, le=64)

    @model_validator(mode="after")
    def _generator_named(self) -> Holes:
        if (self.generator is None) == (self.source == "generator"):
            raise ValueError('"generator" must be named when source = "generator", and only then')
        if self.pairing != "next" and self.source != "other-objects":
            raise ValueError('"pairing" chooses among other clips, so it needs source = "other-objects"')
        return self


class Scoring(Frozen):
    """From a method's frames to a number.

    ``composite``: ``holes`` keeps the method's pixels in the hole only, ``none`` scores the frames as returned.
    ``quantise``: how a method's float frames become uint8, half away from zero or cut off. ``averaging``: ``clips`` is frame mean,
    then clip mean; ``frames`` is the mean over all frames of all clips, in which long clips weigh more.
    """

    composite: Literal["holes", "none"] = "holes"
    quantise: Literal["round", "truncate"] = "round"
    averaging: Literal["clips", "frames"] = "clips"
    metrics: tuple[str, ...] = Field(min_length=1)


class Protocol(Frozen):
    """What a paper would cite as ``name@version``.

    ``task``: ``restore`` cuts holes into true frames, so that the truth is known; ``remove`` takes objects away,
    and the truth is the clip's background where the data set has one.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1)
    title: str
    description: str
    task: Literal["restore", "remove"] = "restore"
    seed: int = Field(ge=0)
    repeats: int = Field(default=1, ge=1, le=100)
    data: Data
    resize: Resize | None = None
    holes: tuple[Holes, ...] = Field(min_length=1)
    scoring: Scoring

    @property
    def label(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """Sha256 of every decision; titles and descriptions are words, not decisions, and may be mended."""
        decisions = self.model_dump(mode="json", exclude={"title", "description"})
        for holes in decisions["holes"]:
            # Younger than the first protocols, whose digests must not change: counted where it says something.
            if holes["pairing"] == "next":
                del holes["pairing"]
        return hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()

    def plan(self, clips: list[str]) -> Iterator[PlannedCase]:
        """Every case for the named clips, in order."""
        for clip in clips:
            for holes in self.holes:
                for repeat in range(self.repeats):
                    yield PlannedCase(clip, holes, repeat, self._seed(clip, holes, repeat), self.repeats > 1)

    def _seed(self, clip: str, holes: Holes, repeat: int) -> int:
        return zlib.crc32(f"{self.seed}/{clip}/{holes.name}/{repeat}".encode())


@dataclass(frozen=True)
class PlannedCase:
    """A case before its pixels are read: which clip, which hole, which seed."""

    clip: str
    holes: Holes
    repeat: int
    seed: int
    repeated: bool = False

    @property
    def name(self) -> str:
        """``clip/hole``, with the number of the repeat where there are several."""
        return f"{self.clip}/{self.holes.name}" + (f"/{self.repeat}" if self.repeated else "")


def repeat_of(case: str, repeats: int) -> int:
    """The number of the repeat in the name of a case of a protocol with ``repeats``; see ``PlannedCase.name``."""
    return int(case.rpartition("/")[2]) if repeats > 1 else 0


def load_protocol(name_or_file: str) -> Protocol:
    """A bundled protocol by ``name@version`` (or ``name`` for its newest version), or one from a TOML file."""
    path = Path(name_or_file)
    if path.suffix != ".toml":
        path = _bundled_file(name_or_file)
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Protocol.model_validate(content)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"there is no protocol file {str(path)!r}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"protocol {str(path)!r} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise InputError(f"protocol {str(path)!r}: {first_fault(error)}") from error


def bundled_protocols() -> list[Protocol]:
    """All protocols that come with vibench, by name and version."""
    found = [load_protocol(str(path)) for path in FOLDER.glob("*.toml")]
    return sorted(found, key=lambda protocol: (protocol.name, protocol.version))


def quantise(frames: NDArray[Any], how: Literal["round", "truncate"]) -> Frames:
    """Frames in 0..255 of any float type as uint8; uint8 passes unchanged."""
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
