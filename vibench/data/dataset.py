"""A data set by name: its card says what it holds, its layout where the files are; clips are read one at a time."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from vibench.clip import Clip
from vibench.document import Frozen
from vibench.errors import InputError
from vibench.files import bundled

Layout = Literal["bundled", "davis", "sintel", "youtube-vos", "synthetic", "folder", "video"]


class File(Frozen):
    """A clip that travels with the package: checksums of the file and of its decoded frames, and what encoding cost."""

    path: str
    sha256: str
    frames_sha256: str
    psnr_db: float


class Card(Frozen):
    """What ``datasets/cards/NAME.toml`` says of a data set, as far as it can be said before the data is there.

    Keyed by split: ``splits`` holds clip -> number of frames; ``sizes_px`` (width, height) where all clips have one;
    ``folders`` and ``totals`` where clips lie and how many there must be, where the card does not list them. ``url`` is
    where the archive can be had directly, ``url_sha256`` its checksum where it is known.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    licence: str
    source: str
    url: str | None = None
    url_sha256: str | None = None
    layout: Layout
    default_split: str
    splits: dict[str, dict[str, int]] = Field(default_factory=dict)
    sizes_px: dict[str, tuple[int, int]] = Field(default_factory=dict)
    folders: dict[str, str] = Field(default_factory=dict)
    totals: dict[str, int] = Field(default_factory=dict)
    files: dict[str, File] = Field(default_factory=dict)

    def split(self, name: str | None) -> str:
        """``name``, or the default split; InputError where there is none of that name."""
        name = name or self.default_split
        if (known := {**self.splits, **self.folders}) and name not in known:
            raise InputError(f"data set {self.name!r} has no split {name!r}; there are {', '.join(sorted(known))}")
        return name

    def clips(self, split: str | None) -> dict[str, int]:
        """Clip names of a split (None: the default one) with their numbers of frames."""
        return self.splits[self.split(split)]


@dataclass(frozen=True)
class Dataset:
    """Clips by name. ``frame_counts`` is what the card promises, None where nobody promised anything."""

    card: Card
    frame_counts: dict[str, int | None]
    read: Callable[[str, int | None], Clip]

    def clip_names(self) -> list[str]:
        """Names in the order of the split."""
        return list(self.frame_counts)

    def load(self, name: str, limit_frames: int | None = None) -> Clip:
        """Read one clip, or its first ``limit_frames`` frames; InputError where its files are not as they should be."""
        if name not in self.frame_counts:
            close = get_close_matches(name, self.frame_counts, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {len(self.frame_counts)} others"
            raise InputError(f"data set {self.card.name!r} has no clip {name!r}; {hint}")
        return self.read(name, limit_frames)


@cache
def cards() -> list[Card]:
    """The cards of all data sets that vibench knows, sorted by name."""
    return sorted((read_card(path) for path in (bundled("datasets") / "cards").glob("*.toml")), key=lambda c: c.name)


def read_card(path: Path) -> Card:
    """Read and check one card; InputError where it is not one."""
    try:
        return Card.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a card of a data set: {error}") from error


def card_of(name: str) -> Card:
    """The card of a data set; for ``folder:PATH`` and ``video:PATH`` that of ``folder`` or ``video``."""
    kind = name.partition(":")[0]
    known = {card.name: card for card in cards()}
    if kind not in known:
        close = get_close_matches(kind, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise InputError(f"no data set is called {name!r}; {hint}")
    return known[kind]
