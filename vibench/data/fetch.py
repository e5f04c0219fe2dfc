"""Downloads a data set's archive where it has a direct address, checks its sha256 and unpacks it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from vibench.data.check import whereabouts
from vibench.data.dataset import Card
from vibench.errors import InputError, MissingResource


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
    try:
        with zipfile.ZipFile(archive) as content:
            content.extractall(data)  # zipfile itself keeps every name inside the folder
            return [data / name for name in content.namelist() if not name.endswith("/")]
    except zipfile.BadZipFile as error:
        raise InputError(f"{archive} is not a zip archive; unpack it by hand") from error
