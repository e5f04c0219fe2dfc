"""The folder of a run: a small JSON file for each method on each case, whole or not there, and lossless frames.

::

    <output>/<protocol>-<digest>/
        run.json                          what was run, on what (RunInfo)
        records/<method>/<case>.json      one Record
        frames/<method>/<case>.mkv        the composited output minus the input (modulo 256), FFV1
        cases/<case>.mkv                  input frames, FFV1;  <case>.truth.mkv where the truth differs
        cases/<case>.holes.npz            masks, packed bits

The digest in the folder's name is that of everything that decides the frames, so that the same command continues and
another one never mixes in. Names from data become file names only through ``slug``.
"""

from __future__ import annotations

import io
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from vibench.clip import Case, Frames, Masks, digest
from vibench.errors import InputError, one_line, reading
from vibench.files import disk_errors, link_or_copy, slug, write_atomically
from vibench.files.mirror import fetch, local, send, shown_place, workplace
from vibench.files.server import Server, url_of
from vibench.protocol import Protocol
from vibench.results.damage import LaterVersion, Problem, impossible, parsed, unpacked_holes, where_is, without_steering
from vibench.results.index import records_in
from vibench.results.lock import locked
from vibench.results.record import TRUTH, MetricFacts, Record, RunInfo
from vibench.results.records import Records
from vibench.results.unpack import is_named_as_pack, is_pack, opened_pack

LONGEST_WRITE_SECONDS = 24 * 3600.0
"""No file of a run takes so long to write, also where the clocks of machines differ."""


