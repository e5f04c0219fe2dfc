"""Damage to the files of a run: what each must hold, and a sentence wherever one does not."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from vibench.clip import Masks
from vibench.document import content_of, first_fault
from vibench.errors import InputError, one_line, reading, shown_name
from vibench.results.record import SCHEMA, Record, RunInfo

Document = TypeVar("Document", Record, RunInfo)

MOST_OF_A_HEADER = 2**20
"""Bytes that the packed holes of a case may take beside their bits."""


@dataclass(frozen=True)
class Problem:
    """Why a file of a run cannot be used, in one sentence."""

    sentence: str


class LaterVersion(Problem):
    """The file was written by a later version of vibench, and is whole as far as anybody here can tell."""


def parsed(path: Path, kind: type[Document], writer: str | None = None) -> Document | Problem:
    """Return the document in a file, or what is wrong with the file; nothing is raised.

    ``writer`` is the version of vibench that wrote the file, where it is known and the file does not say it.
    """
    name = f"{str(path)!r}" if kind is RunInfo else where_is(path)
    try:
        content = content_of(path, "result")
        with reading(path):
            try:
                found = kind.model_validate_json(content)
                if isinstance(found, RunInfo) and (fault := _impossible_page(found)):
                    return Problem(f"{name} is torn or was not written by vibench: {fault}")
                return found
            except ValidationError as error:
                if (later := _later_version(content, name, error, writer)) is not None:
                    return later
                return Problem(f"{name} is torn or was not written by vibench: {first_fault(error)}")
    except InputError as error:
        return Problem(f"{name} is torn or was not written by vibench: {error}")


def _later_version(content: bytes, name: str, error: ValidationError, by_page: str | None) -> LaterVersion | None:
    """Say that a later version of vibench wrote a document, where it says so itself.

    That is a later schema; or, within the same one, fields that nobody here knows, of a version that comes later.
    """
    from vibench import __version__

    try:
        told = json.loads(content)
        schema = told["schema"]
        versions = told.get("versions") or {}
        writer = (versions.get("vibench") if isinstance(versions, dict) else None) or by_page
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if type(schema) is not int:
        return None
    if schema > SCHEMA:
        by = f"vibench {one_line(str(writer), 20)}" if writer not in (None, __version__) else "a later vibench"
        return LaterVersion(
            f"{name} was written by {by} (schema {schema}), and this is vibench {__version__}, which reads schema "
            f"{SCHEMA}: install the later one to use it"
        )
    faults = error.errors(include_url=False)
    if all(fault["type"] == "extra_forbidden" for fault in faults) and _is_later(str(writer), __version__):
        field = one_line(".".join(map(str, faults[0]["loc"])), 80)
        return LaterVersion(
            f"{name} was written by vibench {one_line(str(writer), 20)} and has a field {field!r} that this vibench, "
            f"{__version__}, does not know: install the later one to use it"
        )
    return None


def _is_later(version: str, than: str) -> bool:
    """Whether the numbers of a version come after those of another; False where it is none."""
    found = re.match(r"\d{1,9}(\.\d{1,9}){0,3}", version)
    known = re.match(r"\d+(\.\d+)*", than)
    if found is None or known is None:
        return False
    return tuple(map(int, found[0].split("."))) > tuple(map(int, known[0].split(".")))


def impossible(record: Record) -> str | None:
    """Return what no run writes into a record, such as a number that is not finite; None where the record is sound."""
    series = [value for regions in record.metrics.values() for values in regions.values() for value in values]
    facts = [record.hole_fraction, *record.attributes.values()]
    timing = record.timing.model_dump().values() if record.timing is not None else ()
    for value in [*series, *facts, *timing, *(record.timing.frame_seconds if record.timing is not None else ())]:
        if isinstance(value, float) and not math.isfinite(value):
            return f"it holds the number {value}"
    if names := [name for name in (record.method, record.case) if shown_name(name) != name]:
        return f"the name {one_line(names[0])!r} has characters that steer a terminal"
    if min(record.frames, record.height, record.width) < 0:
        return "it says that the clip has a size below 0"
    if record.timing is not None and (record.timing.frames < 0 or record.timing.seconds < 0):
        return "it says that the method took less than no time"
    return None


def _impossible_page(info: RunInfo) -> str | None:
    """What no run writes on its page, and everything that reads the page would stumble over; None where it is sound."""
    names = [info.protocol_label, *info.cases, *(facts.label for facts in info.methods)]
    names += [text for metric in info.metrics for text in (metric.name, metric.title, metric.unit, metric.source)]
    if wrong := [name for name in names if shown_name(name) != name]:
        return f"the name {one_line(wrong[0])!r} has characters that steer a terminal"
    for named in (info.cases, [facts.label for facts in info.methods], [metric.name for metric in info.metrics]):
        if twice := [name for name, count in Counter(named).items() if count > 1]:
            return f"it names {twice[0]!r} twice"
    for key, kind in _PARTS_OF_A_PROTOCOL.items():
        if not isinstance(info.protocol.get(key, kind()), kind):
            return f"its protocol has {one_line(repr(info.protocol[key]), 80)} as {key}"
    if not all(isinstance(holes, dict) for holes in info.protocol.get("holes", [])):
        return "its protocol has holes that are none"
    for key, what in (("warning", "the warning of {}"), ("knows", "what {} knows")):
        if wrong := [facts.label for facts in info.methods if not isinstance(facts.facts.get(key, ""), str)]:
            return f"{what.format(wrong[0])} is no text"
    return None


_PARTS_OF_A_PROTOCOL: dict[str, type] = {
    "name": str, "version": int, "title": str, "description": str, "repeats": int, "data": dict, "holes": list,
    "scoring": dict,
}  # fmt: skip


def without_steering(record: Record) -> Record:
    """Return the record with the messages of foreign code in it as one line each, which does nothing to a terminal."""
    changes: dict[str, Any] = {}
    if record.failure is not None and shown_name(record.failure.message) != record.failure.message:
        changes["failure"] = record.failure.model_copy(update={"message": one_line(record.failure.message, 2000)})
    if any(shown_name(reason) != reason for reason in record.unavailable.values()):
        changes["unavailable"] = {name: one_line(reason, 2000) for name, reason in record.unavailable.items()}
    return record.model_copy(update=changes) if changes else record


def where_is(path: Path) -> str:
    """Return the name of a file and of its folder, as a sentence shows them."""
    return one_line(f"{path.name} in {path.parent.name}")


def unpacked_holes(path: Path, shape: tuple[int, ...]) -> tuple[Masks, bool]:
    """Return the holes of a case, bool of ``shape`` (T, H, W), and whether its truth is known.

    Raises InputError where the file is damaged or holds anything else, before memory is taken for what it promises.
    """
    count = math.prod(shape)
    with reading(path, "is damaged"):
        content = content_of(path, "case's holes", count // 8 + MOST_OF_A_HEADER)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # Sizes first: a few bytes can promise to unpack to more than there is memory.
            if any(entry.file_size > count // 8 + MOST_OF_A_HEADER for entry in archive.infolist()):
                raise ValueError("it says that it unpacks to more than a hole takes")
            bits, has_truth = (_array(archive.read(f"{name}.npy")) for name in ("bits", "has_truth"))
        if bits.shape != ((count + 7) // 8,) or bits.dtype != np.uint8 or has_truth.shape != ():
            raise ValueError(f"it holds {bits.dtype} {bits.shape}, which is not a hole of this case")
        return np.unpackbits(bits, count=count).astype(bool).reshape(shape), bool(has_truth)


def _array(content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > len(content):
        raise ValueError("its header says more than its content holds")
    stream.seek(0)
    array: NDArray[Any] = np.load(stream, allow_pickle=False)
    return array
