"""Packs: a run as one file, ``.tar.zst`` with its frames or ``.parquet`` of its records, and how one is opened.

::

    run.tar.zst    vibench-DIGEST/run.json, vibench-DIGEST/records/METHOD/CASE.json and so on, as in the run's folder
    run.parquet    a row a record: what tables ask for as columns, and ``record``, the very JSON of its file;
                   the page, run.json, is in the metadata of the schema under ``vibench``

A pack comes from outside. It can only give files that a run has, in the places that they have there; a link, another
name, a name that comes twice and more bytes than are allowed end the reading, and nothing of the pack is then kept.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from vibench.errors import MissingResource, one_line, reading
from vibench.files import cache_folder, disk_errors, slug
from vibench.machine.processes import owned_folder
from vibench.results.damage import Problem, parsed
from vibench.results.record import RunInfo

ARCHIVE = ".tar.zst"
TABLE = ".parquet"
PAGE_KEY = b"vibench"

MOST_TIMES = 200
"""A pack may give so many times its own bytes: JSON of records is packed to a tenth, frames hardly."""
ALWAYS_BYTES = 2**28
"""So many bytes a pack may give, however small it is."""
BLOCK_BYTES = 2**20
HEADER_BYTES = 512
WINDOW_BYTES = 2**27
"""Most memory that unpacking takes, which an archive itself asks for."""

_NAME = r"[A-Za-z0-9_=,-][A-Za-z0-9._=,-]{0,110}"
_OF_A_RUN = re.compile(
    rf"{_NAME}/(run\.json|records/{_NAME}/{_NAME}\.json|frames/{_NAME}/{_NAME}\.mkv|cases/{_NAME}\.(mkv|holes\.npz))"
)
"""A folder, and in it the names that files of a run have, none of which begins with a dot."""


def is_pack(path: Path) -> bool:
    """Say whether a path names a file that ``vibench pack`` may have written."""
    return is_named_as_pack(path) and path.is_file()


def is_named_as_pack(path: Path) -> bool:
    """Say whether a path ends as that of a pack does."""
    return path.name.endswith((ARCHIVE, TABLE))


def opened_pack(path: Path) -> Path:
    """Return the folder of the run in a pack, which lies in the cache from the first opening on, by its content.

    Raises InputError where the file is no pack, holds what no run has, or would take more than ``MOST_TIMES`` its size
    or than the disk has, and MissingResource where the package is missing that reads it.
    """
    with reading(path), path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    with disk_errors(path):
        place = cache_folder("packs") / content[:32]
        if not place.exists():
            made = owned_folder(place.parent, ".unpacking-")
            try:
                with reading(path, "is no pack of vibench"), disk_errors(made):
                    _unpack(path, made)
                if not place.exists():  # another process may have been faster
                    made.rename(place)
            finally:
                shutil.rmtree(made, ignore_errors=True)
    return next(page.parent for page in place.glob("*/run.json"))


def _unpack(path: Path, made: Path) -> None:
    """Write the files of a pack below ``made``, and call their folder what the run's own is called."""
    allowed = min(max(ALWAYS_BYTES, MOST_TIMES * path.stat().st_size), shutil.disk_usage(made).free)
    if path.name.endswith(TABLE):
        _unpack_table(path, made / "run", allowed)
    else:
        _unpack_archive(path, made / "run", allowed)
    info = parsed(made / "run" / "run.json", RunInfo)
    if isinstance(info, Problem):
        raise ValueError(f"its page cannot be used: {info.sentence}")  # noqa: TRY004 - it is about a value of the pack
    (made / "run").rename(made / f"{slug(info.protocol_label)}-{slug(info.digest)[:12]}")


class _Limited:
    """A stream that gives no more than ``allowed`` bytes."""

    def __init__(self, stream: IO[bytes], allowed: int) -> None:
        self._stream, self._allowed, self._left = stream, allowed, allowed

    def exactly(self, size: int) -> Iterator[bytes]:
        """Yield ``size`` bytes in blocks; ValueError where the stream ends before, or gives more than is allowed."""
        self._left -= size
        if self._left < 0:
            raise ValueError(f"it holds more than the {self._allowed} bytes that a pack of its size can")
        while size:
            block = self._stream.read(min(size, BLOCK_BYTES))
            if not block:
                raise ValueError("it is cut off")
            size -= len(block)
            yield block

    def to_end(self) -> None:
        """Read what is left, which nobody wants: at its end the decoder compares the checksum of all that it gave."""
        while block := self._stream.read(BLOCK_BYTES):
            self._left -= len(block)
            if self._left < 0:
                raise ValueError("it goes on behind its end")


def _unpack_archive(path: Path, run: Path, allowed: int) -> None:
    try:
        import zstandard
    except ImportError as error:
        raise MissingResource(f"a {ARCHIVE} needs zstandard: pip install 'vibench[pack]'") from error
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES).stream_reader(file, read_across_frames=True)
        stream = _Limited(reader, allowed)
        for name, size in _members(stream):
            with _new(run / name).open("wb") as written:
                for block in stream.exactly(size):
                    written.write(block)
            for _ in stream.exactly(-size % HEADER_BYTES):
                pass
        stream.to_end()


def _members(stream: _Limited) -> Iterator[tuple[str, int]]:
    """Each file's name within the run and its size; after each, ``size`` bytes have to be read, and the padding.

    The headers are read one by one: tarfile's own reader follows those that ask for any amount of memory.
    """
    while (header := b"".join(stream.exactly(HEADER_BYTES))) != bytes(HEADER_BYTES):
        member = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        shown = one_line(member.name)
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.size < 0:
            raise ValueError(f"it holds {shown!r}, which is no plain file")
        if not _OF_A_RUN.fullmatch(member.name):
            raise ValueError(f"it holds {shown!r}, which no run has")
        yield member.name.partition("/")[2], member.size


def _unpack_table(path: Path, run: Path, allowed: int) -> None:
    parquet = parquet_library()
    with parquet.ParquetFile(path) as file:
        groups = [file.metadata.row_group(k).total_byte_size for k in range(file.metadata.num_row_groups)]
        if sum(groups) > allowed:
            raise ValueError(f"it holds more than the {allowed} bytes that a pack of its size can")
        run.mkdir(parents=True)
        (run / "run.json").write_bytes((file.schema_arrow.metadata or {})[PAGE_KEY])
        for batch in file.iter_batches(256, columns=["method", "case", "record"]):
            _write_rows(batch.to_pylist(), run)


def _write_rows(rows: Sequence[dict[str, Any]], run: Path) -> None:
    for row in rows:
        _new(run / "records" / slug(row["method"]) / f"{slug(row['case'])}.json").write_bytes(row["record"])


def _new(target: Path) -> Path:
    """A path that is free, in a folder that is there."""
    if target.exists():
        raise ValueError(f"it holds {target.name!r} twice")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def parquet_library() -> Any:
    """Return ``pyarrow.parquet``; MissingResource where it is not installed."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingResource(f"a {TABLE} file needs pyarrow: pip install 'vibench[pack]'") from error
    return parquet
