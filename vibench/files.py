"""Files: those that travel with the package, the user's cache, and writing that is whole or does not happen."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vibench.errors import InputError, MissingResource, UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; on success flush that file and rename it, on any failure remove it.

    The temporary name keeps the suffix, since encoders choose the format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=f".partial{path.suffix}", dir=path.parent)
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


def _umask() -> int:
    """Return the process's file mode mask, which mkstemp ignores: it makes files that only their owner can read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UNSAFE = re.compile(r"[^A-Za-z0-9._=,-]+")


def slug(name: str) -> str:
    """Turn any text into a file name of safe characters, with a short hash where something was changed or cut."""
    safe = _UNSAFE.sub("_", name)[:80].strip(".")
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` under ``path``, whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(content)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn the errors of a full or forbidden disk into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"no space left on the disk of {str(folder)!r}; everything finished so far is kept: "
                "free some space and give the same command again"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise InputError(f"cannot write into {str(folder)!r}: {error.strerror}; choose another --output") from error
        raise


def bundled(folder: str) -> Path:
    """Return the folder ``datasets`` or ``reports``, inside the installed wheel or beside the package in a checkout.

    Raises MissingResource where it is in neither place.
    """
    package = Path(__file__).parent
    for place in (package / "_data" / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise MissingResource(f"the bundled folder {folder!r} is not in this installation; install vibench again")


def cache_folder(kind: str) -> Path:
    """Return a folder for what can be computed again, ``$VIBENCH_CACHE/kind`` or one in the user's cache; make it."""
    import platformdirs

    root = os.environ.get("VIBENCH_CACHE") or platformdirs.user_cache_dir("vibench")
    folder = Path(root).expanduser() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder
