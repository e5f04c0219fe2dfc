"""What a case is made of, as sha256 of its arrays, and a memo that knows them without reading the clip again.

A record, kept frames or a prediction belong to the arrays that a method saw, not to a path. The memo maps what decides
these arrays (the clip's files by path, size and times, the protocol, the code and the libraries that read and cut) to
their sha256, so that to continue a finished run costs a look at its files instead of decoding them. The time at which
the system itself saw a file change counts too: `cp -p` and archives give files the times that others had.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from vibench import plugins
from vibench.clip import Case, digest
from vibench.data.cases import build_case, partner_of
from vibench.data.dataset import Dataset
from vibench.files import cache_folder, write_atomically
from vibench.machine.facts import deciding_versions
from vibench.protocol import PlannedCase, Protocol

Contents = dict[str, str]
"""``input_sha256``, ``holes_sha256``, and ``truth_sha256`` and ``given_sha256`` where there are such: a record's."""


def contents_of(case: Case) -> Contents:
    """Sha256 of the arrays that the method and the metrics see."""
    found = {"input_sha256": digest(case.frames), "holes_sha256": digest(case.holes)}
    if case.truth is not None:
        is_input = case.truth is case.frames
        found["truth_sha256"] = found["input_sha256"] if is_input else case.truth_digest
    if case.given is not None:
        found["given_sha256"] = digest(case.given)
    return found


def what_changed(record: object, contents: Contents) -> str | None:
    """What of a case is not what a record was made of, in a word, such as ``holes``; None where all is the same.

    A field that is empty, since an older version of vibench wrote the record, tells nothing.
    """
    found = (what for what, sha256 in contents.items() if getattr(record, what) not in ("", sha256))
    field = next(found, None)
    return None if field is None else field.removesuffix("_sha256").replace("given", "given masks")


def known_contents(protocol: Protocol, planned: PlannedCase, clips: Dataset) -> Contents:
    """The contents of a case: from the memo, or else by making the case, which is then remembered.

    Raises InputError where the clip cannot give the case.
    """
    path = _memo(protocol, planned, clips)
    try:
        known = json.loads(path.read_bytes()) if path is not None else None
    except (OSError, ValueError):
        known = None
    if isinstance(known, dict) and all(isinstance(value, str) and len(value) == 64 for value in known.values()):
        return known
    found = contents_of(build_case(protocol, planned, clips))
    remember(protocol, planned, clips, found)  # not under `path`: files that came from far away have other times now
    return found


def remember(protocol: Protocol, planned: PlannedCase, clips: Dataset, contents: Contents) -> None:
    """Put the contents of a case that was just made into the memo; a cache that cannot be written is passed over."""
    _remember(_memo(protocol, planned, clips), contents)


def bytes_on_disk(clips: Dataset, name: str) -> int:
    """Return the size of all files that a clip is read from; 0 where it is computed or is not there."""
    try:
        return sum(size for _, size, *_ in _signature(clips.places(name)))
    except OSError:
        return 0


def _remember(path: Path | None, contents: Contents) -> None:
    try:
        if path is not None and not path.exists():
            write_atomically(path, json.dumps(contents).encode())
    except OSError:
        return


def _memo(protocol: Protocol, planned: PlannedCase, clips: Dataset) -> Path | None:
    """The memo's file for what decides a case now; None where it cannot be had."""
    names = [planned.clip]
    if planned.holes.source == "other-objects":
        names.append(partner_of(planned, clips.clip_names()))
    try:
        deciding = {
            "protocol": protocol.digest,
            "case": planned.name,
            "data set": clips.card.model_dump(mode="json"),
            "files": [list(_signature(clips.places(name))) for name in names],
            "code": _code(planned.holes.generator),
            "versions": deciding_versions(),
        }
        key = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()
        return cache_folder("contents") / f"{key}.json"
    except OSError:  # a clip that is gone, or no cache
        return None


def _signature(places: Iterable[Path]) -> Iterator[tuple[str, int, int, int]]:
    """Path, size, time of its content and time of change of every file at, or right inside, some places."""
    for place in places:
        for path in sorted(place.iterdir()) if place.is_dir() else [place]:
            found = path.stat()
            yield os.path.realpath(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns


@cache
def _code(generator: str | None) -> tuple[str, str]:
    """The code that reads clips and makes cases of them, and that of a generator of holes."""
    holes = "" if generator is None else plugins.code_digest(plugins.target("masks", generator).partition(":")[0])
    return plugins.code_digest("vibench.data.layouts") + plugins.code_digest("vibench.data.cases"), holes
