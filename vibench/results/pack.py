"""A run as one file, for handing on: an archive of all its files, or a table of its records."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vibench.errors import InputError, MissingResource
from vibench.files import replacing
from vibench.files.mirror import fetch
from vibench.results.records import Records
from vibench.results.run import Run, open_run
from vibench.results.store import Store
from vibench.results.unpack import ARCHIVE, PAGE_KEY, TABLE, parquet_library

ROWS = 4096
"""Of a row group: so many records are held as JSON at once."""
LEVEL = 10
"""Of zstandard: JSON becomes a tenth, at some 50 MB a second."""


def pack(run: str | Path | Run, output: str | Path, *, frames: bool = True) -> Path:
    """Write a run into one file for handing on, and return its path; ``open_run`` and all commands read it.

    ``output`` ends in ``.tar.zst``, for all files of the run but tracebacks, which name folders of this machine;
    without ``frames``, for its records alone. Or it ends in ``.parquet``, for a table of the records that every reader
    of Parquet opens: a row a record, with the mean of each metric and region, and the record itself as JSON. The same
    run gives the same bytes, so long as the packages that write them are the same.

    Raises InputError for another ending, MissingResource where zstandard or pyarrow is missing (``vibench[pack]``), and
    UserError where the disk is full.
    """
    store = (run if isinstance(run, Run) else open_run(run)).store
    target = Path(output)
    if not target.name.endswith((ARCHIVE, TABLE)):
        raise InputError(f"{str(output)!r} does not say what to write; name a file that ends in {ARCHIVE} or {TABLE}")
    write = _write_table if target.name.endswith(TABLE) else _write_archive
    with replacing(target) as partial:
        write(store, partial, frames)
    return target


def _write_archive(store: Store, path: Path, frames: bool) -> None:
    try:
        import zstandard
    except ImportError as error:
        raise MissingResource(f"a {ARCHIVE} needs zstandard: pip install 'vibench[pack]'") from error
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with (
        path.open("wb") as file,
        compressor.stream_writer(file, closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for source in _files(store, frames):
            # Owner, times and rights say something of this machine and nothing of the run.
            member = tarfile.TarInfo(f"vibench-{store.info.digest[:12]}/{source.relative_to(store.folder)}")
            fetch([source])
            member.size = source.stat().st_size
            with source.open("rb") as content:
                archive.addfile(member, content)


def _files(store: Store, frames: bool) -> Iterator[Path]:
    """The page, and then the files of each sound record, that of the record after its frames."""
    yield store.folder / "run.json"
    seen = set()
    for method, case in _names(store.records()):
        for path in store.files_of(method, case):
            wanted = path.suffix == ".json" or (frames and path.suffix != ".txt")
            if wanted and path not in seen:
                seen.add(path)
                yield path


def _names(records: Records) -> Iterator[tuple[str, str]]:
    rows = np.arange(len(records))
    yield from zip(*(records.texts[what].of_rows(rows).tolist() for what in ("method", "case")), strict=True)


def _write_table(store: Store, path: Path, frames: bool) -> None:
    parquet = parquet_library()
    import pyarrow

    records = store.records()
    schema = _columns(records, [b""] * len(records)).schema
    page = (store.folder / "run.json").read_bytes()
    with parquet.ParquetWriter(path, schema.with_metadata({PAGE_KEY: page}), compression="zstd") as writer:
        for first in range(0, max(1, len(records)), ROWS):
            part = records[first : first + ROWS]
            contents = [store.files_of(method, case)[-1].read_bytes() for method, case in _names(part)]
            writer.write_table(pyarrow.Table.from_arrays(_columns(part, contents).columns, schema=writer.schema))


def _columns(records: Records, contents: list[bytes]) -> Any:
    """Records as a table of pyarrow; ``contents`` are their files."""
    import pyarrow

    rows = np.arange(len(records))
    columns: dict[str, Any] = {
        name: pyarrow.array(records.texts[name].of_rows(rows).tolist(), pyarrow.string())
        for name in ("method", "case", "clip", "status", "failure", "machine", "device")
    }
    for name in ("frames", "hole_fraction", "timing.seconds"):
        columns[name] = pyarrow.array(records.numbers[name], pyarrow.float64(), from_pandas=True)
    for (metric, region), block in records.blocks.items():
        if metric:
            means = np.full(len(records), np.nan)
            means[block.rows] = block.means
            columns[f"{metric}/{region}"] = pyarrow.array(means, pyarrow.float64(), from_pandas=True)
    columns["record"] = pyarrow.array(contents, pyarrow.binary())
    return pyarrow.table(columns)
