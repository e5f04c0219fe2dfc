"""Data sets by name: the card says what a data set holds, and ``Dataset`` reads its clips one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from vibench.clip import Clip
from vibench.document import Frozen, read_toml
from vibench.errors import InputError, foreign
from vibench.files import bundled
from vibench.files.mirror import fetch
from vibench.plugins.definitions import definitions

Layout = Literal["bundled", "davis", "sintel", "youtube-vos", "synthetic", "staged", "folder", "video", "pairs"]
Part = Literal["input", "truth", "masks"]


class File(Frozen):
    """A clip that travels with the package: its file, checksums of the file and of its decoded frames.

    ``psnr_db`` is the PSNR of the decoded frames against the original ones, that is, what encoding lost.
    """

    path: str
    sha256: str
    frames_sha256: str
    psnr_db: float


class Card(Frozen):
    """What ``datasets/cards/NAME.toml`` says of a data set, so that it is known before the data is there.

    ``url`` is where the archive can be downloaded directly, and ``url_sha256`` its checksum; each is None where it is
    not known. ``layout`` says which function of ``vibench.data.layouts`` reads the files. The next four tables have
    one entry per split. ``splits`` maps clips to their numbers of frames. ``sizes_px`` is (width, height) where all
    clips have the same size. Where the card does not list the clips, ``folders`` says where they lie and ``totals``
    how many there are; ``annotations`` says where their silhouettes lie, if there are any. ``parts`` is what a paired
    set calls its input, truth and masks, where that is not known. ``files`` describes the clips that travel with the
    package.
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
    annotations: dict[str, str] = Field(default_factory=dict)
    parts: dict[Part, str] = Field(default_factory=dict)
    files: dict[str, File] = Field(default_factory=dict)

    def split(self, name: str | None) -> str:
        """Return ``name``, or the default split where it is None; raise InputError where there is no such split."""
        name = name or self.default_split
        if (known := {**self.splits, **self.folders}) and name not in known:
            raise InputError(f"data set {self.name!r} has no split {name!r}; there are {', '.join(sorted(known))}")
        return name

    def clips(self, split: str | None) -> dict[str, int]:
        """Return the clips of a split, or of the default split, with their numbers of frames."""
        return self.splits[self.split(split)]


@dataclass(frozen=True)
class Dataset:
    """The clips of a data set on this disk, or in the cache where it is far away, by name.

    ``frame_counts`` maps each clip to its number of frames as the card gives it, or to None where it gives none.
    ``read`` reads a clip by its name, or its first frames where the second argument is their number. ``places`` names
    the files and the folders of files that a clip is read from; of a clip that is computed there are none.
    """

    card: Card
    frame_counts: dict[str, int | None]
    read: Callable[[str, int | None], Clip]
    places: Callable[[str], Sequence[Path]] = lambda _: ()

    def clip_names(self) -> list[str]:
        """Return the clips' names in the order of the split."""
        return list(self.frame_counts)

    def load(self, name: str, limit_frames: int | None = None) -> Clip:
        """Read one clip, or its first ``limit_frames`` frames; raise InputError where it is missing or damaged."""
        if name not in self.frame_counts:
            close = get_close_matches(name, self.frame_counts, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {len(self.frame_counts)} others"
            raise InputError(f"data set {self.card.name!r} has no clip {name!r}; {hint}")
        with foreign(f"clip {name!r} of data set {self.card.name!r} cannot be read"):
            fetch(self.places(name))
            return self.read(name, limit_frames)


@cache
def cards() -> list[Card]:
    """Return the cards of all data sets that come with vibench, sorted by name."""
    return sorted((read_card(path) for path in (bundled("datasets") / "cards").glob("*.toml")), key=lambda c: c.name)


def known_cards() -> list[Card]:
    """Return all cards that can be named, sorted: those that come with vibench, and those that are included.

    Raises InputError where two cards have the same name.
    """
    found = {card.name: card for card in cards()}
    for path in definitions("card"):
        card = read_card(path)
        if found.setdefault(card.name, card) is not card:
            raise InputError(f"{path} is the card of {card.name!r}, of which there is one already; choose another name")
    return sorted(found.values(), key=lambda card: card.name)


def read_card(path: Path) -> Card:
    """Read one card; raise InputError where the file is not one."""
    return read_toml(path, Card, "card of a data set")


def card_of(name: str) -> Card:
    """Return the card of a data set; for ``folder:PATH`` it is that of ``folder``, and so for ``video`` and ``pairs``.

    Raises InputError where no data set has that name.
    """
    kind = name.partition(":")[0]
    # None that comes with vibench can be replaced, and so others are looked for only where it is none of these.
    known = {card.name: card for card in cards()}
    if kind not in known:
        known = {card.name: card for card in known_cards()}
    if kind not in known:
        close = get_close_matches(kind, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise InputError(f"no data set is called {name!r}; {hint}")
    return known[kind]
