"""A run on Slurm: a job array with a shard in each task, sent through submitit, and what they made put together."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, TextIO

from vibench.errors import InputError, MissingResource, UserError, one_line, reason_of
from vibench.files import disk_errors
from vibench.files.server import url_of
from vibench.plugins.definitions import include, included
from vibench.results.merge import merge
from vibench.results.record import Record
from vibench.results.run import Run
from vibench.runner.engine import Slurm
from vibench.runner.shard import Shard

POLL_SECONDS = 2.0


@dataclass(frozen=True)
class ShardJob:
    """One task of the array: ``vibench.run`` with a shard. It can be sent to another machine, and begun again there.

    ``arguments`` are those of the whole run, ``place`` is the folder that the shard writes into, and ``modules`` is
    where a method of the user's own is found.
    """

    run: Callable[..., Run]
    arguments: Mapping[str, Any]
    shard: Shard
    place: Path
    include: tuple[Path, ...] = field(default_factory=included)
    modules: Path = field(default_factory=Path.cwd)

    def __call__(self) -> tuple[str, str]:
        """Make the shard; return the folder of its run, or an empty text and why there is none.

        The main thread only waits: submitit answers Slurm's signals there, and what it then raises must not come up
        within a method, where it would count as a failure of that method.
        """
        ends = Queue[tuple[str, str]]()
        Thread(target=lambda: ends.put(self._made()), daemon=True).start()
        return ends.get()

    def _made(self) -> tuple[str, str]:
        if str(self.modules) not in sys.path:
            sys.path.append(str(self.modules))
        for place in self.include:
            include(place)
        asked = {**self.arguments, "output": self.place, "shard": f"{self.shard.index}/{self.shard.count}"}
        self.place.mkdir(parents=True, exist_ok=True)
        with (self.place / "log.txt").open("a", encoding="utf-8") as log:
            try:
                return str(self.run(**asked, listener=_Logged(log)).folder), ""
            except UserError as error:
                log.write(f"{error}\n{error.traceback}\n")
                return "", str(error)
            except BaseException as error:  # noqa: BLE001 - it ends this thread, and the other tells it
                log.write(traceback.format_exc())
                return "", f"{type(error).__name__}: {reason_of(error)}"

    def checkpoint(self, *_: object) -> Any:
        """What goes back into the queue when Slurm takes the machine away: the same job, which continues."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


class _Logged:
    """A listener that writes lines into a shard's log."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def started(self, total: int, remaining: int) -> None:
        self.say(f"{remaining} of {total} records to make")

    def filling(self, method: str, case: str, done: int, total: int) -> None:
        """Nothing is written for each frame."""

    def finished(self, record: Record) -> None:
        outcome = f"failed: {one_line(record.failure.message)}" if record.failure else record.status
        self.say(f"{record.method}  {record.case}  {outcome}")

    def say(self, sentence: str) -> None:
        self._file.write(f"{time.strftime('%H:%M:%S')}  {sentence}\n")
        self._file.flush()


def run_in_shards(
    run: Callable[..., Run], engine: Slurm, arguments: Mapping[str, Any], output: Path, say: Callable[[str], None]
) -> Run:
    """Send ``run`` with ``arguments`` as so many shards, wait for them, and merge what they made under ``output``.

    Shards lie in ``output/shards``, each with its ``log.txt``. Where this process is interrupted, the jobs are
    cancelled; where it is killed they go on, and the same call waits for them. Raises UserError, after all others were
    merged, where a shard could not be made.
    """
    if engine.shards < 1:
        raise InputError(f"slurm[shards={engine.shards}] makes nothing; ask for 1 shard or more")
    if arguments.get("shard") or arguments.get("name"):
        raise InputError("--on slurm deals the shards and names the folder itself; drop --shard and --name")
    if (url := url_of(output)) is not None:
        raise InputError(
            f"--on slurm collects its shards on a disk that all nodes share, and {one_line(url)} is none; name a "
            "folder there, or write an array of commands with --shard auto and this --output"
        )
    shards = [Shard(index, engine.shards) for index in range(engine.shards)]
    with disk_errors(output):
        executor = _executor(engine, output / "shards" / "logs")
        # Shards may work in other folders: whatever is named here is named from here.
        jobs = [ShardJob(run, arguments, shard, output.resolve() / "shards" / shard.name) for shard in shards]
        sent = executor.map_array(ShardJob.__call__, jobs)
    try:
        _wait(sent, output, say)
        ends = [_end(job) for job in sent]
    except BaseException:
        for job in sent:
            job.cancel(check=False)
        raise
    if made := [folder for folder, _ in ends if folder]:
        merged = merge(made, output, say)
        for sentence in merged.sentences():
            say(sentence)
    failed = [(shard, fault) for shard, (_, fault) in zip(shards, ends, strict=True) if fault]
    if failed:
        shard, fault = failed[0]
        raise UserError(
            f"{len(failed)} of {len(shards)} shards ended without a result, such as {shard.index}/{shard.count}: "
            f"{one_line(fault)}; what was made is kept, and the same command continues"
        )
    return merged.run


def _executor(engine: Slurm, logs: Path) -> Any:
    """The executor of submitit; MissingResource where that is not installed, InputError where Slurm is not here."""
    try:
        import submitit
    except ImportError as error:
        raise MissingResource("--on slurm needs submitit: pip install 'vibench[slurm]'") from error
    requeues = {f"{where}_max_num_timeout": engine.requeues for where in ("slurm", "local")}
    try:
        made = submitit.AutoExecutor(logs, engine.where, **requeues)
    except RuntimeError as error:
        raise InputError(f"there is no Slurm on this machine: {one_line(str(error))}") from error
    optional = {
        "mem_gb": engine.memory_gb, "slurm_partition": engine.partition, "slurm_account": engine.account,
        "slurm_array_parallelism": engine.at_once,
    }  # fmt: skip
    made.update_parameters(
        name="vibench", timeout_min=engine.minutes, cpus_per_task=engine.cpus, gpus_per_node=engine.gpus,
        **{name: value for name, value in optional.items() if value},
    )  # fmt: skip
    return made


def _wait(jobs: Sequence[Any], output: Path, say: Callable[[str], None]) -> None:
    """Wait until every job has ended; tell whenever states or the number of records have changed."""
    told = ""
    while True:
        # Asked in this order, so that the last line is told of the end.
        ended = [job.done() for job in jobs]
        states = Counter(job.state.split(" ")[0].lower() for job in jobs)
        records = sum(1 for _ in (output / "shards").glob("*/*/records/*/*.json"))
        line = f"shards: {', '.join(f'{count} {state}' for state, count in sorted(states.items()))}; {records} records"
        if line != told:
            say(line)
            told = line
        if all(ended):
            return
        time.sleep(POLL_SECONDS)


def _end(job: Any) -> tuple[str, str]:
    """The folder that a job made, or why there is none, with the end of what it printed."""
    try:
        folder, fault = job.results()[0]
    except Exception as error:  # noqa: BLE001 - whatever submitit says of a job that died
        lines = [line for line in str(error).splitlines() if line.strip(" -")]
        return "", f"{lines[-1] if lines else type(error).__name__} (see {os.fspath(job.paths.stderr)})"
    return folder, fault
