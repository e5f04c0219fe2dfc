"""Files: those that travel with the package, the user's cache, and writing that is whole or does not happen."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vibench.errors import DISK_FULL, InputError, MissingResource, disk_sentence, one_line
from vibench.files.server import url_of

MOST_OF_A_NAME = 40
"""A temporary name begins with so many characters of the name it stands for, so that it is never longer than that may
be: 40 characters are at most 160 bytes, and file systems take 255."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; on success flush that file and rename it, on any failure remove it.

    The temporary name keeps the suffix, since encoders choose the format by it. Raises InputError, before anything is
    written, where ``path`` is a folder, a pipe or a device: a rename would put a file in its place.
    """
    _refuse_url(path)
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a pipe or a device"
        raise InputError(f"{one_line(str(path))} is {what}; name a file that may be written")
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if len(path.suffix) <= MOST_OF_A_NAME else ""
    handle, name = tempfile.mkstemp(
        prefix=f".{path.stem[:MOST_OF_A_NAME]}.", suffix=f".partial{suffix}", dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _refuse_url(path: Path) -> None:
    if (url := url_of(path)) is not None:
        raise InputError(f"{one_line(url)} is a URL, and this is written on a disk of this machine; name a path")


def _umask() -> int:
    """Return the process's file mode mask, which mkstemp ignores: it makes files that only their owner can read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UNSAFE = re.compile(r"[^A-Za-z0-9._=,-]+")


def slug(name: str) -> str:
    """Turn any text into a file name of safe characters, with a short hash where something was changed or cut."""
    safe = _UNSAFE.sub("_", name)[:80].strip(".")
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` under ``path``, whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def link_or_copy(source: Path, target: Path) -> None:
    """Let ``target`` be the very file ``source``, or a copy on another disk or where there is a file already.

    It is for files that are only ever replaced and never written into, so that two names for one do no harm.
    """
    try:
        os.link(source, target)
    except OSError:
        with replacing(target) as partial:
            shutil.copyfile(source, partial)


_FORBIDDEN = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG,
        errno.ELOOP, errno.EFBIG, errno.EIO, errno.ENOTEMPTY, errno.EMLINK, errno.ETXTBSY, errno.EBUSY,
    }
)  # fmt: skip


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn the errors of a full, forbidden or failing disk into one sentence; InputError where ``folder`` is a URL."""
    _refuse_url(folder)
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL | _FORBIDDEN:
            raise disk_sentence(error, folder) from error
        raise


def bundled(folder: str) -> Path:
    """Return the folder ``datasets`` or ``reports``, inside the installed wheel or beside the package in a checkout.

    Raises MissingResource where it is in neither place.
    """
    package = Path(__file__).parents[1]
    for place in (package / "_data" / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise MissingResource(f"the bundled folder {folder!r} is not in this installation; install vibench again")


def cache_root() -> Path:
    """Return the folder of what can be computed again: ``$VIBENCH_CACHE``, or one in the user's own cache.

    As in a shell, ``~`` is the user's home, and ``~name`` stays what it is where nobody is called that. Raises
    InputError where the variable names a URL: what is far away is kept here, and not the other way round.
    """
    import platformdirs

    if (url := url_of(os.environ.get("VIBENCH_CACHE", ""))) is not None:
        raise InputError(f"VIBENCH_CACHE is {one_line(url)}; name a folder on a disk of this machine")
    return Path(os.path.expanduser(os.environ.get("VIBENCH_CACHE") or platformdirs.user_cache_dir("vibench")))


def cache_folder(kind: str) -> Path:
    """Return the folder ``kind`` within ``cache_root()`` and make it; raise OSError where that cannot be."""
    folder = cache_root() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder
