"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

from vinet.errors import VINetError

REST = ".*.partial"
"""Pattern of the names of files that are not whole yet, and never will be once their process has been killed."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; at the end of the block, bring the file to the disk and rename it.

    After a failure or `kill -9` there is the old file or the new one. A failure removes what it had written; a killed
    process leaves it under a name like `REST`. The folder is made where it is absent. Raises VINetError where `path` is
    a folder, a pipe or a device, which a file would take the place of.
    """
    if path.exists() and not path.is_file():
        raise VINetError(f"{path} is a folder, a pipe or a device; name a file that may be written")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name that no other process has, and that is never too long where the name itself is not.
    handle, name = mkstemp(prefix=f".{path.stem[:40]}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _to_disk(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _to_disk(path.parent)  # the new name itself is on the disk only when the folder is


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's file mode mask; mkstemp ignores it and makes files that only their owner can read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