@dataclass(frozen=True)
class Store:
    """The folder of one run, which is read or continued."""

    folder: Path
    info: RunInfo

    @classmethod
    def create(cls, output: Path, info: RunInfo, name: str = "") -> Store:
        """Make the folder for the run ``info`` under ``output``, or open it again where this very run began before.

        ``name`` is that of the folder; InputError where another run has it.
        """
        folder = cls.place(output, info, name)
        path = folder / "run.json"
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            known = parsed(path, RunInfo) if os.path.lexists(path) else None
            if isinstance(known, LaterVersion):
                raise InputError(known.sentence)
            if name and isinstance(known, RunInfo) and known.digest != info.digest:
                methods = ", ".join(facts.label for facts in known.methods)
                raise InputError(
                    f"the run {str(folder)!r} is another one ({known.protocol_label}: {one_line(methods)}); give this "
                    "one another --name: what that one has made of it is taken over"
                )
            if not isinstance(known, RunInfo) or known.digest != info.digest:
                write_atomically(path, _json(info))
        send([path])
        return cls.open(folder)

    @staticmethod
    def place(output: Path, info: RunInfo, name: str = "") -> Path:
        """Return the folder under ``output`` that belongs to the run ``info``, or that has ``name``, there or not.

        Where ``output`` is a URL, it is a folder of the cache that was brought to the state of the server.
        """
        own = slug(name) if name else f"{slug(info.protocol_label)}-{info.digest[:12]}"
        url = url_of(output)
        if url is None or url.startswith("file:"):
            return local(output) / own
        folder = workplace(f"{url}/{own}")
        fetch([folder / "run.json", folder / "records"])
        return folder

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open a finished or unfinished run, for which nothing is written.

        ``folder`` may be a URL, whose records are fetched. A pack is opened as its run in the cache. Raises InputError
        where ``folder`` is not a run, its page is damaged, or a later version of vibench wrote it.
        """
        folder = local(folder)
        fetch([folder / "run.json", folder / "records"] if folder.is_dir() else [folder])
        if is_pack(folder):
            folder = opened_pack(folder)
        path = folder / "run.json"
        if not os.path.lexists(path):
            found = ", ".join(sorted(child.parent.name for child in folder.glob("*/run.json"))[:5])
            hint = f"; runs inside it: {one_line(found)}" if found else ""
            raise InputError(f"{str(folder)!r} is not a run: it has no run.json{hint}")
        info = parsed(path, RunInfo)
        if isinstance(info, Problem):
            raise InputError(info.sentence)
        return cls(folder, info)

    @property
    def protocol(self) -> Protocol:
        """The protocol that the run followed, as its page holds it."""
        with reading(self.folder / "run.json", "holds a protocol that cannot be used"):
            return Protocol.model_validate(self.info.protocol)

    @contextmanager
    def lock(self, say: Callable[[str], None], part: str = "") -> Iterator[None]:
        """Keep other processes out of the run for the length of the block, or out of ``part`` of it (see ``locked``).

        What killed processes left half-written is removed. ``say`` is told of a wait.
        """
        with locked(self.folder, say, part) as held:
            if held:
                self._sweep(LONGEST_WRITE_SECONDS if part else 0.0)
            yield

    def record(self, method: str, case: str) -> Record | Problem | None:
        """Return the record of a method on a case, or why it has to be made again, or None where it was never made."""
        path = self._record_path(method, case)
        return self._read(path) if os.path.lexists(path) else None

    def has_record(self, method: str, case: str) -> bool:
        """Say whether there is a record of a method on a case, sound or not."""
        return os.path.lexists(self._record_path(method, case))

    def scan(self) -> tuple[Records, list[Problem]]:
        """Return all sound records, in the order of the run's cases, and what is wrong with every other file."""
        return records_in(self.folder, self.info.cases, self._read)

    def records(self) -> Records:
        """Return the sound records, in the order of the run's cases."""
        return self.scan()[0]

    def keep(
        self, record: Record, frames: Frames | None = None, traceback: str = "", *, case: Case | None = None
    ) -> None:
        """Write all that came of one method on one case; the record comes last, so that it never promises too much.

        ``frames`` are the method's composited frames and ``case`` is what a report shows beside them, each None where
        it is not to be kept. What a failed method left behind before is removed. Raises UserError where the disk is
        full.
        """
        path = self._record_path(record.method, record.case)
        with disk_errors(self.folder):
            if case is not None:
                self._keep_case(case)
            if frames is not None:
                self._keep_frames(record, frames, case.frames_per_second if case is not None else 24.0)
            elif record.status == "failed":
                self._frames_path(record.method, record.case).unlink(missing_ok=True)
            told = path.with_suffix(".traceback.txt")
            if traceback:
                write_atomically(told, traceback.encode("utf-8", "backslashreplace"))
            elif record.status != "failed":
                told.unlink(missing_ok=True)
            write_atomically(path, _json(record))
        send([*self._of_case(record.case), self._frames_path(record.method, record.case), told, path])

    def adopt(self, other: Store, record: Record) -> None:
        """Take over a record of ``other``, a run of the same protocol, with its frames and its case where it kept them.

        Files are linked, not copied, where the file system can do that; files of a run are only ever replaced, never
        written into. The record comes last. Raises UserError where the disk is full.
        """
        paths = [self._frames_path(record.method, record.case), *self._of_case(record.case)]
        taken = record.model_copy(update={"run": self.info.digest, "made_by": record.made_by or record.run})
        with disk_errors(self.folder):
            for path in paths:
                source = other.folder / path.relative_to(self.folder)
                if source.exists() and not path.exists():
                    fetch([source])
                    link_or_copy(source, _made(path))
            paths.append(self._record_path(record.method, record.case))
            write_atomically(paths[-1], _json(taken))
        send(paths)

    def files_of(self, method: str, case: str) -> list[Path]:
        """Return the files that are there of a method on a case, in the order of writing: the record comes last."""
        path = self._record_path(method, case)
        own = [self._frames_path(method, case), path.with_suffix(".traceback.txt"), path]
        return [each for each in (*self._of_case(case), *own) if each.exists()]

    def with_metrics(self, metrics: tuple[MetricFacts, ...]) -> Store:
        """Return the same run after its page was made to name ``metrics`` too, which its records now hold."""
        known = {facts.name: facts for facts in (*self.info.metrics, *metrics)}
        if tuple(known.values()) == self.info.metrics:
            return self
        info = self.info.model_copy(update={"metrics": tuple(known.values())})
        with disk_errors(self.folder):
            write_atomically(self.folder / "run.json", _json(info))
        send([self.folder / "run.json"])
        return Store(self.folder, info)

    def frames(self, method: str, case: str) -> Frames | None:
        """Return a method's composited frames, uint8 (T, H, W, 3).

        None where they were not kept, are torn, or are not those of the method's record.
        """
        frames = _lossless(self._frames_path(method, case), lambda: self._input(case))
        record = self.record(method, case)
        if frames is None or not isinstance(record, Record) or record.output_sha256 in ("", digest(frames)):
            return frames
        return None

    def frames_of(self, record: Record) -> Frames | None:
        """Return the frames that were kept for a record, as ``frames`` does."""
        return self.frames(record.method, record.case)

    def _input(self, case: str) -> Frames | None:
        """The input frames of a case, read-only; None where they were not kept."""
        path = self._case_path(case, ".mkv")
        fetch([path])
        try:
            found = path.stat()
        except OSError:
            return None
        return _remembered(path, found.st_mtime_ns, found.st_size)

    def case_frames(self, case: str) -> tuple[Frames, Masks, Frames | None] | None:
        """Return the input frames, the holes, and the truth or None, as they were kept.

        None where they were not kept, are damaged, or are not those of the case's records.
        """
        frames = self._input(case)
        path = self._case_path(case, ".holes.npz")
        if frames is None or not os.path.lexists(path):
            return None
        fetch([path])
        try:
            holes, has_truth = unpacked_holes(path, frames.shape[:3])
        except InputError:
            return None
        own = self._case_path(case, ".truth.mkv")
        truth = _lossless(own) if os.path.lexists(own) else frames
        if has_truth and truth is None:
            return None
        found = frames, holes, truth if has_truth else None
        return found if self._are_of_records(case, *found) else None

    def _are_of_records(self, case: str, frames: Frames, holes: Masks, truth: Frames | None) -> bool:
        """Whether kept arrays are those that the records of the case are about, as far as these say it."""
        records = (self.record(label, case) for label in (*(facts.label for facts in self.info.methods), TRUTH))
        said = next((record for record in records if isinstance(record, Record) and record.input_sha256), None)
        if said is None:
            return True
        pairs = (said.input_sha256, frames), (said.holes_sha256, holes), (said.truth_sha256, truth)
        return all(array is None or sha256 in ("", digest(array)) for sha256, array in pairs)

    def has_frames(self, method: str, case: str) -> bool:
        """Say whether frames of a method were kept, sound or not."""
        return os.path.exists(self._frames_path(method, case))

    def has_case(self, case: str) -> bool:
        """Say whether input and holes of this case were kept."""
        return os.path.exists(self._case_path(case, ".holes.npz"))

    def frames_per_second(self, case: str) -> float | None:
        """Return the frames per second of a case as it was kept; None where it was not."""
        from vibench.media.video import iter_video

        path = self._case_path(case, ".mkv")
        fetch([path])
        try:
            with reading(path):
                return iter_video(path).frames_per_second if os.path.exists(path) else None
        except InputError:
            return None

    def _read(self, path: Path) -> Record | Problem:
        found = parsed(path, Record, self.info.versions.get("vibench"))
        if isinstance(found, Problem):
            return found
        where = where_is(path)
        if found.run != self.info.digest:
            return Problem(f"{where} belongs to another run ({one_line(found.run)[:12]})")
        if path != self._record_path(found.method, found.case):
            about = f"{one_line(found.method)} on {one_line(found.case)}"
            return Problem(f"{where} is in the wrong place: it is about {about}")
        if fault := impossible(found):
            return Problem(f"{where} is damaged: {fault}")
        return without_steering(found)

    def _keep_frames(self, record: Record, frames: Frames, frames_per_second: float) -> None:
        """Write frames losslessly, as their difference to the case's input where that was kept."""
        from vibench.media.video import write_lossless

        base = self._input(record.case)
        if base is not None and base.shape != frames.shape:
            base = None
        write_lossless(_made(self._frames_path(record.method, record.case)), frames, frames_per_second, base)

    def _keep_case(self, case: Case) -> None:
        """Write input, holes and truth of a case, unless these very ones are there already."""
        from vibench.media.video import write_lossless

        path = self._case_path(case.name, ".holes.npz")
        kept, truth = self._case_path(case.name, ".mkv"), self._case_path(case.name, ".truth.mkv")
        packed = _packed(case.holes, has_truth=case.truth is not None)
        own_truth = None if case.truth is case.frames else case.truth
        fetch(self._of_case(case.name))
        if path.exists() and path.read_bytes() == packed and _holds(kept, case.frames) and _holds(truth, own_truth):
            return
        path.unlink(missing_ok=True)
        write_lossless(_made(kept), case.frames, case.frames_per_second)
        if own_truth is not None:
            write_lossless(truth, own_truth, case.frames_per_second)
        else:
            truth.unlink(missing_ok=True)
        # Written last: its presence says that the case is whole.
        write_atomically(path, packed)

    def _record_path(self, method: str, case: str) -> Path:
        return self.folder / "records" / slug(method) / f"{slug(case)}.json"

    def _frames_path(self, method: str, case: str) -> Path:
        return self.folder / "frames" / slug(method) / f"{slug(case)}.mkv"

    def _case_path(self, case: str, ending: str) -> Path:
        return self.folder / "cases" / f"{slug(case)}{ending}"

    def _of_case(self, case: str) -> list[Path]:
        """The files of a case, in the order of writing: the holes say that it is whole."""
        return [self._case_path(case, ending) for ending in (".mkv", ".truth.mkv", ".holes.npz")]

    def _sweep(self, older_than_seconds: float) -> None:
        """Remove what killed processes left half-written; only called while a lock is held.

        Others may be writing where only a part is locked: what is so old is not being written any more.
        """
        now = time.time()
        for path in self.folder.rglob(".*.partial*"):
            with suppress(OSError):  # it harms nothing where it is
                if not older_than_seconds or now - path.stat().st_mtime > older_than_seconds:
                    path.unlink(missing_ok=True)


