"""Shards: the cases of a run are dealt to several commands, one each, on one machine or on many."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vibench.data.contents import bytes_on_disk
from vibench.data.dataset import Dataset
from vibench.errors import InputError
from vibench.protocol import PlannedCase
from vibench.results.merge import other_data
from vibench.results.record import RunInfo
from vibench.results.store import Store

AUTO = "auto"
"""Asks for the shard that the job array names in which the command runs."""

_SHARD = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count`` parts of a run's cases; ``index`` counts from 0.

    A case belongs to a shard by its name alone, so that cases which are added to a protocol move no other case.
    """

    index: int
    count: int

    def holds(self, case: str) -> bool:
        """Say whether the case of this name belongs to the shard."""
        digest = hashlib.sha256(case.encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index

    @property
    def name(self) -> str:
        """``0-of-4``: how files name the shard."""
        return f"{self.index}-of-{self.count}"


def part_of(shard: Shard | None, planned: list[PlannedCase]) -> list[PlannedCase]:
    """Return those of the planned cases that belong to the shard, in their order; all of them where there is none."""
    return planned if shard is None else [case for case in planned if shard.holds(case.name)]


def shard_named(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """Read ``I/N`` as shard I of N, with I from 0 to N - 1, or ``auto`` as the shard of this task of a Slurm job array.

    Raises InputError for any other text, and for ``auto`` outside of a job array.
    """
    if text == AUTO:
        return _of_job_array(environment)
    match = _SHARD.fullmatch(text.strip())
    if match is None or int(match[1]) >= int(match[2]):
        raise InputError(f"{text!r} is no shard; write I/N with I from 0 to N - 1, such as 0/4, or auto in a job array")
    return Shard(int(match[1]), int(match[2]))


def _of_job_array(environment: Mapping[str, str]) -> Shard:
    """The task's place in its array, which may count from any number and in any step (``--array=10-90:10``)."""
    names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP")
    values = [environment.get(name, default) for name, default in zip(names, ("", "", "0", "1"), strict=True)]
    if not values[0] or not values[1]:
        raise InputError(
            "--shard auto reads SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT, which are not set; "
            "start it as a job array, or write the shard as I/N"
        )
    told = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
    if not all(value.isdecimal() for value in values) or not int(values[3]):
        raise InputError(f"--shard auto cannot use {told}; write the shard as I/N")
    task, count, first, step = map(int, values)
    index, beside = divmod(task - first, step)
    if beside or not 0 <= index < count or (count == 1 and task):
        # A list such as --array=0,3,7 has gaps, and one task that is submitted again alone looks like a whole array.
        raise InputError(f"--shard auto cannot tell the shard from {told}; number the array evenly, or write I/N")
    return Shard(index, count)


def clip_bytes(planned: Sequence[PlannedCase], clips: Dataset) -> dict[str, int]:
    """Return how many bytes on the disk each clip of the cases has, by which shards know that they read the same data.

    A clip that is computed or is not there has 0.
    """
    return {name: bytes_on_disk(clips, name) for name in dict.fromkeys(case.clip for case in planned)}


def check_same_data(store: Store, info: RunInfo) -> None:
    """Raise InputError where the run in ``store`` was begun with other data than ``info`` is about to read."""
    if difference := other_data(store.info, info):
        raise InputError(
            f"this shard reads other data than the run in {str(store.folder)!r}: {difference}; "
            "name the same --data, or another --output"
        )
