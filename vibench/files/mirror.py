"""A mirror: a folder of the cache that stands for a folder at a URL. All other code works on it as on any folder.

::

    <cache>/remote/<key of the URL>/
        url                     the URL
        listing.jsonl           what the server had when it was last asked, and what came and went since
        NAME/...                the files, under the last name of the URL

A file that nobody has needed yet is a placeholder: it has its name and its size, takes no room, and its time is 0. Its
content is zeros, which no reader takes for a picture, a video, an array or a record. ``fetch`` makes it real, whole and
of the size that the server said. Files are kept by URL, size and version (an ETag, or what else the server has): one
that has another version now is a placeholder again.

Names come from the server: one that could lead out of the folder is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from vibench.errors import InputError, UserError, one_line
from vibench.files import cache_root, disk_errors, write_atomically
from vibench.files.server import AT_ONCE, Fact, Server, url_of

PLACEHOLDER_NS = 0
"""The time of a file whose content is not here."""
SPARE_BYTES = 2**28
"""So much of the disk is left free."""
LONGEST_NAME_BYTES = 255


class _Entry(NamedTuple):
    """A file as server and mirror had it when they last agreed; ``time_ns`` is the mirror's."""

    size: int
    version: str
    time_ns: int


def local(place: str | Path, believed_seconds: float = 0.0) -> Path:
    """Return where a path, or what a URL names, can be read on this machine.

    That of a URL is in the cache, with placeholders for what is not there yet: ``fetch`` has to be called before a file
    is read. Asked for again within ``believed_seconds``, the server is taken to have what it had.

    Raises InputError where there is nothing at the URL, or names in it lead out, and UserError where it is not reached.
    """
    url = url_of(place)
    if url is None or url.startswith("file://"):
        return Path(place if url is None else url.removeprefix("file://"))
    mirror = Mirror.at(url)
    if mirror.age_seconds() > believed_seconds:
        mirror.refresh()
    if not mirror.entries:
        raise InputError(f"there is nothing at {one_line(url)}; check the bucket and the name")
    return mirror.folder


def workplace(url: str) -> Path:
    """Return the folder here in which a folder at a URL is worked on, both brought to the same state.

    What the server has counts: it replaces what is here, and what it no longer has goes. What was made here and never
    reached it, since a process was killed meanwhile, is put there now. Raises as ``local``, but for an empty place.
    """
    mirror = Mirror.at(url)
    if mirror.server.is_read_only:
        raise InputError(f"{one_line(url)} can only be read; name a folder, or a store such as s3://")
    mirror.refresh()
    mirror.folder.mkdir(parents=True, exist_ok=True)
    send(sorted(mirror.own_files(), key=_records_last))
    return mirror.folder


def shown_place(path: str | Path) -> str:
    """Return what a person calls a place: its URL where it is a mirror of one, and otherwise the path."""
    if (url := url_of(path)) is not None:
        return url
    mirror = _mirror_of(Path(path))
    if mirror is None:
        return str(path)
    name = mirror.name_of(Path(path))
    return f"{mirror.server.url}/{name}" if name else mirror.server.url


def fetch(paths: Iterable[Path]) -> None:
    """Make the content of files, and of files in folders, be there; nothing happens where they are ordinary ones.

    Raises UserError where the disk has no room for them, and where the server cannot give them.
    """
    for path in paths:
        if (mirror := _mirror_of(path)) is not None:
            mirror.fetch(path)


def send(paths: Sequence[Path]) -> None:
    """Put files of a mirror to their server, one after the other; one that is gone here is removed there.

    Nothing happens where they are ordinary files, or where the server has them.
    """
    for path in paths:
        if (mirror := _mirror_of(path)) is not None:
            mirror.send(path)


class Mirror:
    """A folder of the cache that stands for one at a URL."""

    def __init__(self, home: Path, url: str) -> None:
        self.home, self.server = home, Server.at(url)
        self.folder = home / _last_name(url)
        self.entries: dict[str, _Entry] = self._read()
        self._appending = Lock()

    @classmethod
    def at(cls, url: str) -> Mirror:
        """Return the mirror of a URL, and make its folder."""
        home = _root() / hashlib.sha256(url.encode()).hexdigest()[:24]
        if not (home / "url").exists():
            with disk_errors(home):
                write_atomically(home / "url", url.encode())
        found = _mirror_of(home)
        if found is None:
            raise ValueError(f"{home} is no mirror")
        return found

    def age_seconds(self) -> float:
        """Return how long ago the server was asked last; infinite where it never was."""
        try:
            return time.time() - (self.home / "asked").stat().st_mtime
        except OSError:
            return float("inf")

    def refresh(self) -> None:
        """Ask the server what it has, and make names and sizes here the same; no content is fetched."""
        import filelock

        with disk_errors(self.home), filelock.FileLock(self.home / ".lock"):
            # What is known now was put before the server is asked, so that it must name it.
            known = self._read()
            there = self.server.listing()
            for name in there:
                _check_name(name, self.server.url)
            self.entries = dict(self._kept(known, there))
            for name in known.keys() - there.keys():
                self._path(name).unlink(missing_ok=True)
            lines = (json.dumps([name, *entry]) + "\n" for name, entry in self.entries.items())
            write_atomically(self.home / "listing.jsonl", "".join(lines).encode())
            write_atomically(self.home / "asked", b"")

    def own_files(self) -> Iterator[Path]:
        """Yield the files here that the server has never had, or that were changed here since; records first.

        A record is written after its frames: where the record is seen, they are seen afterwards.
        """
        inside = sorted(self.folder.iterdir(), key=lambda path: path.name != "records")
        for path in (file for top in inside for file in _files(top)):
            entry = self.entries.get(self.name_of(path))
            time_ns = path.stat().st_mtime_ns
            if time_ns != PLACEHOLDER_NS and (entry is None or entry.time_ns != time_ns):
                yield path

    def fetch(self, place: Path) -> None:
        """Make the content of a file, or of all files in a folder, be there."""
        missing = [path for path in _files(place) if path.stat().st_mtime_ns == PLACEHOLDER_NS]
        size = sum(path.stat().st_size for path in missing)
        if not missing:
            return
        if size + SPARE_BYTES > (free := shutil.disk_usage(self.home).free):
            raise UserError(
                f"{shown_place(place)} has {size / 1e9:.1f} GB to fetch, and the disk of the cache has "
                f"{free / 1e9:.1f} free; name another disk by VIBENCH_CACHE, or empty it by `vibench cache clear`"
            )
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for future in [pool.submit(self._get, path) for path in missing]:
                future.result()

    def send(self, path: Path) -> None:
        """Put a file to the server, or remove it there; nothing where both have the same."""
        name = self.name_of(path)
        entry = self.entries.get(name)
        try:
            time_ns = path.stat().st_mtime_ns
        except FileNotFoundError:
            if entry is not None:
                self.server.remove(name)
                self._note(name, None)
            return
        if time_ns != PLACEHOLDER_NS and (entry is None or entry.time_ns != time_ns):
            self._note(name, _Entry(*self.server.put(path, name), time_ns))

    def name_of(self, path: Path) -> str:
        """Return the name that a file here has on the server."""
        name = path.relative_to(self.folder).as_posix()
        return "" if name == "." else name

    def _path(self, name: str) -> Path:
        return self.folder / name if name else self.folder

    def _kept(self, known: dict[str, _Entry], there: dict[str, Fact]) -> Iterator[tuple[str, _Entry]]:
        """Each file that the server has: as it is here where nothing changed there, or else as a placeholder."""
        for name, fact in there.items():
            path, entry = self._path(name), known.get(name)
            if entry is None or (entry.size, entry.version) != fact or not _is_like(path, entry):
                _hold_place(path, fact.size)
                entry = _Entry(*fact, PLACEHOLDER_NS)
            yield name, entry

    def _get(self, path: Path) -> None:
        name = self.name_of(path)
        entry = self.entries[name] if name in self.entries else self._read()[name]
        temporary = _temporary(path)
        try:
            self.server.get(name, temporary, entry.size)
            # Noted before it is there: a placeholder that is noted as real is fetched again, and that is all.
            self._note(name, entry._replace(time_ns=temporary.stat().st_mtime_ns))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _read(self) -> dict[str, _Entry]:
        """What ``listing.jsonl`` says; a line that a killed process left torn says nothing."""
        found: dict[str, _Entry] = {}
        try:
            lines = (self.home / "listing.jsonl").read_bytes().splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            with suppress(ValueError, TypeError):
                name, *rest = json.loads(line)
                if rest == [None]:
                    found.pop(name, None)
                else:
                    found[name] = _Entry(*rest)
        return found

    def _note(self, name: str, entry: _Entry | None) -> None:
        """Write down what came or went: a line is appended, so that several processes can do it at once."""
        with self._appending, (self.home / "listing.jsonl").open("ab") as file:
            file.write(f"\n{json.dumps([name, *(entry or (None,))])}\n".encode())
            if entry is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = entry


_mirrors: dict[Path, Mirror] = {}
"""Those that this process has opened, by their homes."""


def _mirror_of(path: Path) -> Mirror | None:
    """The mirror that a path is in; None where it is in none."""
    root = _root()
    if not path.is_relative_to(root) or path == root:
        return None
    home = root / path.relative_to(root).parts[0]
    if home not in _mirrors or not (home / "url").exists():
        _mirrors[home] = Mirror(home, (home / "url").read_text())
    return _mirrors[home]


def _root() -> Path:
    return _resolved(cache_root() / "remote")


@lru_cache
def _resolved(path: Path) -> Path:
    return path.resolve()


def _files(place: Path) -> Iterator[Path]:
    """The files at or below a place, without those that are only of this machine, such as locks."""
    if not place.is_dir():
        if place.is_file() and not place.name.startswith("."):
            yield place
        return
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _is_like(path: Path, entry: _Entry) -> bool:
    """Whether a file is the one of an entry or was written here since; not where it is torn or gone."""
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_mtime_ns != entry.time_ns or found.st_size == entry.size


def _hold_place(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        os.truncate(temporary, size)
        os.utime(temporary, ns=(PLACEHOLDER_NS, PLACEHOLDER_NS))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=".fetched.", suffix=".partial", dir=path.parent)
    os.close(handle)
    return Path(name)


def _check_name(name: str, url: str) -> None:
    """Raise InputError for a name that no file below a folder has; names come from the server."""
    parts = name.split("/")
    bad = any(part in ("", ".", "..") or len(os.fsencode(part)) > LONGEST_NAME_BYTES for part in parts)
    if name and (bad or "\0" in name or "\\" in name):
        raise InputError(f"{one_line(url)} names a file {one_line(name)!r}, which can be no file in a folder here")


def _last_name(url: str) -> str:
    """The last part of a URL, as the name of a folder: many names depend on it, such as that of a clip."""
    last = url.rpartition("/")[2].partition("?")[0]
    return last if last not in ("", ".", "..") and "\0" not in last else "folder"


def _records_last(path: Path) -> int:
    """Sorts the files of a run: its page first, and records after what they promise."""
    return 0 if path.name == "run.json" else 2 if path.suffix == ".json" else 1
