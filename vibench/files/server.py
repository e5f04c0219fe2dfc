"""A server: what a URL is, and the files below one, through fsspec; what goes wrong is one sentence that names the URL.

S3, Google's and Azure's stores, HTTP (read only) and whatever else fsspec knows are one thing here. Credentials and
other addresses are not vibench's business: each library finds its own, such as ``AWS_PROFILE`` or ``AWS_ENDPOINT_URL``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from vibench.errors import DISK_FULL, InputError, MissingResource, UserError, disk_sentence, one_line, reason_of

AT_ONCE = 16
"""Requests to a server at a time."""

DEEPEST = 16
"""So many folders below a URL are looked into: a server can make up folders without end."""

READ_ONLY = ("http", "https")
PUT_WHOLE = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory")
"""Stores of objects, where a file that is put appears whole. Elsewhere it is put beside its name, and renamed."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9.+-]+):/{1,3}([^/].*)", re.DOTALL)
_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "Last-Modified", "LastModified", "updated", "mtime", "created")
"""What file systems call that by which a file's content is told from an earlier one's; the first one counts."""

_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError",
                             "ProfileNotFound", "DefaultCredentialsError"})  # fmt: skip
_UNREACHABLE = frozenset({"ConnectionError", "ClientConnectionError", "EndpointConnectionError", "ConnectTimeoutError",
                          "ReadTimeoutError", "TimeoutError", "gaierror", "HTTPClientError"})  # fmt: skip


def url_of(place: str | Path) -> str | None:
    """Return the URL that a text or a path says; None where it is a path of this machine.

    A ``Path`` writes the two slashes of a URL as one, and a command's argument arrives as such a path. A path that is
    there on this machine is one, whatever it looks like.
    """
    match = _URL.fullmatch(str(place))
    if match is None or os.path.lexists(place):
        return None
    scheme = match[1].lower()
    return f"{scheme}://{'/' if scheme in ('file', 'local') else ''}{match[2].rstrip('/')}"


class Fact(NamedTuple):
    """What a server says of a file: its size in bytes, and a text that is another one where its content is."""

    size: int
    version: str


@dataclass(frozen=True)
class Server:
    """The files at and below a URL; names are relative to it, with slashes, and empty for a file at the URL itself."""

    url: str
    system: Any
    path: str

    @classmethod
    def at(cls, url: str) -> Server:
        """Return the server of a URL, which is not asked yet.

        Raises InputError for a kind of URL that fsspec does not know, and MissingResource without its package.
        """
        from fsspec.core import url_to_fs

        with _asking(url):
            # What others changed since must be seen: listings are not remembered.
            system, path = url_to_fs(url, use_listings_cache=False)
            return cls(url, system, str(path).rstrip("/"))

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be put there."""
        return self.url.partition(":")[0] in READ_ONLY

    def listing(self) -> dict[str, Fact]:
        """Return all files below the URL by name; none where there are none. Names are as the server says them."""
        with _asking(self.url):
            self.system.invalidate_cache()
            if self._is_file():
                return {"": self.fact("")}
            if self.is_read_only:
                return self._asked_singly([self._name(key) for key in self._linked(self.path)])
            found = self.system.find(self.path, maxdepth=DEEPEST, detail=True)
            if not found and not self._has_root():
                raise FileNotFoundError("its bucket does not exist")
            return {self._name(key): _fact(info) for key, info in found.items() if key.startswith(self.path + "/")}

    def runs(self) -> list[str]:
        """Return the URLs of the folders right below the URL that hold a ``run.json``."""
        with _asking(self.url):
            self.system.invalidate_cache()
            found = [info["name"].rstrip("/") for info in self.system.ls(self.path, detail=True)]
            names = sorted(self._name(key) for key in found if key.startswith(self.path + "/"))
            return [f"{self.url}/{name}" for name in names if self.has(f"{name}/run.json")]

    def has(self, name: str) -> bool:
        """Say whether there is a file of this name."""
        with _asking(self.url):
            return bool(self.system.exists(self._key(name)))

    def fact(self, name: str) -> Fact:
        """Return what the server says of one file now."""
        with _asking(self.url):
            self.system.invalidate_cache()
            return _fact(self.system.info(self._key(name)))

    def get(self, name: str, target: Path, size: int) -> None:
        """Write a file's content to ``target``; InputError where it is not of the ``size`` that was said."""
        where = f"{self.url}/{name}" if name else self.url
        with _asking(where):
            self.system.get_file(self._key(name), str(target), callback=_limit(size))
            if target.stat().st_size != size:
                raise InputError(
                    f"{one_line(where)} has {target.stat().st_size} bytes and not the {size} that the server said: it "
                    "changed meanwhile, or the connection broke; give the same command again"
                )

    def put(self, source: Path, name: str) -> Fact:
        """Put a file, which appears whole or not at all, and return what the server says of it then."""
        if self.is_read_only:
            raise InputError(f"{one_line(self.url)} can only be read; name a folder, or a store such as s3://")
        with _asking(f"{self.url}/{name}"):
            key = self._key(name)
            if self.url.partition(":")[0] in PUT_WHOLE:
                self.system.put_file(str(source), key)
            else:
                folder, _, last = key.rpartition("/")
                self.system.makedirs(folder, exist_ok=True)
                self.system.put_file(str(source), f"{folder}/.{last}.partial")
                self.system.mv(f"{folder}/.{last}.partial", key)
            return self.fact(name)

    def remove(self, name: str) -> None:
        """Remove a file, which may be gone already."""
        with _asking(f"{self.url}/{name}"):
            try:
                self.system.rm_file(self._key(name))
            except FileNotFoundError:
                return

    def _key(self, name: str) -> str:
        """A file as the file system names it."""
        told = quote(name) if self.is_read_only else name
        return f"{self.path}/{told}" if name else self.path

    def _name(self, key: str) -> str:
        name = key.removeprefix(self.path + "/")
        return unquote(name) if self.is_read_only else name

    def _is_file(self) -> bool:
        if not self.is_read_only:
            return bool(self.system.isfile(self.path))
        # To list a folder over HTTP is to read a page of links: nothing else must be read as one.
        return bool(self.system.info(self.path).get("mimetype") != "text/html")

    def _has_root(self) -> bool:
        """Whether the bucket exists, or the disk: then a folder that is not there yet can be made."""
        root = self.path.partition("/")[0]
        return not root or bool(self.system.exists(root))

    def _linked(self, page: str, depth: int = 0) -> Iterator[str]:
        """The files below a page of links, as HTTP servers list a folder; other links lead elsewhere."""
        for info in self.system.ls(page, detail=True):
            link = info["name"]
            if link.startswith(page.rstrip("/") + "/") and "?" not in link and "#" not in link and link != page:
                if info["type"] != "directory":
                    yield link
                elif depth < DEEPEST:
                    yield from self._linked(link, depth + 1)

    def _asked_singly(self, names: list[str]) -> dict[str, Fact]:
        """What is known of files whose sizes no listing tells, as over HTTP."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            facts = pool.map(lambda name: _fact(self.system.info(self._key(name))), names)
            found = dict(zip(names, facts, strict=True))
        for name, fact in found.items():
            if fact.size < 0:
                raise InputError(f"{one_line(self.url)} does not say how large {one_line(name)!r} is")
        return found


def _fact(info: dict[str, Any]) -> Fact:
    size = info.get("size")
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    return Fact(size if isinstance(size, int) and size >= 0 else -1, version)


def _limit(size: int) -> Any:
    """A callback of fsspec that ends the reading of a file which gives more than ``size`` bytes."""
    from fsspec.callbacks import Callback

    class Limit(Callback):  # type: ignore[misc]
        """Counts what has arrived."""

        def call(self, *_: Any, **__: Any) -> None:
            if self.value > size:
                raise ValueError(f"it gives more than the {size} bytes that the server said")

    return Limit()


@contextmanager
def _asking(url: str) -> Iterator[None]:
    """Turn whatever a file system raises into one sentence; the block holds libraries and answers of others."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise _sentence(one_line(url), error) from error


def _sentence(url: str, error: Exception) -> UserError:
    kinds = {kind.__name__ for kind in type(error).__mro__ + type(error.__cause__).__mro__}
    reason = reason_of(error)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return disk_sentence(error)
    if isinstance(error, ImportError):
        return MissingResource(f"{url} needs a package that is not installed: pip install 'vibench[remote]' ({reason})")
    if kinds & _NO_CREDENTIALS:
        return InputError(
            f"there are no credentials for {url}: set them as for its own tools, for S3 AWS_PROFILE, or "
            f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ({reason})"
        )
    if isinstance(error, PermissionError):
        return InputError(f"{url} refuses these credentials: {reason}; ask its owner for the right to read and write")
    if kinds & _UNREACHABLE:
        reason = reason_of(error.__cause__ or error)
        return UserError(
            f"{url} cannot be reached: {reason}; check the address and the network, then give the same command again"
        )
    if isinstance(error, FileNotFoundError):
        return InputError(f"there is nothing at {url}: {reason}; check the bucket and the name")
    if isinstance(error, ValueError) and "rotocol" in reason:
        return InputError(f"nobody here reads {url}: {reason}; write a path, or s3://, gs://, https://")
    return UserError(f"{url} cannot be used: {reason}")
