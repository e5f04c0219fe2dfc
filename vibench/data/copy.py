"""The copy of a data set on this disk: downloaded where it has a direct address, and compared with its card."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from vibench.clip import Clip, digest
from vibench.data.dataset import Card, Dataset, card_of
from vibench.data.layouts import masks_place, open_dataset
from vibench.data.pairs import fit_of
from vibench.data.silhouettes import with_masks
from vibench.errors import InputError, MissingResource, UserError, reading
from vibench.files import disk_errors


def fetch_dataset(
    name: str, data: str | Path, sha256: str | None = None, say: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Download the data set ``name``, unpack it into the folder ``data`` and return the unpacked files.

    ``say`` is called with a sentence about the licence before anything is downloaded. Raises InputError where no data
    set has this name; see ``fetch`` for ``sha256`` and other errors.
    """
    card = card_of(name)
    say(f"licence: {card.licence}")
    return fetch(card, Path(data), sha256)


def fetch(card: Card, data: Path, sha256: str | None = None) -> list[Path]:
    """Download the archive of a data set, unpack it into ``data`` and return the unpacked files.

    ``sha256`` is for an archive whose checksum the card does not know. Raises InputError where there is no direct
    address or no checksum, and MissingResource where the download fails or has another checksum.
    """
    import pooch

    if card.url is None:
        raise InputError(f"{card.name!r} has no direct address to download; {whereabouts(card)}")
    known = sha256 or card.url_sha256
    if known is None:
        raise InputError(
            f"nobody has yet recorded the checksum of {card.url}, and vibench downloads nothing unchecked: "
            f"give it with --sha256, or download by hand and unpack into {data}; licence: {card.licence}"
        )
    if not re.fullmatch(r"[0-9a-fA-F]{64}", known):
        raise InputError(f"--sha256 {known!r} is not a checksum; it has 64 digits from 0 to f")
    with disk_errors(data):
        data.mkdir(parents=True, exist_ok=True)
    archive = data / card.url.rpartition("/")[2]
    try:
        pooch.retrieve(card.url, known_hash=f"sha256:{known.lower()}", fname=archive.name, path=data, progressbar=False)
    except ValueError as error:
        raise MissingResource(f"what {card.url} gives has another sha256 than {known}; nothing was unpacked") from error
    except OSError as error:
        raise MissingResource(f"cannot download {card.url}: {error}; {whereabouts(card)}") from error
    return _unpacked(archive, data)


def _unpacked(archive: Path, data: Path) -> list[Path]:
    with (
        reading(archive, "is not a zip archive that can be unpacked here; unpack it by hand"),
        zipfile.ZipFile(archive) as content,
    ):
        size, room = sum(entry.file_size for entry in content.infolist()), shutil.disk_usage(data).free
        if size > room:
            raise InputError(f"{archive} unpacks to {size / 1e9:.1f} GB, and the disk of {data} has {room / 1e9:.1f}")
        content.extractall(data)  # zipfile itself keeps every name inside the folder
        return [data / name for name in content.namelist() if not name.endswith("/")]


MOST_DIFFERENCE = 12.0
"""By so many grey levels the background of a pair may differ: the noise of a camera and two encodings give some 2 to 5
levels, a shadow does not count, and two clips that have nothing to do with each other differ by some 40."""


def problems(
    data: Dataset, split: str | None, most_difference: float = MOST_DIFFERENCE
) -> Iterator[tuple[str, str | None]]:
    """Yield each clip's name and what is wrong with it, or None where nothing is.

    A clip that can be read has the right layout and number of frames, one size, and undamaged pictures; its truth and
    masks, where it has any, are as many and as large. Where the card gives sizes, numbers of frames and checksums of
    pixels, these are compared too. The background of a pair (``vibench.data.pairs.fit_of``) may differ by
    ``most_difference`` grey levels. Where the number of clips is not the card's, that comes first, under the name "".
    """
    split = data.card.split(split)
    names = data.clip_names()
    if (total := data.card.totals.get(split)) is not None and len(names) != total:
        yield "", f"there are {len(names)} clips, and {data.card.name!r} {split} has {total}"
    for name in names:
        try:
            clip = data.load(name)
        except UserError as error:
            yield name, str(error)
        else:
            yield name, _difference(data.card, split, clip) or _misfit(clip, most_difference)


def check_dataset(
    name: str,
    data: str | Path | None = None,
    split: str | None = None,
    *,
    masks: str | Path | None = None,
    most_difference: float = MOST_DIFFERENCE,
) -> Iterator[str]:
    """Compare layout, counts, sizes and checksums of a data set with its card, and the two clips of each pair.

    Yield a sentence for each clip and one for the whole; raise InputError at the end where anything was wrong. ``name``
    is one of ``list_datasets``, ``data`` the folder of the data set where it is not bundled, ``split`` the card's
    default one when left out, and ``masks`` a folder of masks of your own. ``most_difference`` is by how many grey
    levels the two clips of a pair may differ outside the mask.
    """
    dataset = open_checked(name, None if data is None else Path(data), split)
    if masks is not None:
        dataset = with_masks(dataset, masks_place(None if data is None else Path(data), masks))
    found, wrong = 0, 0
    for clip, problem in problems(dataset, split, most_difference):
        found += bool(clip)
        wrong += problem is not None
        yield f"wrong  {problem}" if problem else f"ok     {clip}"
    if wrong:
        if ":" in name:
            raise InputError(f"{wrong} of {found} clips of {name!r} cannot be used as they are")
        raise InputError(
            f"{wrong} of {found} clips or counts of {name!r} are not as its card says; {whereabouts(dataset.card)}"
        )
    yield f"{found} clips of {name!r} are " + ("sound" if ":" in name else "as its card says")


def open_checked(name: str, data: Path | None, split: str | None) -> Dataset:
    """Open a data set; where that fails, the error also says where the data is to be had and under which licence."""
    card = card_of(name)
    try:
        return open_dataset(name, data, split)
    except InputError as error:
        raise InputError(f"{error}; {whereabouts(card)}") from error


def whereabouts(card: Card) -> str:
    """Say where the data set comes from and what its licence is."""
    return f"get it from {card.url or card.source}; licence: {card.licence}"


def _misfit(clip: Clip, most_difference: float) -> str | None:
    """Why the input, truth and masks of a pair do not belong together; None where they do."""
    fit = fit_of(clip)
    if fit is None:
        return None
    if fit.outside > most_difference:
        return (
            f"clip {clip.name!r}: outside the mask its input and truth differ by {fit.outside:.1f} grey levels in "
            f"frame {fit.frame}, and {most_difference:g} are allowed: they are no pair, are shifted in time, or were "
            "lit or encoded differently"
        )
    inside, outside = fit.means
    if inside <= outside:
        return (
            f"clip {clip.name!r}: its mask does not mark what is to be removed: input and truth differ by {inside:.1f} "
            f"grey levels inside of it and by {outside:.1f} outside"
        )
    return None


def _difference(card: Card, split: str, clip: Clip) -> str | None:
    count = card.splits.get(split, {}).get(clip.name, len(clip.frames))
    if count != len(clip.frames):
        return f"clip {clip.name!r} has {len(clip.frames)} frames, and its card says {count}"
    height, width = clip.frames.shape[1:3]
    size = card.sizes_px.get(split)
    if size is not None and size != (width, height):
        return f"clip {clip.name!r} is {width}x{height} px, and its card says {size[0]}x{size[1]}"
    file = card.files.get(clip.name)
    if file is not None and digest(clip.frames) != file.frames_sha256:
        return f"clip {clip.name!r} decodes to other pixels than its card says; another version of the video library?"
    return None