def run_folders(paths: Sequence[Path]) -> list[Path]:
    """Return every path that is a run or a pack of one, and the runs right inside every other path.

    A path may be a URL, and so are then the runs inside it. Raises InputError where a path is no run and holds none.
    """
    found = []
    for path in paths:
        inside = runs_in(path)
        if not inside:
            raise InputError(f"{shown_place(path)!r} is not a run and holds none; see `vibench list runs`")
        found += inside
    return found


def runs_in(path: Path) -> list[Path]:
    """Return ``path`` where it is a run or a pack, or else the runs right inside it; each may be a URL as a path."""
    url = url_of(path)
    if url is not None and not url.startswith("file:"):
        server = Server.at(url)
        is_run = is_named_as_pack(path) or server.has("run.json")
        return [path] if is_run else [Path(inside) for inside in server.runs()]
    path = local(path)
    is_run = os.path.lexists(path / "run.json") or is_pack(path)
    return [path] if is_run else sorted(child.parent for child in path.glob("*/run.json"))


def _json(model: BaseModel) -> bytes:
    text = json.dumps(model.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
    # What is no Unicode, such as a byte of a file name in another encoding, is written as a visible escape.
    return (_SURROGATE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text) + "\n").encode()


_SURROGATE = re.compile("[\ud800-\udfff]")


def _packed(holes: Masks, has_truth: bool) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, bits=np.packbits(holes), has_truth=np.array(has_truth))
    return buffer.getvalue()


def _lossless(path: Path, base: Callable[[], Frames | None] = lambda: None) -> Frames | None:
    from vibench.media.video import read_lossless

    if not path.is_file():
        return None
    fetch([path])
    try:
        with reading(path):
            return read_lossless(path, base)
    except InputError:
        return None


@lru_cache(maxsize=1)
def _remembered(path: Path, _modified: int, _size: int) -> Frames | None:
    """A case's input, against which every output of the case is read; another time or size means another file."""
    frames = _lossless(path)
    if frames is not None:
        frames.setflags(write=False)
    return frames


def _holds(path: Path, frames: Frames | None) -> bool:
    """Whether a lossless file says that it holds these frames, or is absent where there are none to hold."""
    from vibench.media.video import lossless_digest

    if frames is None or not path.exists():
        return frames is None and not path.exists()
    return lossless_digest(path) == digest(frames)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
