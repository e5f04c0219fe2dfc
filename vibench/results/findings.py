"""What `vibench regress` found, kept in a file to which every comparison adds a line: `vibench history` reads it.

A line is one JSON object (``KeptComparison``). Lines are only ever added, so that the file can lie in a repository or
be carried from one job of a CI to the next.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from vibench.document import Frozen, content_of, first_fault
from vibench.errors import InputError, one_line, reading
from vibench.files import disk_errors
from vibench.results.statistics import Verdict

SCHEMA = 1
ENDING = ".jsonl"
"""By this ending of its name a file of findings is told from a pack of a run."""


class KeptFinding(Frozen):
    """One measure: the verdict about it, and both versions' medians in ``unit``, None where they were not measured.

    ``ratio`` is new / old with the two ends of its interval, of which one that nothing bounds is None.
    """

    measure: str
    verdict: Verdict
    old: float | None = Field(default=None, allow_inf_nan=False)
    new: float | None = Field(default=None, allow_inf_nan=False)
    unit: Literal["s", "bytes", "dB", ""] = ""
    ratio: tuple[float | None, float | None, float | None] | None = None
    note: str = ""


class KeptComparison(Frozen):
    """One method in two versions: what was compared, on what, and what was found.

    ``commit`` is that of the checkout whose code is new, with ``+changes`` where files were changed, None outside a
    checkout; ``old`` says in words what it was compared with. ``probe`` is the digest of
    the clips, ``clock`` the one that timed (``wall`` or ``cpu``), empty where nothing was timed.
    ``load_average`` is the machine's, None where the system does not say it.
    """

    schema_version: int = Field(default=SCHEMA, alias="schema", ge=SCHEMA, le=SCHEMA)
    method: str
    old: str
    commit: str | None
    started: AwareDatetime
    machine: dict[str, Any]
    device: str
    threads: int
    probe: str
    clock: Literal["wall", "cpu", ""]
    versions: dict[str, str]
    findings: tuple[KeptFinding, ...]
    load_average: float | None = Field(default=None, allow_inf_nan=False)


def append_findings(path: Path, comparisons: Iterable[KeptComparison]) -> None:
    """Add a line for each comparison to the file ``path``, which is made where there is none.

    Each line is written at once; what a killed process left of one stays a line of its own.
    """
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            for comparison in comparisons:
                file.seek(0, os.SEEK_END)
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                torn = file.read(1) not in (b"", b"\n")
                file.write((b"\n" if torn else b"") + comparison.model_dump_json(by_alias=True).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())


def read_findings(path: Path) -> tuple[list[KeptComparison], list[str]]:
    """Return the comparisons in a file, and a sentence about each line that is none: torn, or of a later version.

    InputError where the file cannot be read or is no text.
    """
    found: list[KeptComparison] = []
    faults = []
    with reading(path, "is no file of findings"):
        lines = content_of(path, "findings").decode().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            found.append(KeptComparison.model_validate_json(line))
        except ValidationError as error:
            reason = first_fault(error, KeptComparison)
            faults.append(f"line {number} of {one_line(str(path))} is left out: {one_line(reason)}")
    return found, faults


def split_sources(sources: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Part what a user named into runs (or folders of runs) and files of findings."""
    files = [path for path in sources if path.suffix == ENDING]
    for path in files:
        if path.is_dir():
            raise InputError(f"{one_line(str(path))} is a folder, and no file of findings")
    return [path for path in sources if path not in files], files
